"""What all models ask of columns, against plain Python: on small histories, and on large groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.history.columns import Array, matching
from stackproof.history.models.view import BEFORE_ALL, NEVER, Groups, ranked

EXAMPLES = settings(max_examples=200, deadline=None)
DIGESTS = st.lists(st.integers(0, (1 << 64) - 1) | st.integers(0, 5), max_size=40)
#: Some groups need more than 16 bits.
GROUP = st.integers(0, 3) | st.sampled_from([65_535, 65_536, 65_537, 1 << 30])
TIME = st.integers(-1, 6) | st.just(int(NEVER))
ROWS = st.lists(st.tuples(GROUP, TIME, st.integers(0, 9) | st.just(int(NEVER))), max_size=12)
QUESTIONS = st.lists(st.tuples(GROUP, TIME), max_size=8)


def columns(rows: list[tuple[int, ...]], width: int) -> list[Array]:
    return list(np.array(rows, dtype=np.int64).reshape(-1, width).T)


def place_of(values: list[int], others: list[int]) -> list[int]:
    known = {other: place for place, other in enumerate(others)}
    return [known.get(value, -1) for value in values]


@EXAMPLES
@given(DIGESTS, DIGESTS, st.integers(0, 10))
def test_the_last_equal_one_is_found(some: list[int], others: list[int], shared: int) -> None:
    values = some + others[:shared]
    found = matching(np.array(values, dtype=np.uint64), np.array(others, dtype=np.uint64))
    assert found.tolist() == place_of(values, others)


def test_many_with_the_same_slots_are_found() -> None:
    drawn = np.random.default_rng(5).integers(0, 30_000, 40_000, dtype=np.int64) * 977
    values, others = drawn[:15_000], drawn[15_000:]
    assert matching(values, others).tolist() == place_of(values.tolist(), others.tolist())


@EXAMPLES
@given(ROWS, QUESTIONS)
def test_the_greatest_before(rows: list[tuple[int, ...]], questions: list[tuple[int, ...]]) -> None:
    group, time, value = columns(rows, 3)
    asked, moment = columns(questions, 2)
    greatest, row = Groups(group, time, value).greatest_before(asked, moment)
    for number, (of, at) in enumerate(questions):
        before = [value for group, time, value in rows if group == of and time < at]
        assert greatest[number] == max(before, default=BEFORE_ALL)
        assert (row[number] >= 0) == bool(before)
        if before:
            assert rows[row[number]] in [one for one in rows if one[0] == of and one[1] < at]
            assert rows[row[number]][2] == greatest[number]


@EXAMPLES
@given(ROWS, QUESTIONS, st.booleans())
def test_how_many_come_before(
    rows: list[tuple[int, ...]], questions: list[tuple[int, ...]], at_it: bool
) -> None:
    group, time, _ = columns(rows, 3)
    asked, moment = columns(questions, 2)
    order, place = ranked(group, time, asked, moment, at_it=at_it)
    stands = [(row[0], row[1]) for row in rows]
    assert [stands[number] for number in order] == sorted(stands)
    assert sorted(order.tolist()) == list(range(len(rows)))
    for number, question in enumerate(questions):
        came = [one for one in stands if one < question or (at_it and one == question)]
        assert place[number] == len(came)


def test_what_does_not_fit_is_said() -> None:
    group = np.array([1 << 40, 1])
    with pytest.raises(ValueError, match="too many keys"):
        Groups(group, group, np.array([1 << 30, 0])).greatest_before(group, group)
