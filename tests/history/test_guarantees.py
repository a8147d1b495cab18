"""What guarantees allow and scenarios expect, and when a verdict proves nothing."""

from dataclasses import replace

import pytest

from stackproof.history import CHECKS, GUARANTEES, Flow, check_flow, render_check, save
from tests.history.cases import in_transaction, sent
from tests.history.story import DIRECT, Story, delivered


def severities(story: Story, flow: Flow) -> dict[str, str]:
    return {found.name: found.severity for found in check_flow(story.history, flow).anomalies}


def lossy() -> Story:
    """The second of three records is lost."""
    return sent(*"abc").polled("one", ("a", 0), ("c", 2)).drained(("a", 0), ("c", 2))


def repeating() -> Story:
    """The first of two records is stored again, and the second delivered again."""
    return delivered("a", "b").received("a", offset=2).received("b", offset=1)


@pytest.mark.parametrize(
    ("guarantee", "loses", "repeats", "redelivers"),
    [
        (None, False, False, False),
        ("at-most-once", True, False, False),
        ("at-least-once", False, True, True),
        ("idempotent", False, False, True),
        ("exactly-once", False, False, False),
    ],
)
def test_each_guarantee_allows_what_it_says(guarantee, loses, repeats, redelivers):
    flow = replace(DIRECT, guarantee=guarantee)
    assert check_flow(lossy().history, flow).ok == loses
    assert check_flow(repeating().history, flow).ok == repeats
    again = delivered("a").received("a", offset=0)
    assert check_flow(again.history, flow).ok == redelivers
    assert check_flow(delivered("a", "b").history, flow).ok


def test_what_is_allowed_is_still_told():
    flow = replace(DIRECT, guarantee="at-most-once")
    assert severities(lossy(), flow) == {"lost": "allowed", "lost-write": "allowed"}
    text = check_flow(lossy().history, flow).explain()
    assert "lost: (allowed by at-most-once) 1 of 3 acknowledged messages" in text


def test_no_guarantee_allows_aborted_reads_or_other_contents():
    never = {"aborted-read", "precommitted-read", "torn-transaction", "corrupted", "unexpected",
             "inconsistent-offsets", "vanished", "int-nonmonotonic-poll"}  # fmt: skip
    for guarantee in GUARANTEES.values():
        assert set(guarantee.allows) <= set(CHECKS) - never, guarantee.name
        assert guarantee.meaning


def test_however_much_is_allowed_a_bound_holds():
    story = delivered("a").received("a", offset=0).received("a", offset=0)
    flow = replace(DIRECT, guarantee="at-least-once")
    assert check_flow(story.history, replace(flow, max_duplicates=2)).ok
    assert not check_flow(story.history, replace(flow, max_duplicates=1)).ok


def test_an_expected_loss_must_be_found():
    flow = replace(DIRECT, guarantee="at-most-once", expected=("lost",), drained=True)
    verdict = check_flow(lossy().history, flow)
    assert verdict.ok and verdict.conclusive and not verdict.missing
    assert "lost: (expected)" in verdict.explain()
    lucky = delivered("a", "b").drained(("a", 0), ("b", 1))
    verdict = check_flow(lucky.history, flow)
    assert verdict.ok and not verdict.conclusive
    assert verdict.missing == ("lost",)
    assert verdict.headline() == "delivery: expected, but not found: lost"
    assert verdict.as_dict()["missing"] == ["lost"]


def test_what_is_neither_expected_nor_allowed_is_a_violation():
    story = lossy().received("a", offset=9)
    flow = replace(DIRECT, expected=("lost", "lost-write"))
    assert severities(story, flow)["stored-twice"] == "violation"
    assert severities(lossy(), replace(DIRECT, allowed=("lost", "lost-write"))) == {
        "lost": "allowed", "lost-write": "allowed",
    }  # fmt: skip


def test_without_the_final_drain_that_is_asked_for_nothing_is_proved():
    flow = replace(DIRECT, drained=True)
    verdict = check_flow(delivered("a").history, flow)
    assert verdict.ok and not verdict.conclusive
    assert verdict.inconclusive == 'no final drain of "in" took place'
    assert "final drain: none" in verdict.explain()
    assert not check_flow(delivered("a").drained(("a", 0), topic="out").history, flow).conclusive
    assert check_flow(delivered("a").drained(("a", 0)).history, flow).conclusive


def test_a_saved_history_that_proves_nothing_does_not_pass(tmp_path):
    story = delivered("a")
    story.history.expect(replace(DIRECT, expected=("lost",)))
    text, fine = render_check(save(story.history, tmp_path / "h.npz"))
    assert not fine
    assert "INCONCLUSIVE  delivery: expected, but not found: lost" in text


def test_exactly_once_with_transactions():
    flow = replace(DIRECT, guarantee="exactly-once", drained=True)
    good = in_transaction("a", "b").drained(("a", 0), ("b", 1))
    assert check_flow(good.history, flow).ok
    aborted = in_transaction("a", end="abort").sent("b", offset=1).drained(("b", 1))
    verdict = check_flow(aborted.history, flow)
    assert verdict.ok and verdict.conclusive
    assert verdict.figures.failed == 1


def test_a_flow_refuses_guarantees_and_anomalies_that_nobody_knows():
    with pytest.raises(ValueError, match="guarantee is one of at-most-once"):
        Flow("f", "a", "b", guarantee="always")
    with pytest.raises(ValueError, match="unknown anomaly: loss"):
        check_flow(delivered("a").history, replace(DIRECT, expected=("loss",)))
    with pytest.raises(ValueError, match="unknown anomaly: losses"):
        check_flow(delivered("a").history, replace(DIRECT, allowed=("losses",)))
    with pytest.raises(ValueError, match="not looked for: misrouted"):
        check_flow(delivered("a").history, replace(DIRECT, expected=("misrouted",)))


def test_lag_is_the_time_from_the_acknowledgement_to_the_poll():
    story = sent("a", "b", "c").polled("one", ("a", 0)).polled("one", ("b", 1))
    figures = check_flow(story.history, DIRECT).figures
    # Milliseconds: acknowledged at 2, 4 and 6; handed over at 9 and 12; the third never was.
    assert figures.lag_worst == pytest.approx(0.008, abs=1e-5)
    assert figures.lag_final == 1
    figures = check_flow(story.drained(("c", 2)).history, DIRECT).figures
    assert figures.lag_final == 1
    assert (
        "lag: 0.008 s at worst, 1 message at the end" in check_flow(story.history, DIRECT).explain()
    )
    assert check_flow(delivered("a").history, DIRECT).figures.lag_worst is None


def test_accounting_tells_redelivery_from_storing_twice():
    figures = check_flow(repeating().history, DIRECT).figures
    assert (figures.stored_twice, figures.redelivered, figures.duplicated) == (1, 1, 2)
    assert (figures.acknowledged, figures.arrived, figures.lost) == (2, 2, 0)
    assert figures.found["stored-twice"] == 1
