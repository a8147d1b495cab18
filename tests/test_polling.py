"""The one place that waits, on a clock that only moves when it sleeps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof import polling
from stackproof.polling import DeadlineExceeded, Died, poll


class Clock:
    """Time that passes by sleeping, and by what attempts cost."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        # A real clock never stands still, not even during a sleep of nothing.
        self.now += max(seconds, 1e-9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(polling, "time", clock)
    return clock


def true_from(clock: Clock, moment: float) -> Callable[[], bool]:
    start = clock.now
    return lambda: clock.now - start >= moment


def test_returns_the_first_result_that_satisfies(clock: Clock) -> None:
    results = iter([1, 5, 12, 13])
    found = poll(lambda: next(results), until=lambda n: n > 10, within=5, awaiting="more than 10")
    assert found == 12


def test_an_attempt_is_made_even_without_time(clock: Clock) -> None:
    assert poll(lambda: "at once", within=0, awaiting="it") == "at once"
    assert clock.pauses == []


def test_the_last_attempt_at_the_deadline_counts(clock: Clock) -> None:
    poll(true_from(clock, 2.0), within=2, awaiting="the last moment")
    assert clock.now == pytest.approx(1002.0)


def test_what_comes_after_the_deadline_does_not_count(clock: Clock) -> None:
    with pytest.raises(DeadlineExceeded):
        poll(true_from(clock, 2.01), within=2, awaiting="more")
    assert clock.now == pytest.approx(1002.0)  # nor was waited longer


def test_a_slow_attempt_is_followed_by_one_at_the_deadline(clock: Clock) -> None:
    begun = []

    def slow() -> bool:
        begun.append(clock.now)
        clock.now += 3
        return False

    with pytest.raises(DeadlineExceeded):
        poll(slow, within=2, awaiting="a slow one")
    assert len(begun) == 2


def test_tells_what_was_awaited_and_last_seen(clock: Clock) -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        poll(
            lambda: [7, 8],
            until=lambda seen: len(seen) == 3,
            within=1.5,
            awaiting="3 records",
            describe=lambda seen: f"{len(seen)} records",
        )
    assert str(caught.value).startswith(
        "waited 1.5 s for 3 records\n  last seen: 2 records (after "
    )
    assert caught.value.seen == [7, 8]
    assert isinstance(caught.value, AssertionError)  # a verdict, not a crash of the suite


def test_tells_the_last_exception(clock: Clock) -> None:
    def refused() -> bool:
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(DeadlineExceeded, match="ConnectionRefusedError: nobody listens") as caught:
        poll(refused, within=1, awaiting="an answer", retry_on=(OSError,))
    assert isinstance(caught.value.seen, ConnectionRefusedError)


def test_retries_on_the_named_exceptions_only(clock: Clock) -> None:
    tries = iter([OSError("not yet"), None, OSError("never seen")])

    def attempt() -> str:
        error = next(tries)
        if error:
            raise error
        return "there"

    assert poll(attempt, within=5, awaiting="it", retry_on=(OSError,)) == "there"


def test_other_exceptions_propagate_at_once(clock: Clock) -> None:
    calls = []

    def broken() -> bool:
        calls.append(1)
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        poll(broken, within=5, awaiting="it", retry_on=(OSError,))
    assert calls == [1]


def test_ends_early_when_the_awaited_has_died(clock: Clock) -> None:
    attempts = []

    def dead() -> str | None:
        return "it ended with exit code 3" if len(attempts) >= 2 else None

    def attempt() -> bool:
        attempts.append(1)
        return False

    with pytest.raises(
        Died, match=r"\Ait ended with exit code 3\n  waited for it; last seen: False"
    ):
        poll(attempt, within=3600, awaiting="it", alive=dead)
    # Two while it lived; one more, because what it did before it died still counts.
    assert len(attempts) == 3
    assert clock.now < 1001


def test_what_it_did_before_it_died_counts(clock: Clock) -> None:
    lives = True

    def attempt() -> bool:
        nonlocal lives
        was_alive, lives = lives, False
        return not was_alive

    poll(attempt, within=5, awaiting="it", alive=lambda: None if lives else "gone")


def test_a_retried_exception_is_shown_with_a_death(clock: Clock) -> None:
    def refused() -> bool:
        raise OSError("refused")

    with pytest.raises(Died, match="OSError: refused"):
        poll(refused, within=5, awaiting="it", alive=lambda: "it is gone", retry_on=(OSError,))


def test_pauses_grow_up_to_a_bound(clock: Clock) -> None:
    with pytest.raises(DeadlineExceeded):
        poll(lambda: False, within=20, awaiting="it", first_pause=0.1, longest_pause=2, backoff=2)
    assert clock.pauses[:6] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0])
    assert clock.pauses[6:-1] == pytest.approx([2.0] * (len(clock.pauses) - 7))
    assert clock.pauses[-1] <= 2.0


@given(
    within=st.floats(0, 1000),
    first=st.floats(0.001, 5),
    longest=st.floats(0.01, 5),
    backoff=st.floats(1, 10),
    cost=st.floats(0, 3),
)
def test_never_waits_beyond_bound_and_deadline(
    within: float, first: float, longest: float, backoff: float, cost: float
) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polling, "time", clock)
        begun = []

        def attempt() -> bool:
            begun.append(clock.now)
            clock.now += cost
            return len(begun) > 300

        try:
            poll(attempt, within=within, awaiting="it", first_pause=first,
                 longest_pause=longest, backoff=backoff)  # fmt: skip
        except DeadlineExceeded:
            assert begun[-1] >= 1000 + within  # the last attempt was not made too early
    assert all(0 <= pause <= longest for pause in clock.pauses)
    # No attempt begins later than the deadline, but for one that was running at it.
    assert begun[-1] <= 1000 + within + cost + 1e-6


@pytest.mark.parametrize(("lives", "looks"), [(2, 3), (100, 4)])
def test_a_life_is_watched_until_its_end_or_for_too_long(
    clock: Clock, lives: int, looks: int
) -> None:
    seen: list[float] = []

    def there() -> bool:
        seen.append(clock.now)
        return len(seen) <= lives

    polling.watch_life(there, 1.0, late=1.0, pace=1.0)
    assert len(seen) == looks
