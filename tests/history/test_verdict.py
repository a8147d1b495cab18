"""What a verdict says, and how."""

from dataclasses import replace

from stackproof.history import check_flow
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
    assert verdict.explain().splitlines() == [
        "delivery: 1 lost, 1 duplicated, 1 lost-write (4 messages sent)",
        '  sent to "in": 4 (4 acknowledged, 0 failed, 0 unknown)',
        '  received from "in": 4 (3 different messages, 1 too many)',
        "  arrived: 75.00% of the acknowledged",
        "",
        'LOST: 1 of 4 acknowledged messages sent to "in" never arrived on "in" (75.00% arrived, '
        "100.00% expected); sent at +100.005 s.",
        "  what  when        where   ident  client    outcome  content   preview",
        "  sent  +100.005 s  in/0@2  m2     producer  ok       "
        f"{verdict.anomalies[0].witness[0].content[:8]}  number 2\\n",
        "",
        "DUPLICATED: 1 message received more often than sent, 1 reception too many: 0 stored "
        "again at another offset, 1 delivered again from the same.",
        *_table_of_duplicate(verdict.anomalies[1].witness[0].content[:8]),
        "",
        'LOST-WRITE: 1 acknowledged message on "in" never seen, although later offsets of the same '
        "partitions were.",
        *_table_of_lost_write(*(one.content[:8] for one in verdict.anomalies[2].witness)),
        "",
        "Meanwhile:",
        "  +100.004 s to +100.006 s  fault: broker 1 was stopped",
    ]


def _table_of_duplicate(content: str) -> list[str]:
    return [
        "  what            when        where   ident  client    outcome  content   preview",
        f"  sent            +100.003 s  in/0@1  m1     producer  ok       {content}  number 1\\n",
        f"  received        +100.010 s  in/0@1  m1     consumer           {content}  number 1\\n",
        f"  received again  +100.011 s  in/0@1  m1     consumer           {content}  number 1\\n",
    ]


def _table_of_lost_write(lost: str, later: str) -> list[str]:
    note = "a later record of the partition"
    return [
        "  what      when        where   ident  client    outcome  content   "
        f"{'note'.ljust(len(note))}  preview",
        f"  sent      +100.005 s  in/0@2  m2     producer  ok       {lost}  "
        f"{'never seen'.ljust(len(note))}  number 2\\n",
        f"  received  +100.012 s  in/0@3  m3     consumer           {later}  {note}  number 3\\n",
    ]


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
    assert data["flow"]["name"] == "delivery"
    assert data["anomalies"][0]["witness"][0]["ident"] == "a"


def test_what_may_still_come_is_outstanding_and_neither_lost_nor_unseen():
    story = Story().sent("a", offset=0).sent("b", offset=1).received("b", offset=1)
    verdict = check_flow(story.history, replace(DIRECT, settled=False))
    assert [one.name for one in verdict.violations] == ["outstanding"]
    assert not verdict.ok and "had not arrived yet" in verdict.explain()
    assert (verdict.figures.lost, verdict.figures.arrived) == (0, 1)
    assert verdict.figures.success_rate == 0.5
