"""The checks on logs, polls and transactions: the cases, and what they say beyond them."""

from dataclasses import replace

import pytest

from stackproof.history import CHECKS, check_flow
from tests.history.cases import CALLS, CASES, READ, in_transaction, sent, uneven
from tests.history.story import DIRECT, THROUGH, Story, delivered

CLEAN = [(name, number) for name in CASES for number in range(2)]


@pytest.mark.parametrize("name", CASES)
def test_found_with_a_witness_where_it_is(name):
    case = CASES[name]
    found = case.violating().find(name, case.flow)
    assert (found.count, found.severity, found.idents) == (case.count, case.severity, case.idents)
    assert 0 < len(found.witness) <= 4
    assert CHECKS[name].applies(case.flow)


@pytest.mark.parametrize(("name", "number"), CLEAN)
def test_not_found_where_it_is_not(name, number):
    assert CASES[name].clean[number]().find(name, CASES[name].flow).count == 0


def test_there_are_as_many_checks_as_promised():
    assert len(CHECKS) >= 26
    assert set(CASES) == set(CHECKS)


# --- loss


def test_unseen_without_a_final_drain_proves_nothing():
    found = sent("a", "b").received("a", offset=0).find("unseen")
    assert (found.count, found.severity) == (1, "information")
    assert "no final drain proves that they are lost" in found.summary


def test_unseen_is_proven_for_what_was_answered_before_the_drain_only():
    story = sent("a", "b").drained(("a", 0), end=1).sent("c", offset=2)
    found = story.find("unseen")
    assert (found.count, found.severity, found.idents) == (2, "violation", ("b", "c"))
    assert "1 of them missing from a final drain" in found.summary


def test_what_was_removed_before_the_drain_is_not_proven_to_be_lost():
    assert sent("a").drained(begin=1).find("unseen").severity == "information"


def test_unseen_of_a_pipeline_is_what_its_drained_output_does_not_hold():
    story = sent("a", "b").drained(("a", 0), topic="out")
    assert story.find("unseen", THROUGH).severity == "violation"
    assert story.find("unseen", THROUGH).idents == ("b",)
    assert not CHECKS["lost-write"].applies(THROUGH)


def test_a_drain_adds_what_nobody_received_and_repeats_nothing():
    story = sent("a", "b").polled("one", ("a", 0)).drained(("a", 0), ("b", 1))
    verdict = check_flow(story.history, DIRECT)
    assert verdict.ok and verdict.drained and verdict.conclusive
    assert "final drain: yes" in verdict.explain()
    assert (verdict.figures.received, verdict.figures.duplicated) == (2, 0)
    assert story.received("a", offset=0).find("duplicated").count == 1


def test_two_drains_repeat_nothing_either():
    story = sent("a").drained(("a", 0)).drained(("a", 0), client="second")
    assert check_flow(story.history, DIRECT).ok


def test_aborted_records_do_not_vanish_for_a_reader_of_committed_ones():
    story = in_transaction("a", end="abort").polled("uncommitted", ("a", 0)).drained()
    assert story.find("vanished").count == 0


# --- transactions


@pytest.mark.parametrize(
    ("end", "status", "lost", "severity"),
    [
        ("commit", "ok", 1, "violation"),
        ("commit", "unknown", 0, ""),
        ("commit", None, 0, ""),
        ("commit", "fail", 0, ""),
        ("abort", "ok", 0, ""),
        ("", None, 0, ""),
    ],
)
def test_only_committed_sends_can_be_lost(end, status, lost, severity):
    found = in_transaction("a", end=end, status=status).drained().find("lost")
    assert found.count == lost
    assert not severity or found.severity == severity


@pytest.mark.parametrize(
    ("end", "status", "name"),
    [
        ("commit", "fail", "aborted-read"),
        ("abort", "ok", "aborted-read"),
        ("abort", "unknown", "aborted-read"),
        ("abort", None, "aborted-read"),
        ("", None, "precommitted-read"),
    ],
)
def test_what_was_never_committed_must_not_be_seen(end, status, name):
    story = in_transaction("a", end=end, status=status).polled("reader", ("a", 0))
    names = [found.name for found in check_flow(story.history, DIRECT).violations]
    assert names == [name]


def test_unknown_commits_that_are_seen_count_as_committed():
    story = in_transaction("a", "b", status="unknown").drained(("a", 0), ("b", 1))
    verdict = check_flow(story.history, DIRECT)
    assert verdict.ok
    assert (verdict.figures.recovered, verdict.figures.acknowledged) == (2, 0)


def test_a_failed_send_that_is_seen_is_an_aborted_read_unless_another_send_explains_it():
    story = Story().sent("a", "fail").received("a", offset=0)
    assert story.find("aborted-read").idents == ("a",)
    assert story.sent("a", offset=0).find("aborted-read").count == 0


def test_an_aborted_record_is_recognised_by_its_position_even_if_it_was_sent_again():
    story = in_transaction("a", end="abort").sent("a", offset=7)
    assert story.polled("reader", ("a", 7)).find("aborted-read").count == 0
    assert story.polled("reader", ("a", 0)).find("aborted-read").count == 1


def test_an_output_from_an_aborted_input_is_an_aborted_read():
    story = in_transaction("a", end="abort").polled("reader", ("a", 0), topic="out")
    assert story.find("aborted-read", THROUGH).idents == ("a",)


def test_the_witness_says_what_became_of_the_transaction():
    for end, status, words in (
        ("abort", "ok", "ok, transaction aborted"),
        ("commit", "fail", "ok, transaction commit fail"),
    ):
        story = in_transaction("a", end=end, status=status).polled("reader", ("a", 0))
        assert story.find("aborted-read").witness[0].outcome == words


def test_torn_looks_at_all_drained_topics():
    story = Story()
    number = story.begun()
    story.sent("a", offset=0, transaction=number)
    story.sent("b", offset=0, topic="out", transaction=number).ended(number, "commit")
    story.drained(("a", 0))
    assert story.find("torn-transaction").count == 0
    story.drained(topic="out", client="second")
    assert story.find("torn-transaction").count == 1


# --- polls


def test_a_reader_of_committed_records_skips_aborted_ones():
    story = Story().consumer("reader", **READ).sent("a", offset=0)
    number = story.begun()
    story.sent("b", offset=1, transaction=number).ended(number, "abort").sent("c", offset=2)
    story.polled("uncommitted", ("a", 0), ("b", 1), ("c", 2))
    story.polled("reader", ("a", 0), ("c", 2))
    assert story.find("int-poll-skip").count == 0
    assert story.polled("other", ("a", 0), ("c", 2)).find("int-poll-skip").count == 1


def test_what_a_final_drain_proves_to_be_lost_cannot_have_been_skipped():
    story = sent(*"abc").polled("one", ("a", 0), ("c", 2))
    assert story.find("int-poll-skip").count == 1
    assert story.drained(("a", 0), ("c", 2)).find("int-poll-skip").count == 0
    assert story.find("lost-write").idents == ("b",)


def test_partitions_and_consumers_are_looked_at_apart():
    story = sent(*"abc").polled("one", ("a", 0)).polled("two", ("c", 2))
    story.polled("one", ("x", 9), partition=1).polled("one", ("b", 1), ("c", 2))
    for name in ("poll-skip", "nonmonotonic-poll", "int-poll-skip", "int-nonmonotonic-poll"):
        assert story.find(name).count == 0, name


def test_a_rebalance_of_one_partition_excuses_no_other():
    story = sent(*"abc").polled("one", ("a", 0))
    story.history.assignment("one", "assigned", [("in", 1), ("out", 0)])
    assert story.polled("one", ("c", 2)).find("poll-skip").count == 1


def test_what_was_recorded_without_polls_is_not_judged_by_them():
    story = delivered(*"abc").received("a", offset=0)
    assert story.find("nonmonotonic-poll").count == 0


# --- sends


def test_sends_to_other_partitions_or_by_others_may_have_any_offset():
    story = uneven(1).sent("x", offset=0, client="another").sent("y", partition=1, offset=0)
    assert story.find("nonmonotonic-send", CALLS).count == 0
    assert not CHECKS["nonmonotonic-send"].applies(DIRECT)
    assert CHECKS["nonmonotonic-send"].applies(replace(DIRECT, guarantee="idempotent"))
