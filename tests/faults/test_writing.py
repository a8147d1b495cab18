"""A client that writes while something is broken finds out what was lost, and how long it took."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from stackproof.errors import PremiseNotMet
from stackproof.faults.fault import Fault, Proof
from stackproof.faults.words import Workload
from stackproof.faults.writing import Writing
from stackproof.history import Expectation, check
from stackproof.polling import DeadlineExceeded
from stackproof.services import service
from tests.faults.test_fault import Session


class Store:
    """Keeps what is written to it, unless the test says otherwise."""

    through = "server"

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.down = self.deaf = self.closed = False

    def write(self, text: str) -> None:
        if self.down:
            raise OSError("down")
        if not self.deaf:
            self.texts.append(text)

    def kept(self) -> list[str]:
        return self.texts

    def close(self) -> None:
        self.closed = True


class Breaking(Fault):
    """Does to the store what the test says."""

    kind: ClassVar[str] = "test"
    target = "server"
    node = "server"
    serves = False

    def __init__(self, session: Any, store: Store, **what: Any):
        super().__init__(session)
        self.store, self.what = store, what

    def _inject(self) -> None:
        self.store.down = self.what.get("down", True)
        self.store.texts = self.store.texts[self.what.get("losing", 0) :]

    def _mend(self) -> None:
        self.store.down = False

    def _felt(self) -> Proof:
        return Proof("felt")

    _gone = _felt


class Scenario(Session):
    """As much of a scenario as writing uses."""

    def assert_history(self, expectation: Expectation) -> Any:
        verdict = check(self.history, expectation)
        assert verdict.ok, verdict.explain()
        if verdict.inconclusive:
            raise PremiseNotMet(verdict.inconclusive)
        return verdict

    def own(self, name: str) -> str:
        return name

    def endpoint(self, name: str) -> None:
        return None

    def scaled(self, seconds: float) -> float:
        return seconds / 20


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    monkeypatch.setattr(type(service("redis")), "writer", lambda *_, **__: made)
    return made


@pytest.fixture
def session() -> Any:
    return Scenario()


@pytest.fixture
def writing(session: Any, store: Store) -> Writing:
    return Writing(session, Workload("redis"))


def test_all_that_was_acknowledged_is_kept(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store))  # type: ignore[arg-type]
    assert writing.assert_kept().ok
    assert len(writing.acknowledged) < writing.tried
    assert 0 <= writing.recovery < 5
    session.end()
    assert store.closed


def test_one_that_is_lost_is_found(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store, losing=1))  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="text-000001"):
        writing.assert_kept()
    session.end()


def test_a_loss_that_is_to_be_found(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store, losing=1))  # type: ignore[arg-type]
    assert writing.assert_lost().ok
    session.end()


def test_a_loss_that_does_not_come(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store))  # type: ignore[arg-type]
    with pytest.raises(PremiseNotMet, match="lost"):
        writing.assert_lost()
    session.end()


def test_what_is_twice_beside_an_allowed_loss(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store, losing=1))  # type: ignore[arg-type]
    store.texts.append("text-000002")
    with pytest.raises(AssertionError, match="text-000002"):
        writing.lost(60)
    session.end()


def test_one_that_is_there_twice_is_found(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store))  # type: ignore[arg-type]
    store.texts.append("text-000002")
    with pytest.raises(AssertionError, match="text-000002"):
        writing.assert_kept()
    session.end()


def test_one_that_nobody_wrote_is_found(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store))  # type: ignore[arg-type]
    store.texts.append("another")
    with pytest.raises(AssertionError, match="another"):
        writing.assert_kept()
    session.end()


def test_a_memory_that_was_lost(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store, losing=10_000))  # type: ignore[arg-type]
    assert writing.still_there() == []
    session.end()


def test_a_memory_of_which_something_is_left(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store, losing=5))  # type: ignore[arg-type]
    assert "text-000010" in writing.still_there()
    session.end()


def test_what_is_lost_after_a_memory_was(writing: Writing, session: Any, store: Store) -> None:
    writing.while_broken(Breaking(session, store, losing=10_000))  # type: ignore[arg-type]
    writing.finish()
    store.texts = store.texts[:-1]
    with pytest.raises(AssertionError, match="1 write acknowledged after the healing"):
        writing.still_there()
    session.end()


def test_a_node_beside_must_not_stop_it(writing: Writing, session: Any, store: Store) -> None:
    fault = Breaking(session, store)
    fault.node = "another"
    with pytest.raises(DeadlineExceeded, match="more writes to be acknowledged during the test"):
        writing.while_broken(fault)  # type: ignore[arg-type]
    session.end()
