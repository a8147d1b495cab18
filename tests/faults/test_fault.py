"""What every fault promises, with faults that break nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from stackproof.errors import NoEffect
from stackproof.faults.fault import Fault, NotHealed, Proof
from stackproof.history import History
from stackproof.polling import DeadlineExceeded


class Session:
    """As much of a scenario as a fault uses."""

    def __init__(self) -> None:
        self.history = History("test")
        self.figures: dict[str, str] = {}
        self.cleanups: list[Callable[[], None]] = []

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        self.cleanups.append(cleanup)

    def figure(self, name: str, value: str) -> None:
        self.figures[name] = value

    def end(self) -> None:
        while self.cleanups:
            self.cleanups.pop()()

    def told(self) -> list[tuple[str, str]]:
        return [(event.kind, event.text) for event in self.history.snapshot().events]


class Pretended(Fault):
    """Notes what is done to it; fails where it is told to."""

    kind: ClassVar[str] = "test"
    target = "nothing"

    def __init__(self, session: Any, *, failing: str = ""):
        super().__init__(session)
        self.session = session
        self.failing = failing
        self.done: list[str] = []

    def _do(self, what: str, error: Exception) -> None:
        self.done.append(what)
        if self.failing == what:
            raise error

    def _inject(self) -> None:
        assert self.session.cleanups, "the healing is not registered when it breaks"
        self._do("inject", OSError("cannot"))

    def _mend(self) -> None:
        self._do("mend", OSError("cannot mend"))

    def _felt(self) -> Proof:
        self._do("felt", DeadlineExceeded("nothing was felt", None))
        return Proof("felt it", {"ms": 3})

    def _gone(self) -> Proof:
        self._do("gone", DeadlineExceeded("it is still there", None))
        return Proof("as before")


@pytest.fixture
def session() -> Session:
    return Session()


def test_both_proofs_stand_in_the_history(session: Session) -> None:
    with Pretended(session) as fault:
        assert fault.active
    assert fault.done == ["inject", "felt", "mend", "gone"]
    assert session.told() == [
        ("effect", "test of nothing: felt it"),
        ("fault", "test of nothing"),
        ("healing", "test of nothing: as before"),
    ]
    effect, span, _ = session.history.snapshot().events
    assert effect.detail["ms"] == 3
    assert span.until is not None and span.until >= span.at
    assert {"test of nothing felt after", "test of nothing healed after"} == set(session.figures)


def test_a_fault_without_effect_is_an_error_and_healed_all_the_same(session: Session) -> None:
    fault = Pretended(session, failing="felt")
    with pytest.raises(NoEffect, match=r"^premise: .* had no effect\n  why: nothing was felt"):
        fault.begin()
    session.end()
    assert fault.done == ["inject", "felt", "mend", "gone"]


def test_a_healing_that_never_comes_is_an_error(session: Session) -> None:
    fault = Pretended(session, failing="gone")
    with pytest.raises(NotHealed, match="never came\nit is still there"), fault:
        pass
    assert ("fault", "test of nothing: never healed") in session.told()


def test_what_could_be_broken_half_way_only_is_healed(session: Session) -> None:
    fault = Pretended(session, failing="inject")
    with pytest.raises(OSError, match="cannot"):
        fault.begin()
    session.end()
    assert fault.done == ["inject", "mend", "gone"]


def test_what_is_left_broken_is_healed_at_the_end_and_told(session: Session) -> None:
    fault = Pretended(session).begin()
    session.end()
    assert not fault.active
    assert ("note", "test of nothing: healed only by the scenario's end") in session.told()


def test_a_healing_that_fails_at_the_end_is_not_silent(session: Session) -> None:
    Pretended(session, failing="gone").begin()
    with pytest.raises(NotHealed):
        session.end()


def test_it_is_healed_once(session: Session) -> None:
    with Pretended(session) as fault:
        fault.heal()
    session.end()
    assert fault.done.count("mend") == 1


def test_it_can_be_had_once(session: Session) -> None:
    with Pretended(session) as fault:
        pass
    with pytest.raises(ValueError, match="begun before"):
        fault.begin()


def test_the_scenarios_own_error_stays_the_first(session: Session) -> None:
    fault = Pretended(session, failing="gone")
    with pytest.raises(AssertionError, match="of the scenario") as caught, fault:
        raise AssertionError("of the scenario")
    assert "never came" in "".join(caught.value.__notes__)
