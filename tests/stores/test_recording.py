"""What transactions read and set is told as operations on registers. Without a server."""

from __future__ import annotations

from stackproof.history import History, Registers, check
from stackproof.services.postgresql.recording import ROWS, Cell, RecordedCells

CELL = Cell("accounts", "1", "balance")
OF = Registers("rows", ROWS)


def seeded() -> History:
    history = History()
    first = RecordedCells(history, "test data")
    first.set(CELL, "100")
    first.end("ok")
    return history


def found(history: History) -> set[str]:
    return {anomaly.name for anomaly in check(history, OF).anomalies}


def transaction(history: History, name: str, value: str) -> RecordedCells:
    made = RecordedCells(history, name)
    made.read(CELL, "100", began=history.snapshot().start)
    made.set(CELL, value)
    return made


def test_two_that_replace_what_both_have_read() -> None:
    history = seeded()
    one, two = transaction(history, "one", "110"), transaction(history, "two", "120")
    one.end("ok")
    two.end("ok")
    assert found(history) == {"lost-update", "not-linearizable"}


def test_the_second_is_refused_or_rolled_back() -> None:
    for refused in ("could not serialize", ""):
        history = seeded()
        one, two = transaction(history, "one", "110"), transaction(history, "two", "120")
        one.end("ok")
        two.end("fail", refused)
        assert found(history) == set()


def test_one_alone_that_was_rolled_back() -> None:
    history = seeded()
    transaction(history, "one", "110").end("fail")
    RecordedCells(history, "reader").read(CELL, "100", began=history.snapshot().end)
    assert found(history) == set()


def test_what_was_not_committed_is_read() -> None:
    history = seeded()
    writer = RecordedCells(history, "writer")
    writer.set(CELL, "0")
    RecordedCells(history, "reader").read(CELL, "0", began=history.snapshot().end)
    writer.end("fail")
    assert found(history) == {"failed-write-read"}
