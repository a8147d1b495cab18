"""The checks against their definitions, on histories that hypothesis makes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.history import Expectation, Limit, Locks, Members, Queue, Registers, check
from tests.history.models import slow
from tests.history.models.cases import Row, history, op

EXAMPLES = settings(max_examples=150, deadline=None)
KEYS = st.sampled_from(["k", "j"])
CLIENTS = st.sampled_from(["a", "b", "c"])
STATUS = st.sampled_from(["ok", "ok", "ok", "unknown", "fail"])


@st.composite
def rows(draw: Any, *actions: str, most: int = 9, keys: Any = KEYS) -> list[Row]:
    """Operations with beginnings of their own, so that their order is one."""
    starts = draw(st.lists(st.integers(0, 40), max_size=most, unique=True))
    made = []
    for number, start in enumerate(starts):
        action = draw(st.sampled_from(actions))
        value = draw(st.sampled_from(["x", "y", "z"]))
        if action == "write":
            value = f"v{number}"
        times = (start, start + draw(st.integers(1, 12)) + 0.5)
        status = draw(STATUS)
        if draw(st.integers(0, 9)) == 0 and action not in ("read", "seen", "take", "list"):
            times = (start,)
        if action in ("read", "seen", "take", "list"):
            status = "ok"
        made.append(op(draw(CLIENTS), action, draw(keys), value, *times, status=status,
                       number=draw(st.integers(0, 3))))  # fmt: skip
    return made


def found(made: list[Row], of: Expectation) -> dict[str, int]:
    return {one.name: one.count for one in check(history(made), of).anomalies}


def nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


@st.composite
def registers(draw: Any, *actions: str) -> list[Row]:
    """Few operations on one key; readings and expectations mostly of values that were written."""
    made = draw(rows(*actions, most=6, keys=st.just("k")))
    written = [row[3] for row in made if row[1] == "write"] or [None]
    values = st.sampled_from([None, *written])
    final = []
    for number, (client, action, key, value, times, more) in enumerate(made):
        more = {**more, "number": 0}
        if action == "read":
            value = draw(values)
        if action == "delete":
            action, value = "write", None
        if action == "compare-and-set":
            value, more = f"s{number}", {**more, "expected": draw(values)}
            more["status"] = "ok" if more["status"] == "fail" else more["status"]
        final.append((client, action, key, value, times, more))
    return final


WRONG = {"never-written", "failed-write-read", "read-too-early", "stale-read", "resurrected",
         "lost-update", "not-linearizable"}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(registers("write", "read", "read"))
def test_registers_by_zones(made: list[Row]) -> None:
    counts = found(made, Registers("r", "s"))
    assert slow.linearizable(made) == (not counts), counts


@settings(max_examples=300, deadline=None)
@given(registers("write", "read", "read", "delete", "compare-and-set"))
def test_registers_by_search(made: list[Row]) -> None:
    counts = found(made, Registers("r", "s"))
    assert slow.linearizable(made) == (not counts), counts


@EXAMPLES
@given(rows("put", "put", "take", "take", "acknowledge", "give back", "close"))
def test_queues(made: list[Row]) -> None:
    of = Queue("q", "s", ordered=True, late_ms=1 << 30)
    without_life = [(*row[:5], {**row[5], "number": 0}) for row in made]
    assert found(without_life, of) == nonzero(slow.queue(without_life))


@EXAMPLES
@given(rows("add", "add", "remove", "list", "seen", "seen"), st.sampled_from(["", "a"]))
def test_sets(made: list[Row], reader: str) -> None:
    assert found(made, Members("m", "s", reader=reader)) == nonzero(slow.members(made, reader))


@EXAMPLES
@given(rows("acquire", "acquire", "release", "use"), st.sampled_from([0, 5, 20]))
def test_locks(made: list[Row], lease: int) -> None:
    counts = slow.locks(made, lease or slow.NEVER)
    assert found(made, Locks("l", "s", lease_ms=lease * 1000)) == nonzero(counts)


@EXAMPLES
@given(rows("permit", "permit", "refuse"), st.integers(1, 4), st.integers(1, 20))
def test_limits(made: list[Row], most: int, window: int) -> None:
    of = Limit("l", "s", most=most, window_ms=window * 1000)
    assert found(made, of) == nonzero(slow.limit(made, most, window))
