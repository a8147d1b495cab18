"""Each check on histories short enough to read: violating ones and clean ones."""

from dataclasses import replace
from typing import Any

import pytest

from stackproof.history import CHECKS, Flow, carried_digest, check_flow
from stackproof.history.anomaly import nothing, percentage
from tests.history.story import DIRECT, THROUGH, Story, delivered

BY_CALLS = replace(DIRECT, order="sequence")
GROUP = replace(DIRECT, group_clients=("one", "two"))


def idents(story: Story, name: str, flow: Flow = DIRECT) -> list[str]:
    return list(story.find(name, flow).idents)


# --- lost


def test_lost_when_an_acknowledged_send_never_arrives():
    story = Story().sent("a", offset=0).sent("b", offset=1).received("a", offset=0)
    found = story.find("lost")
    assert (found.count, found.severity, found.idents) == (1, "violation", ("b",))
    assert "1 of 2 acknowledged messages" in found.summary
    assert "50.00% arrived" in found.summary
    assert "the last that were sent" in found.summary


def test_lost_says_when_the_first_or_all_are_missing():
    story = Story().sent("a", offset=0).sent("b", offset=1)
    assert "that were sent" not in story.find("lost").summary
    story.received("b", offset=1)
    assert "the first that were sent" in story.find("lost").summary


def test_lost_names_the_partition_that_all_losses_share():
    story = Story()
    for i in range(6):
        story.sent(f"m{i}", partition=i % 2, offset=i // 2)
        if i % 2:
            story.received(f"m{i}", partition=1, offset=i // 2)
    assert "from partition 0" in story.find("lost").summary


def test_lost_when_one_of_two_sends_of_the_same_message_never_arrives():
    story = Story().sent("a", offset=0).sent("a", offset=1).received("a", offset=0)
    assert story.find("lost").count == 1


def test_lost_is_told_from_duplicated_by_the_content():
    story = Story().sent("a", offset=0, content="one").sent("a", offset=1, content="two")
    story.received("a", offset=0, content="one").received("a", offset=2, content="one")
    assert story.find("lost").count == 1
    assert story.find("duplicated").count == 1
    assert story.find("lost", replace(DIRECT, content=None)).count == 0


def test_nothing_lost_when_all_arrives():
    assert delivered("a", "b", "c").find("lost").count == 0


@pytest.mark.parametrize("status", ["fail", "unknown", None])
def test_nothing_lost_when_the_send_was_never_acknowledged(status):
    assert Story().sent("a", status).find("lost").count == 0


def test_nothing_lost_when_it_arrives_damaged():
    story = Story().sent("a", offset=0).received("a", offset=0, content="contend")
    assert story.find("lost").count == 0
    assert story.find("corrupted").count == 1


def test_lost_within_the_declared_completeness_is_information():
    story = Story()
    for i in range(10):
        story.sent(f"m{i}", offset=i)
    for i in range(8):
        story.received(f"m{i}", offset=i)
    assert story.find("lost", replace(DIRECT, completeness=0.8)).severity == "information"
    assert story.find("lost", replace(DIRECT, completeness=0.81)).severity == "violation"
    assert story.find("lost", replace(DIRECT, completeness=0.8)).count == 2


# --- duplicated


def test_duplicated_when_stored_twice():
    story = delivered("a").received("a", offset=1)
    found = story.find("duplicated")
    assert (found.count, found.severity) == (1, "violation")
    assert "1 stored again at another offset, 0 delivered again" in found.summary
    assert [record.what for record in found.witness] == ["sent", "received", "received again"]


def test_duplicated_when_delivered_twice():
    found = delivered("a").received("a", offset=0).find("duplicated")
    assert found.count == 1
    assert "0 stored again at another offset, 1 delivered again" in found.summary


def test_duplicates_within_the_bound_are_information():
    story = delivered("a").received("a", offset=1).received("a", offset=2)
    assert story.find("duplicated", replace(DIRECT, max_duplicates=2)).severity == "information"
    assert story.find("duplicated", replace(DIRECT, max_duplicates=1)).severity == "violation"


def test_not_duplicated_when_each_was_received_once():
    assert delivered("a", "b").find("duplicated").count == 0


@pytest.mark.parametrize("status", ["ok", "unknown", "fail"])
def test_not_duplicated_when_sent_as_often_as_received(status):
    story = Story().sent("a", offset=0).sent("a", status)
    story.received("a", offset=0).received("a", offset=1)
    assert story.find("duplicated").count == 0


# --- unexpected


def test_unexpected_when_never_sent():
    found = delivered("a").received("ghost", offset=1).find("unexpected")
    assert (found.count, found.severity, found.idents) == (1, "violation", ("ghost",))
    assert "1 never sent at all" in found.summary


def test_unexpected_when_sent_as_another_class():
    valid = replace(THROUGH, sent_label="valid")
    story = Story().sent("a", label="invalid").received("a", topic="out", offset=0)
    found = story.find("unexpected", valid)
    assert found.count == 1
    assert "0 never sent at all, 1 sent on another topic, with another label" in found.summary
    assert [record.what for record in found.witness] == ["sent", "received"]


def test_not_unexpected_when_sent():
    assert delivered("a").find("unexpected").count == 0


@pytest.mark.parametrize("labels", ["valid", ("valid", "odd"), None])
def test_not_unexpected_when_the_class_is_one_of_those_asked_for(labels):
    story = Story().sent("a", label="valid").received("a", topic="out", offset=0)
    assert story.find("unexpected", replace(THROUGH, sent_label=labels)).count == 0


# --- corrupted


def test_corrupted_when_the_content_differs():
    story = Story().sent("a", content="right").received("a", offset=0, content="wrong")
    found = story.find("corrupted")
    assert (found.count, found.severity) == (1, "violation")
    assert [record.preview for record in found.witness] == ["right", "wrong"]
    assert "with a content that differs" in found.summary


def test_corrupted_when_the_carried_part_differs_or_is_missing():
    story = Story().sent("a", carried=0xAAAA << 48).sent("b", carried=0xBBBB << 48)
    story.received("a", topic="out", offset=0, carried=0xCCCC << 48)
    story.received("b", topic="out", offset=1, carried=None)
    found = story.find("corrupted", THROUGH)
    assert "with a carried-over part that differs" in found.summary
    assert [(record.ident, record.note) for record in found.witness] == [
        ("a", "carries aaaa0000"),
        ("a", "carries cccc0000"),
        ("b", "carries bbbb0000"),
        ("b", "carries nothing"),
    ]


def test_corrupted_names_the_carried_fields_that_differ_and_their_values():
    def carries(**fields: Any) -> int:
        return carried_digest(fields)

    story = Story()
    for ident in "abc":
        story.sent(ident, carried=carries(id=ident, at="10:00", size=1))
    story.received("a", topic="out", offset=0, carried=carries(id="a", at="09:00", size=1.0))
    story.received("b", topic="out", offset=1, carried=carries(id="c", at="09:00", size=1))
    story.received("c", topic="out", offset=2, carried=carries(id="c", size="x" * 1000))
    found = story.find("corrupted", THROUGH)
    assert found.summary.endswith("differs from what was sent: at (3), id (1), size (1).")
    notes = [record.note for record in found.witness]
    assert notes[:2] == ['at = "10:00"', 'at = "09:00"']
    assert notes[2:4] == ['at = "10:00", id = "b"', 'at = "09:00", id = "c"']
    assert notes[4] == 'at = "10:00", size = 1'
    assert notes[5].startswith('at is missing, size = "xxxxx') and len(notes[5]) < 150


def test_long_values_that_differ_at_their_ends_are_told_apart():
    story = Story()
    for end, topic in (("1", "in"), ("2", "out")):
        carried = carried_digest({"vector": [0.5] * 500 + [int(end)]})
        if topic == "in":
            story.sent("a", carried=carried)
        else:
            story.received("a", topic="out", offset=0, carried=carried)
    found = story.find("corrupted", THROUGH)
    first, second = (record.note for record in found.witness)
    assert first != second and "vector (1)" in found.summary


def test_corrupted_whatever_the_digest():
    story = Story().sent("a", carried=0).received("a", topic="out", offset=0, carried=1)
    assert story.find("corrupted", THROUGH).count == 1


def test_corrupted_when_two_messages_swap_their_contents():
    story = Story().sent("a", content="of a").sent("b", content="of b")
    story.received("a", offset=0, content="of b").received("b", offset=1, content="of a")
    assert story.find("corrupted").count == 2


def test_corrupted_and_duplicated_when_it_comes_beside_the_right_one():
    story = delivered("a").received("a", offset=1, content="wrong")
    assert story.find("corrupted").count == 1
    assert story.find("duplicated").count == 1


def test_not_corrupted_when_equal():
    assert delivered("a", "b").find("corrupted").count == 0


def test_not_corrupted_when_each_of_several_contents_was_sent():
    story = Story().sent("a", content="one").sent("a", content="two")
    story.received("a", offset=0, content="two").received("a", offset=1, content="one")
    assert story.find("corrupted").count == 0


def test_not_corrupted_when_nothing_was_to_be_carried_over():
    story = Story().sent("a", carried=None).received("a", topic="out", offset=0, carried=5)
    assert story.find("corrupted", THROUGH).count == 0


# --- reordered


def test_reordered_when_two_swap():
    story = Story()
    for offset, ident in enumerate("abcd"):
        story.sent(ident, offset=offset)
    for offset, ident in enumerate("acbd"):
        story.received(ident, topic="out", offset=offset)
    found = story.find("reordered", replace(THROUGH, order="offset"))
    assert (found.count, found.severity) == (1, "violation")
    assert [(record.ident, record.what) for record in found.witness] == [
        ("b", "sent first"),
        ("c", "sent second"),
        ("c", "received first"),
        ("b", "received second"),
    ]


@pytest.mark.parametrize(("order", "words"), [("offset", "offsets"), ("sequence", "calls")])
def test_reordered_even_if_some_come_twice(order, words):
    story = Story().sent("a", offset=0).sent("b", offset=1)
    for offset, ident in enumerate("bab"):
        story.received(ident, topic="out", offset=offset)
    found = story.find("reordered", replace(THROUGH, order=order))
    assert found.count == 1
    assert f"order of {words} within a partition" in found.summary


@pytest.mark.parametrize("arrival", ["dabc", "bcda"])
def test_reordered_once_when_one_record_is_moved_far(arrival):
    story = Story()
    for offset, ident in enumerate("abcd"):
        story.sent(ident, offset=offset)
    for offset, ident in enumerate(arrival):
        story.received(ident, offset=offset)
    assert story.find("reordered", BY_CALLS).count == 1


def test_reordered_by_calls_even_if_the_send_was_never_answered():
    story = Story().sent("a", None).sent("b", offset=0)
    story.received("b", offset=0).received("a", offset=1)
    assert story.find("reordered", BY_CALLS).count == 1


def test_reordered_looks_at_offsets_not_at_the_moment_of_reception():
    story = Story().sent("a", offset=0).sent("b", offset=1)
    story.received("b", topic="out", offset=1).received("a", topic="out", offset=0)
    assert story.find("reordered", replace(THROUGH, order="offset")).count == 0


@pytest.mark.parametrize("flow", [DIRECT, BY_CALLS])
def test_not_reordered_when_in_order(flow):
    assert delivered("a", "b", "c").find("reordered", flow).count == 0


def test_reordered_takes_the_retry_of_a_failed_send_if_that_is_clear():
    story = Story().sent("a", "fail").sent("a", offset=0).sent("b", offset=1)
    story.received("b", topic="out", offset=0).received("a", topic="out", offset=1)
    by_offset = replace(THROUGH, order="offset")
    assert story.find("reordered", by_offset).count == 1
    # Now the failed send may be the one that arrived late.
    assert story.received("a", topic="out", offset=2).find("reordered", by_offset).count == 0


def test_not_reordered_when_two_sends_claim_the_same_offset():
    story = Story().sent("a", offset=0).sent("b", offset=0)
    story.received("a", topic="out", offset=0).received("b", topic="out", offset=1)
    assert story.find("reordered", replace(THROUGH, order="offset")).count == 0


def test_not_reordered_where_offsets_are_unknown():
    story = Story().sent("a", offset=0).sent("b", None)
    story.history.complete(1, "ok", partition=0)
    story.received("a", offset=0).received("b", offset=1)
    assert story.find("reordered", DIRECT).count == 0


def test_not_reordered_across_partitions_or_clients():
    story = Story().sent("a", partition=0, offset=5).sent("b", partition=1, offset=3)
    story.received("b", topic="out", offset=0).received("a", topic="out", offset=1)
    assert story.find("reordered", replace(THROUGH, order="offset")).count == 0
    story = Story().sent("a", offset=1, client="p1").sent("b", offset=0, client="p2")
    story.received("b", offset=0).received("a", offset=1)
    assert story.find("reordered", BY_CALLS).count == 0


def test_not_reordered_when_a_batch_is_processed_again():
    story = Story()
    for offset, ident in enumerate("abc"):
        story.sent(ident, offset=offset)
    for offset, ident in enumerate("abcbc"):
        story.received(ident, topic="out", offset=offset)
    assert story.find("reordered", replace(THROUGH, order="offset")).count == 0


def test_not_reordered_when_it_cannot_be_told_which_send_was_received():
    story = Story().sent("a", offset=0).sent("b", offset=1).sent("a", offset=2)
    story.received("b", topic="out", offset=0).received("a", topic="out", offset=1)
    assert story.find("reordered", replace(THROUGH, order="offset")).count == 0


# --- inconsistent offsets


def test_inconsistent_when_one_position_shows_two_contents():
    story = delivered("a").received("a", offset=0, content="other")
    found = story.find("inconsistent-offsets")
    assert (found.count, found.severity) == (1, "violation")
    assert [record.preview for record in found.witness] == ["content", "other"]


def test_inconsistent_when_another_record_lies_where_the_send_was_acknowledged():
    story = Story().sent("a", offset=4).received("b", offset=4)
    assert idents(story, "inconsistent-offsets") == ["a", "b"]
    assert "0 of them acknowledged to two sends" in story.find("inconsistent-offsets").summary


def test_inconsistent_when_two_sends_were_acknowledged_at_the_same_offset():
    story = Story().sent("a", offset=4).sent("b", offset=4)
    found = story.find("inconsistent-offsets")
    assert found.count == 1
    assert "1 of them acknowledged to two sends" in found.summary


def test_inconsistent_when_the_same_message_is_acknowledged_twice_at_an_offset():
    story = Story()
    for offset in range(30):
        story.sent("a", offset=offset)
        for _ in range(3):
            story.received("a", offset=offset)
    for offset in range(0, 30, 2):
        story.sent("a", offset=offset)
    assert story.find("inconsistent-offsets").count == 15


def test_consistent_when_all_agree():
    story = delivered("a", "b").received("a", offset=0).received("b", offset=1)
    assert story.find("inconsistent-offsets").count == 0


def test_consistent_across_topics_and_partitions():
    story = Story().sent("a", offset=0).sent("b", partition=1, offset=0)
    story.received("c", topic="out", offset=0).received("d", topic="dead", offset=0)
    story.sent("e", "unknown", offset=0).sent("f", topic="elsewhere", offset=0)
    story.sent("g", topic="elsewhere", offset=0)
    assert story.find("inconsistent-offsets", THROUGH).count == 0


# --- unacknowledged but visible


@pytest.mark.parametrize("status", ["fail", "unknown", None])
def test_unacknowledged_but_visible_is_information(status):
    story = Story().sent("a", status).received("a", offset=0)
    found = story.find("unacknowledged-but-visible")
    assert (found.count, found.severity, found.idents) == (1, "information", ("a",))


def test_unacknowledged_tells_unknown_from_failed():
    story = Story().sent("a", "fail").sent("a", "unknown")
    story.received("a", offset=0).received("a", offset=1)
    found = story.find("unacknowledged-but-visible")
    assert (found.count, found.idents) == (2, ("a",))
    assert "1 with an unknown outcome, 1 reported as failed" in found.summary


def test_not_unacknowledged_when_acknowledged():
    assert delivered("a").find("unacknowledged-but-visible").count == 0


def test_not_visible_when_the_acknowledged_retry_explains_the_reception():
    story = Story().sent("a", "fail").sent("a", offset=0).received("a", offset=0)
    assert story.find("unacknowledged-but-visible").count == 0


# --- conflicting outcomes and misrouted


def test_conflicting_when_received_on_both_topics():
    story = Story().sent("a").received("a", topic="out", offset=0)
    story.received("a", topic="dead", offset=0)
    found = story.find("conflicting-outcomes", THROUGH)
    assert (found.count, found.severity) == (1, "violation")
    assert [record.topic for record in found.witness] == ["in", "out", "dead"]
    assert story.find("misrouted", THROUGH).count == 0


def test_misrouted_when_received_only_where_it_must_not_be():
    story = Story().sent("a").received("a", topic="dead", offset=0)
    assert story.find("misrouted", THROUGH).count == 1
    assert story.find("conflicting-outcomes", THROUGH).count == 0


@pytest.mark.parametrize("name", ["conflicting-outcomes", "misrouted"])
def test_neither_when_each_went_where_it_belongs(name):
    valid = replace(THROUGH, sent_label="valid")
    story = Story().sent("a", label="valid").received("a", topic="out", offset=0)
    story.sent("b", label="invalid").received("b", topic="dead", offset=0)
    assert story.find(name, valid).count == 0


@pytest.mark.parametrize("name", ["conflicting-outcomes", "misrouted"])
def test_neither_when_the_same_ident_was_sent_in_both_classes(name):
    valid = replace(THROUGH, sent_label="valid")
    story = Story().sent("a", label="valid").sent("a", label="invalid")
    story.received("a", topic="out", offset=0).received("a", topic="dead", offset=0)
    assert story.find(name, valid).count == 0


# --- gaps and overlaps at resume


def takeover(*second: int) -> Story:
    """Six records; consumer one reads three of them, consumer two these offsets."""
    story = Story()
    for offset in range(6):
        story.sent(f"m{offset}", offset=offset)
    for offset in range(3):
        story.received(f"m{offset}", offset=offset, client="one")
    for offset in second:
        story.received(f"m{offset}", offset=offset, client="two")
    return story


def test_gap_when_the_next_consumer_starts_too_late():
    found = takeover(5).find("gap-at-resume", GROUP)
    assert (found.count, found.severity) == (2, "violation")
    assert [record.note for record in found.witness] == [
        "the highest until then",
        "left out",
        "left out",
        "the next consumer's first",
    ]


def test_gap_counts_what_was_left_out_at_the_change_and_nothing_else():
    story = Story()
    for offset in range(10):
        story.sent(f"m{offset}", offset=offset)
    for offset in (0, 2):
        story.received(f"m{offset}", offset=offset, client="one")
    for offset in (5, 7):
        story.received(f"m{offset}", offset=offset, client="two")
    found = story.find("gap-at-resume", GROUP)
    assert found.count == 2
    assert found.idents == ("m2", "m3", "m4", "m5")


def test_no_gap_where_another_topic_has_a_record():
    story = Story().sent("a", offset=0).sent("x", topic="other", offset=1).sent("b", offset=2)
    story.received("a", offset=0, client="one").received("b", offset=2, client="two")
    assert story.find("gap-at-resume", GROUP).count == 0


def test_no_gap_between_partitions():
    story = Story()
    for partition in (0, 1):
        for offset in range(4):
            story.sent(f"m{partition}-{offset}", partition=partition, offset=offset)
    for offset in (0, 1):
        story.received(f"m0-{offset}", partition=0, offset=offset, client="one")
    for offset in (2, 3):
        story.received(f"m1-{offset}", partition=1, offset=offset, client="two")
    assert story.find("gap-at-resume", GROUP) == nothing("gap-at-resume")


def test_gap_when_only_another_reader_saw_the_record():
    def story(*watched: int) -> Story:
        told = Story()
        for offset in watched:
            told.received(f"m{offset}", offset=offset, client="watcher")
        told.received("m0", offset=0, client="one")
        return told.received("m2", offset=2, client="two")

    assert story().find("gap-at-resume", GROUP).count == 0
    found = story(1).find("gap-at-resume", GROUP)
    assert found.count == 1
    assert [record.client for record in found.witness] == ["one", "watcher", "two"]


def test_no_gap_when_the_next_consumer_goes_on_or_goes_back():
    assert takeover(3, 4, 5).find("gap-at-resume", GROUP) == nothing("gap-at-resume")
    assert takeover(1, 2, 3, 4, 5).find("gap-at-resume", GROUP).count == 0


def test_no_gap_where_offsets_have_a_hole():
    story = Story().sent("a", offset=0).sent("b", offset=2)
    story.received("a", offset=0, client="one").received("b", offset=2, client="two")
    assert story.find("gap-at-resume", GROUP).count == 0


def test_no_gap_when_the_group_made_up_for_it():
    assert takeover(5, 3, 4).find("gap-at-resume", GROUP).count == 0


def test_overlap_when_the_next_consumer_repeats_records():
    found = takeover(1, 2, 3).find("overlap-at-resume", GROUP)
    assert (found.count, found.severity) == (2, "information")
    assert [record.client for record in found.witness] == ["one", "two"] * 2


def test_no_overlap_when_the_next_consumer_goes_on():
    assert takeover(3, 4, 5).find("overlap-at-resume", GROUP).count == 0


def test_no_overlap_when_a_consumer_repeats_its_own_or_another_reader_reads():
    story = takeover(3, 4, 5).received("m0", offset=0, client="watcher")
    story.received("m5", offset=5, client="two")
    assert story.find("overlap-at-resume", GROUP).count == 0


# --- all of them


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_copes_with_an_empty_history(name):
    flow = replace(GROUP, exclusive_topics=("dead",))
    assert Story().find(name, flow).count == 0


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_finds_nothing_in_a_clean_history(name):
    flow = replace(
        GROUP, exclusive_topics=("dead",), group_clients=("consumer",),
        settled=name != "outstanding",
    )  # fmt: skip
    assert delivered(*"abcdefgh").find(name, flow) == nothing(name)


def test_only_the_clients_in_scope_count():
    flow = replace(DIRECT, scope_clients=("producer", "consumer"))
    story = delivered("a").received("a", offset=0, client="watcher").sent("b", client="other")
    assert check_flow(story.history, flow).anomalies == ()
    assert not check_flow(story.history, replace(flow, scope_clients=None)).ok


def test_witnesses_have_at_most_32_records():
    story = Story()
    for i in range(100):
        story.sent(f"m{i}", offset=i)
        for _ in range(10):
            story.received(f"m{i}", offset=i)
    found = story.find("duplicated")
    assert (found.count, len(found.witness)) == (900, 32)
    assert found.witness[4].note == "and 6 more of this message"


def test_percentages_say_100_only_of_what_is_complete():
    assert percentage(1.0) == "100.00%"
    assert percentage(999_999 / 1_000_000) == "99.99%"
    assert [percentage(i / 100) for i in range(100)] == [f"{i}.00%" for i in range(100)]
