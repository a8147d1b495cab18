"""Waiting for a system: all there, late, stalled, lost, dead, or not to be settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from stackproof.polling import DeadlineExceeded, Died, Late, Progress, Stalled, pause, work_off
from stackproof.systems.settling import Awaited, Ended, Waiting

LIVES: Callable[[], str | None] = lambda: None  # noqa: E731


def ended(
    counts: Iterator[int],
    *,
    wanted: int = 10,
    within: float = 0.6,
    uncommitted: Callable[[], int | None] = lambda: 5,
    death: Callable[[], str | None] = LIVES,
    extinct: bool = False,
    drained: list[str] | None = None,
) -> Ended:
    def count() -> int:
        pause(0.01)
        return next(counts)

    drained = [] if drained is None else drained
    waiting = Waiting(
        death, lambda: extinct, uncommitted, lambda: drained.append("drained"),
        stalled_after=0.4, quiet=0.3,
    )  # fmt: skip
    awaited = Awaited("output", wanted, count, lambda n: f"{n} of {wanted} outputs")
    return waiting.wait(awaited, within=within)


def slowly(until: int = 10**6) -> Iterator[int]:
    return chain(range(until), repeat(until))


def test_all_there() -> None:
    assert ended(iter([3, 10])) == Ended(10)


def test_late_while_it_is_getting_on() -> None:
    end = ended(slowly(), wanted=1000)
    assert isinstance(end.error, Late) and not end.settled
    assert str(end.error).startswith("late: ") and "of 1000 outputs after 0.6 s" in str(end.error)
    assert ", still getting on, " in str(end.error) and " a second: all after " in str(end.error)


def test_stalled_when_nothing_more_comes_and_work_is_left() -> None:
    end = ended(chain([1, 2, 3], repeat(4)))
    assert isinstance(end.error, Stalled) and not end.settled
    assert "stalled: 4 of 10 outputs after 0.6 s, nothing more for the last" in str(end.error)


def test_a_system_that_never_began_is_stalled() -> None:
    assert isinstance(ended(repeat(0)).error, Stalled)


def test_settled_at_once_when_all_is_committed_and_drained() -> None:
    drained: list[str] = []
    end = ended(chain([1, 2], repeat(9)), within=60, uncommitted=lambda: 0, drained=drained)
    assert (end.error, end.settled, end.count) == (None, True, 9)
    assert drained and "committed its whole input" in end.why


def test_what_is_committed_early_and_still_coming_is_not_settled() -> None:
    end = ended(chain(range(10), repeat(9, 5), repeat(10)), within=60, uncommitted=lambda: 0)
    assert (end.error, end.count) == (None, 10)


def test_what_the_drain_brings_counts() -> None:
    drained: list[str] = []
    counts = iter(lambda: 10 if drained else 9, None)
    assert ended(counts, within=60, uncommitted=lambda: 0, drained=drained).count == 10


def test_what_the_drain_brings_may_have_more_put_in() -> None:
    """More keeps arriving as outputs come: when the drain brings some, that was not all."""
    drained: list[str] = []
    counts = chain(iter(lambda: 7 if drained else 6, 7), repeat(7, 5), repeat(10))
    left = lambda: len(drained)  # noqa: E731 -- what is put in then is not committed
    end = ended(counts, within=60, uncommitted=left, drained=drained)
    assert (end.error, end.count) == (None, 10)


def test_settled_shortly_after_the_limit_is_settled() -> None:
    end = ended(chain(range(8), repeat(8)), within=0.09, uncommitted=lambda: 0)
    assert (end.error, end.settled) == (None, True)


def test_what_comes_only_after_the_limit_is_late() -> None:
    end = ended(chain(repeat(3, 10), repeat(10)), within=0.05, uncommitted=lambda: 0)
    assert isinstance(end.error, Late) and end.count == 10


def test_dead_for_good_is_settled_and_a_death_beside_others_is_not() -> None:
    for extinct in (True, False):
        end = ended(repeat(4), death=lambda: "it ended", extinct=extinct)
        assert isinstance(end.error, Died) and end.settled is extinct


@pytest.mark.parametrize("counts", [repeat(4), slowly()])
def test_without_a_group_it_cannot_be_settled(counts: Iterator[int]) -> None:
    end = ended(counts, wanted=1000, uncommitted=lambda: None)
    assert isinstance(end.error, Late) and not end.settled
    assert "late: cannot be settled: " in str(end.error)


def test_working_off_tells_late_from_stalled() -> None:
    left = iter(range(10**6, 0, -1))
    with pytest.raises(Late, match="late: 99"):
        work_off(lambda: next(left), within=0.05, awaiting="the end")
    with pytest.raises(Stalled, match="stalled: 3 after"):
        work_off(lambda: 3, within=0.05, awaiting="the end")
    assert issubclass(Late, DeadlineExceeded) and issubclass(Stalled, DeadlineExceeded)


def test_getting_more_again_is_no_progress() -> None:
    progress = Progress(stalled_after=0.02)
    for left in (5, 4, 6, 5):
        progress.note(left)
        pause(0.02)
    assert progress.idle >= 0.06


def test_what_is_awaited_is_told_in_its_own_plural() -> None:
    def none() -> int:
        return 0

    assert str(Awaited("rating", 2, none, str)) == "2 ratings"
    assert str(Awaited("entry", 2, none, str, "entries")) == "2 entries"
    assert str(Awaited("entry", 1, none, str, "entries")) == "1 entry"
