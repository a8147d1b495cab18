"""What cells and texts mean, what is remembered, what is generated."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.errors import Trouble
from stackproof.matching import Reader, differences, read_json
from stackproof.matching.wanted import ABSENT, Wanted
from tests.matching.test_comparing import JSON


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader("seed", tmp_path)


def accepted(reader: Reader, cell: str, found: Any) -> bool:
    return not differences(reader.cell(cell), found)


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("12", 12),
        ('"12"', "12"),
        ("open", "open"),
        ('"open"', "open"),
        ("null", None),
        ('"null"', "null"),
        ("true", True),
        ("True", "True"),
        ("NaN", "NaN"),
        ("2026-01-31", "2026-01-31"),
        ("007", "007"),
        ("1.", "1."),
        ('""', ""),
        ("{}", {}),
        ('{"a": [1]}', {"a": [1]}),
        ("{{any UUID}}", "{any UUID}"),
        ("a {{b}} c", "a {b} c"),
        ('"{{b}}"', "{b}"),
        ('{"a": {"b": {}}}', {"a": {"b": {}}}),
        ("{ x }", "{ x }"),
        ("{1,2}", "{1,2}"),
    ],
)
def test_a_cell_is_json_where_it_can_be_and_text_otherwise(
    reader: Reader, cell: str, found: Any
) -> None:
    assert accepted(reader, cell, found)
    for other in (12, "12", "open", None, "null", True, "True", "NaN", "", {}, ABSENT):
        same = type(other) is type(found) and other == found
        assert accepted(reader, cell, other) == same, other


@pytest.mark.parametrize(
    ("cell", "yes", "no"),
    [
        ("{any UUID}", ["00000000-0000-4000-8000-00000000000A"], ["7", 7, None, ABSENT, "0" * 32]),
        ("{any number}", [0, -1, read_json("1.5")], ["1", True, None, ABSENT]),
        ("{any text}", ["", "x"], [1, None, ABSENT, []]),
        ("{any boolean}", [True, False], [0, "true", None]),
        ("{any list}", [[], [1]], [{}, "[]", None]),
        ("{any object}", [{}], [[], None]),
        ("{any time}", ["2026-01-31T12:00:00Z", "2024-02-29 00:00:00.123456789+05:45"],
         ["2026-01-31T12:00:00", "2026-02-30T12:00:00Z", "2026-01-31", 1, "today"]),
        ("{any date}", ["2024-02-29"], ["2026-02-29", "2026-1-1", "2026-01-01T00:00:00Z"]),
        ("{anything}", [None, "", 0, [], False], [ABSENT]),
        ("{missing}", [ABSENT], [None, "", 0]),
        ("{one of open, closed, 3}", ["open", "closed", 3], ["ope", "3", None, ABSENT]),
        (r"{/A-\d{3}/}", ["A-123"], ["A-1234", "xA-123", "A-12", 123, None]),
        (r"{/\d+/}", ["٣"], ["1\n"]),
        ("{number from 1 to 2.5}", [1, 2, read_json("2.50")], [0, 3, "2", read_json("2.51"), True]),
        ("{time 2026-01-31T12:00:00Z}",
         ["2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00.000Z"],
         ["2026-01-31T12:00:00.000000001Z", "2026-01-31T12:00:01Z", "2026-01-31T12:00:00"]),
        ("order-{any number}", ["order-17", "order--1.5"], ["order-x", "order-", "my order-1"]),
        ("{any UUID}.json", ["00000000-0000-4000-8000-00000000000A.json"], [".json"]),
    ],
)  # fmt: skip
def test_what_is_accepted(reader: Reader, cell: str, yes: list[Any], no: list[Any]) -> None:
    assert [found for found in yes if not accepted(reader, cell, found)] == []
    assert [found for found in no if accepted(reader, cell, found)] == []


def test_what_is_generated_is_what_is_accepted_and_is_remembered(reader: Reader) -> None:
    for kind in ("UUID", "number", "text", "time", "date", "boolean", "list", "object"):
        value = reader.given_cell(f"{{any {kind} as the {kind}}}")
        assert accepted(reader, f"{{any {kind}}}", value), kind
        assert accepted(reader, f"{{the {kind}}}", value)


def test_another_value_is_not_remembered_by_the_same_name(reader: Reader) -> None:
    reader.given_cell("{any UUID as id}")
    with pytest.raises(Trouble, match=r"stands for .* already"):
        reader.given_cell("{any UUID as id}")


@pytest.mark.parametrize("name", ["any thing", "missing", "1st", "", "a{b", "one of us", "/x/"])
def test_no_word_of_the_vocabulary_is_a_name(reader: Reader, name: str) -> None:
    with pytest.raises(Trouble, match="cannot be remembered"):
        reader.remember(name, 1)


def test_an_unknown_name_tells_the_nearest(reader: Reader) -> None:
    reader.remember("order-id", "7")
    with pytest.raises(Trouble, match="did you mean 'order-id'") as told:
        reader.cell("{oder-id}")
    assert "remembered are: order-id" in str(told.value)


@pytest.mark.parametrize(
    "cell", ["", "  ", "{any uid}", "{/(/}", "{time today}", "{number from a to 2}", "{x as y}"]
)
def test_what_means_nothing_is_told(reader: Reader, cell: str) -> None:
    with pytest.raises(Trouble):
        reader.cell(cell)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{"id": "{id}", "n": {n}}', '{"id": "a\\"b", "n": 1.50}'),
        ('{"id": {id}}', '{"id": "a\\"b"}'),
        ('{"n": "{n}"}', '{"n": "1.50"}'),
        ('{"n": "{{n}}"}', '{"n": "{n}"}'),
        ('{"a":{"b":{"c":1}}}', '{"a":{"b":{"c":1}}}'),
        ('{"all":\r\n  {list}}', '{"all":\r\n  [1, null, {"x": true}]}'),
        ("id {id}, {n}", 'id a"b, 1.50'),
        ("{id}", 'a"b'),
        ("<a>{{n}}</a>", "<a>{n}</a>"),
        ("", ""),
    ],
)
def test_what_stands_in_braces_is_filled_in(reader: Reader, given: str, sent: str) -> None:
    reader.remember("id", 'a"b')
    reader.remember("n", read_json("1.50"))
    reader.remember("list", [1, None, {"x": True}])
    assert reader.given_document(given) == sent


def test_what_was_sent_is_what_is_expected(reader: Reader) -> None:
    document = '{"id": "{any UUID as id}", "n": {any number as n}, "t": "no. {n} of {id}"}'
    sent = reader.given_document(document)
    assert differences(reader.document('{"t": "no. {n} of {id}", "n": {n}, "id": "{id}"}'),
                       read_json(sent)) == []  # fmt: skip
    assert json.loads(sent)["t"].startswith("no. ")


def test_only_what_can_be_made_is_sent(reader: Reader) -> None:
    for text in ("{missing}", "{anything}", "{one of a, b}", "{/x/}"):
        with pytest.raises(Trouble, match="can be expected, and not be made"):
            reader.given(text)


def test_files_stand_for_their_content(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"n": 12345678901234567890}\r\n')
    (tmp_path / "b.txt").write_bytes(b"two\r\nlines")
    assert accepted(reader, "{file a.json}", {"n": 12345678901234567890})
    assert accepted(reader, "{file b.txt}", "two\r\nlines")
    assert reader.text_cell("{file a.json}") == '\ufeff{"n": 12345678901234567890}\r\n'
    with pytest.raises(Trouble, match=r"c\.json"):
        reader.cell("{file c.json}")


def test_keys_and_headers_are_texts(reader: Reader) -> None:
    assert reader.text_cell("42") == "42"
    assert reader.text_cell('"42"') == "42"
    assert reader.text_cell("null") == "null"
    assert isinstance(reader.text_cell("{missing}"), Wanted)


@given(st.text())
def test_whatever_stands_in_a_cell_is_understood_or_told(text: str) -> None:
    reader = Reader(1, Path())
    for read in (reader.cell, reader.text_cell, reader.document, reader.given_document):
        with contextlib.suppress(Trouble):
            read(text)


@given(st.text(st.characters(exclude_characters="{")))
def test_without_braces_a_text_is_sent_as_it_stands(text: str) -> None:
    reader = Reader(1, Path())
    assert reader.given_document(text) == reader.given(text) == text


@given(JSON)
def test_json_is_sent_as_it_stands_and_expected_as_it_is(value: Any) -> None:
    reader, text = Reader(1, Path()), json.dumps(value)
    assert reader.given_document(text) == text
    assert not differences(reader.document(text), read_json(text))
