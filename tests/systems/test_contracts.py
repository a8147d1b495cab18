import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.errors import Trouble
from stackproof.systems.contracts import Contract, ContractViolationError, strict_object
from stackproof.systems.places import MISSING, Place

SCHEMA = {
    "title": "Letter",
    "type": "object",
    "required": ["id", "at"],
    "properties": {"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}},
    "x-identity": "id",
    "x-original": "body",
    "x-original-encoding": "how",
}


@pytest.fixture
def contract(tmp_path):
    return made(tmp_path, SCHEMA)


def made(place, schema):
    file = place / "letter.schema.json"
    file.write_text(json.dumps(schema))
    return Contract(file)


def test_a_conforming_message_is_parsed(contract):
    assert contract.parse(b'{"id": "a", "at": "2026-01-01T00:00:00Z"}')["id"] == "a"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"{", "not JSON"),
        (None, "not JSON"),
        (b'{"at": "2026-01-01T00:00:00Z"}', "'id' is a required property"),
        (b'{"id": 7, "at": "2026-01-01T00:00:00Z"}', "id: 7 is not of type 'string'"),
        (b"[]", "is not of type 'object'"),
    ],
)
def test_a_violation_says_what_is_wrong(contract, value, says):
    with pytest.raises(ContractViolationError, match="Letter") as found:
        contract.parse(value)
    assert says in str(found.value)


def test_formats_are_checked(contract):
    with pytest.raises(ContractViolationError, match="at: 'yesterday'"):
        contract.parse(b'{"id": "a", "at": "yesterday"}')


def test_a_missing_keyword_says_what_to_add(contract):
    with pytest.raises(Trouble, match="x-error-type"):
        contract.place("x-error-type")


def test_what_is_carried(contract, tmp_path):
    assert contract.carried == {}
    assert made(tmp_path, {**SCHEMA, "x-carried": ["id", "at"]}).carried == {
        Place("id"): Place("id"), Place("at"): Place("at"),
    }  # fmt: skip
    renamed = made(tmp_path, {**SCHEMA, "x-carried": {"/subject/id": "id"}})
    assert renamed.carried == {Place("/subject/id"): Place("id")}
    with pytest.raises(Trouble, match="x-carried"):
        _ = made(tmp_path, {**SCHEMA, "x-carried": "id"}).carried


def test_a_letter_may_be_its_headers(tmp_path):
    contract = made(tmp_path, {**SCHEMA, "x-describes": "headers"})
    headers = {"id": b"a", "at": b"2026-01-01T00:00:00Z", "odd": b"\xff"}
    letter = contract.parse(b"\x00 anything", headers)
    assert letter == {"id": "a", "at": "2026-01-01T00:00:00Z", "odd": "\\xff"}
    assert contract.original(letter, b"\x00 anything") == b"\x00 anything"
    assert contract.original(letter, None) is None
    with pytest.raises(ContractViolationError, match="'id' is a required"):
        contract.parse(b"{}", {})
    with pytest.raises(Trouble, match="x-describes"):
        made(tmp_path, {**SCHEMA, "x-describes": "both"}).parse(b"{}")


@pytest.mark.parametrize(
    ("place", "found"),
    [("a", {"b": [1, {"c/d": 2}]}), ("/a/b/1/c~1d", 2), ("/a/b/2", MISSING), ("/a/x", MISSING),
     ("/a/b/0/x", MISSING), ("b", MISSING)],
)  # fmt: skip
def test_places_are_names_or_pointers(place, found):
    assert Place(place).of({"a": {"b": [1, {"c/d": 2}]}}) == found


def test_a_place_can_be_filled():
    document = {"a": {"b": [{"c": 1}]}}
    Place("/a/b/0/c").put(document, 2)
    assert document == {"a": {"b": [{"c": 2}]}}


@pytest.mark.parametrize("text", ['{"type": 7}', "{", '{"type": "nothing"}'])
def test_an_unusable_schema_is_a_trouble(tmp_path, text):
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(Trouble, match=r"bad\.json"):
        Contract(file)


@given(st.binary())
def test_originals_in_base64_come_back_byte_for_byte(tmp_path_factory, value):
    contract = made(tmp_path_factory.mktemp("c"), SCHEMA)
    letter = {"body": base64.b64encode(value).decode(), "how": "base64"}
    assert contract.original(letter) == value


def test_originals_in_text_and_tombstones(contract):
    assert contract.original({"body": "Größe", "how": "utf-8"}) == "Größe".encode()
    assert contract.original({"body": None, "how": None}) is None


@pytest.mark.parametrize(
    "letter",
    [
        {"body": "%%%", "how": "base64"},
        {"body": "x", "how": "rot13"},
        {"body": 7, "how": "utf-8"},
    ],
)
def test_an_original_that_cannot_be_decoded_is_a_violation(contract, letter):
    with pytest.raises(ContractViolationError):
        contract.original(letter)


def test_objects_are_read_strictly():
    assert strict_object(b'{"a": 1}') == {"a": 1}
    assert strict_object(b"[1]") == strict_object(b'{"a": NaN}') == strict_object(None) == {}
