"""What a verdict says, and how."""

from dataclasses import replace

import pytest

from stackproof.history import check_flow, digest_of
from tests.history.story import DIRECT, START, THROUGH, Story, delivered


def test_a_clean_verdict():
    verdict = check_flow(delivered("a", "b").history, DIRECT)
    assert verdict.ok and verdict.conclusive
    assert verdict.headline() == "delivery: as expected, 2 of 2 acknowledged messages arrived"
    assert verdict.figures.success_rate == 1.0
    assert verdict.idents == {}


def test_the_explanation_of_a_failure():
    story = Story()
    for i in range(4):
        story.sent(f"m{i}", offset=i, content=f"number {i}\n")
    story.received("m0", offset=0, content="number 0\n")
    story.received("m1", offset=1, content="number 1\n")
    story.received("m1", offset=1, content="number 1\n")
    story.received("m3", offset=3, content="number 3\n")
    story.history.event("fault", "broker 1 was stopped", at=START + 0.004, until=START + 0.006)
    story.history.event("note", "long ago", at=START - 100)
    verdict = check_flow(story.history, DIRECT)
    assert verdict.idents == {"m2": "lost", "m1": "duplicated"}
    assert verdict.headline() == "delivery: 1 lost, 1 duplicated (4 messages sent)"
    summaries = [
        'LOST: 1 of 4 acknowledged messages sent to "in" never arrived on "in" (75.00% arrived, '
        "100.00% expected); sent at +100.005 s.",
        '  lost-write: 1 acknowledged message on "in" never seen, although later offsets of the '
        "same partitions were.",
        "DUPLICATED: 1 message received more often than sent, 1 reception too many: 0 stored "
        "again at another offset, 1 delivered again from the same.",
        "",
        '  sent to "in": 4 (4 acknowledged, 0 failed, 0 unknown)',
        '  received from "in": 4 (3 different messages, 1 too many)',
        "  arrived: 75.00% of the acknowledged",
        "",
    ]
    meanwhile = ["", "Meanwhile:", "  +100.004 s to +100.006 s  fault: broker 1 was stopped"]
    assert verdict.explain().splitlines() == [
        verdict.headline(),
        "",
        *summaries,
        "LOST:",
        "  what      when        where   ident  client    outcome  note"
        "                             preview",
        "  sent      +100.005 s  in/0@2  m2     producer  ok       "
        "                                 number 2\\n",
        "  received  +100.012 s  in/0@3  m3     consumer           "
        "a later record of the partition  number 3\\n",
        "",
        "DUPLICATED:",
        *DUPLICATE,
        *meanwhile,
    ]
    assert verdict.brief().splitlines() == [
        verdict.headline(),
        "",
        *summaries,
        "LOST, for example:",
        "  what  when        where   ident  client    outcome  preview",
        "  sent  +100.005 s  in/0@2  m2     producer  ok       number 2\\n",
        "",
        "DUPLICATED, for example:",
        *DUPLICATE,
        *meanwhile,
    ]


DUPLICATE = [
    "  what            when        where   ident  client    outcome  preview",
    "  sent            +100.003 s  in/0@1  m1     producer  ok       number 1\\n",
    "  received        +100.010 s  in/0@1  m1     consumer           number 1\\n",
    "  received again  +100.011 s  in/0@1  m1     consumer           number 1\\n",
]


def broken_in_many_ways(size: int, prefix: str = "") -> Story:
    """A third of the messages is lost, one duplicated, one corrupted, in another order."""
    story = Story()
    story.history.meta["prefix"] = prefix
    topic = f"{prefix}in"
    for i in range(size):
        story.sent(f"m{i:03}", offset=i, content=f"content {i}", topic=topic)
    arriving = [i for i in reversed(range(size)) if i % 3]
    for offset, i in enumerate([*arriving, *arriving]):
        content = "something else" if i % 2 else f"content {i}"
        story.received(f"m{i:03}", offset=offset, content=content, topic=topic)
    return story


@pytest.mark.parametrize("size", [6, 60, 600])
def test_all_is_counted_first_and_each_violation_has_one_example_however_many_there_are(size):
    verdict = check_flow(broken_in_many_ways(size).history, DIRECT)
    names = {found.name for found in verdict.violations}
    assert names > {"lost", "duplicated", "corrupted", "reordered"}
    lines = verdict.brief().splitlines()
    assert len(lines) < 60
    examples = [i for i, line in enumerate(lines) if line.endswith(", for example:")]
    for name in names - {"lost-write", "stored-twice"}:
        told = [i for i, line in enumerate(lines) if line.startswith(f"{name.upper()}: ")]
        assert told and told[0] < examples[0], name
        assert f"{name.upper()}, for example:" in lines
    assert 'more of them: see the attachment "counterexamples"' in lines


def test_no_row_is_listed_twice_for_messages_that_two_anomalies_are_about():
    story = Story()
    for i in range(5):
        story.sent(f"m{i}", offset=i).received(f"m{i}", offset=i + 10).received(f"m{i}", offset=i)
    story.sent("late", offset=5)
    verdict = check_flow(story.history, DIRECT)
    found = {one.name for one in verdict.anomalies}
    assert found >= {"lost", "unseen", "lost-write", "duplicated", "stored-twice"} - {"unseen"}
    rows = [line for line in verdict.explain().splitlines() if " s  in/0@" in line]
    alone = [line.split("  ")[1:] for line in rows if "later record" not in line]
    assert len({str(row) for row in alone}) == len(alone)
    assert "UNSEEN" not in verdict.explain() and "STORED-TWICE:" not in verdict.explain()


def test_what_a_sentence_about_the_same_messages_says_stands_below_the_first():
    verdict = check_flow(Story().sent("a", offset=0).drained().history, DIRECT)
    lines = verdict.brief().splitlines()
    assert lines[0] == "delivery: 1 lost (1 message sent)"
    assert lines[2].startswith("LOST: 1 of 1")
    assert lines[3].startswith("  unseen: 1 acknowledged message not seen")
    assert sum("  a  " in line for line in lines) == 1


def test_the_scenario_s_own_part_of_topics_names_is_told_once():
    story = broken_in_many_ways(6, prefix="stackproof-r1-s1-")
    topic = "stackproof-r1-s1-in"
    flow = replace(DIRECT, sent_topic=topic, received_topic=topic)
    for text in (
        check_flow(story.history, flow).brief(),
        check_flow(story.history, flow).explain(),
    ):
        assert text.count("stackproof-r1-s1-") == 1
        assert "names are shown without 'stackproof-r1-s1-'" in text
        assert ' sent to "in" ' in text and " in/0@" in text


def test_contents_are_compared_by_digest_only_where_they_differ():
    story = Story().sent("a", content="one").received("a", offset=0, content="two")
    text = check_flow(story.history, DIRECT).brief()
    assert f"{digest_of(b'one'):016x}"[:8] in text and f"{digest_of(b'two'):016x}"[:8] in text
    assert "content " not in check_flow(Story().sent("b", content="x").history, DIRECT).brief()


def test_information_does_not_make_a_verdict_fail_and_stands_last():
    story = delivered("a", "b").received("a", offset=0).sent("c", offset=2)
    verdict = check_flow(story.history, replace(DIRECT, max_duplicates=1))
    assert [(found.name, found.severity) for found in verdict.anomalies] == [
        ("lost", "violation"),
        ("duplicated", "information"),
        ("unseen", "information"),
    ]
    story.received("c", offset=2)
    verdict = check_flow(story.history, replace(DIRECT, max_duplicates=1))
    assert verdict.ok
    assert "duplicated: 1 message" in verdict.explain()
    assert verdict.anomaly("duplicated") and not verdict.anomaly("lost")


def test_nothing_delivered_is_said_to_prove_nothing():
    verdict = check_flow(Story().sent("a", "fail").history, DIRECT)
    assert verdict.ok and not verdict.conclusive
    assert verdict.headline() == "delivery: nothing was delivered that could be checked"
    assert check_flow(Story().sent("a", None).received("a", offset=0).history, DIRECT).conclusive


def test_checks_that_a_flow_does_not_ask_for_are_not_made():
    story = Story().sent("a", content="x", carried=1).received("a", offset=0, content="y")
    assert check_flow(story.history, replace(DIRECT, content=None)).figures.corrupted == 0
    story = Story().sent("a").received("a", topic="out", offset=0)
    story.received("a", topic="dead", offset=0)
    assert not check_flow(story.history, THROUGH).ok
    assert check_flow(story.history, replace(THROUGH, exclusive_topics=())).ok


def test_a_verdict_as_plain_data():
    data = check_flow(Story().sent("a", offset=0).history, DIRECT).as_dict()
    assert data["ok"] is False
    assert data["figures"]["lost"] == 1
    assert data["figures"]["success_rate"] == 0.0
    assert data["expectation"]["name"] == "delivery"
    assert data["anomalies"][0]["witness"][0]["ident"] == "a"


def test_what_may_still_come_is_outstanding_and_neither_lost_nor_unseen():
    story = Story().sent("a", offset=0).sent("b", offset=1).received("b", offset=1)
    verdict = check_flow(story.history, replace(DIRECT, settled=False))
    assert [one.name for one in verdict.violations] == ["outstanding"]
    assert not verdict.ok and "had not arrived yet" in verdict.explain()
    assert (verdict.figures.lost, verdict.figures.arrived) == (0, 1)
    assert verdict.figures.success_rate == 0.5
