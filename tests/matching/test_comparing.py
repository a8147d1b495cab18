"""Strict comparison: kinds count, no figure is rounded, no member is hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.matching import NotJson, Reader, differences, read_json
from stackproof.matching.payloads import as_json, exact, is_number

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "1", "a", "__x", "true"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "__b", "c d", ""]), inner, max_size=3)
    ),
    max_leaves=8,
)


def slowly_same(one: Any, other: Any) -> bool:
    if is_number(one) and is_number(other):
        return exact(one) == exact(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return set(one) == set(other) and all(slowly_same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(slowly_same, one, other))
    return bool(one == other)


@given(JSON, JSON)
def test_whatever_differs_is_told_and_nothing_else(one: Any, other: Any) -> None:
    assert (not differences(one, other)) == slowly_same(one, other)
    assert not differences(one, read_json(as_json(one)))


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        ("1", "1.0", True),
        ("1", "1e0", True),
        ("1", '"1"', False),
        ("1", "true", False),
        ("0", "false", False),
        ("0", "null", False),
        ("12345678901234567890", "12345678901234567891", False),
        ("12345678901234567890", "1.2345678901234567890e19", True),
        ("0.1", "0.1000000000000000055511151231257827", False),
        ("9007199254740993", "9007199254740992.0", False),
        ("1e400", "1e401", False),
        (f"1{'0' * 5000}", f"1{'0' * 4999}1", False),
        ("{}", "[]", False),
        ('{"a": null}', "{}", False),
        ('{"__a": 1}', '{"__a": 2}', False),
        ("[1, 2]", "[2, 1]", False),
        ("[1, 1]", "[1]", False),
        ('"é"', '"e\\u0301"', False),
    ],
)
def test_values_are_the_same_in_kind_and_figure(expected: str, found: str, same: bool) -> None:
    assert (not differences(read_json(expected), read_json(found))) == same


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("NaN", "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1, "a": 2}', "'a' occurs more than once"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff", "byte 0xff at 0 is not UTF-8"),
        ("{'a': 1}", "Expecting property name"),
    ],
)
def test_what_is_no_json_is_told(text: str | bytes, told: str) -> None:
    with pytest.raises(NotJson, match=told):
        read_json(text)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_each_difference_names_its_place() -> None:
    reader = Reader(1, Path())
    expected = reader.document('{"id": "{any UUID}", "x y": [1, {"n": 2}], "gone": "{missing}"}')
    found = read_json('{"id": "7", "x y": [1, {"n": "2", "more": 0}], "gone": null}')
    assert list(map(str, differences(expected, found))) == [
        '$.id: expected any UUID, found "7"',
        '$[\'x y\'][1].n: expected 2, found "2" (a text: write "2" for that)',
        "$.gone: expected no such field, found null",
        "$['x y'][1].more: expected no such member, found 0",
    ]
