"""Inputs that people have written: checked, made unique, told apart."""

import base64
import json

import pytest

from stackproof.errors import Trouble
from stackproof.systems.contracts import Contract
from stackproof.systems.inputs import Inputs
from stackproof.systems.inputs.samples import invalid_samples, valid_samples
from stackproof.systems.places import Place

ORDER = {"type": "object", "properties": {"id": {"type": "string", "pattern": "^O[0-9]{6}$"}}}
SCHEMA = {
    "type": "object", "x-identity": "/order/id", "required": ["order", "at"],
    "properties": {
        "order": ORDER,
        "at": {"type": "string"},
    },
}  # fmt: skip


@pytest.fixture
def contract(tmp_path):
    file = tmp_path / "c.json"
    file.write_text(json.dumps(SCHEMA))
    return Contract(file)


def lines(place, *entries):
    text = "\n".join(e if isinstance(e, str) else json.dumps(e) for e in entries)
    place.write_text(text + "\n\n")
    return place


def test_samples_are_taken_in_turn_with_identities_of_their_own(contract, tmp_path):
    file = lines(tmp_path / "v.jsonl", {"order": {"id": "O000001", "note": "x"}, "at": "a"},
                 {"order": {"id": "O000001"}, "at": "b"})  # fmt: skip
    made = Inputs(contract, {Place("at"): Place("at")}, 1, samples=file).valid(5)
    documents = [json.loads(message.value) for message in made]
    assert [d["at"] for d in documents] == ["a", "b", "a", "b", "a"]
    assert [d["order"].get("note") for d in documents] == ["x", None, "x", None, "x"]
    assert len({d["order"]["id"] for d in documents}) == 5
    assert made == Inputs(contract, {Place("at"): Place("at")}, 1, samples=file).valid(5)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (["{"], "line 1, is not JSON"),
        ([{"order": {"id": "O000001"}, "at": "a"}, [1]], "line 2, is no object"),
        ([{"order": {"id": "O000001"}}], "line 1, is not valid"),
        ([], "holds no sample"),
    ],
)
def test_samples_that_cannot_be_used(contract, tmp_path, entries, says):
    with pytest.raises(Trouble, match=says):
        valid_samples(lines(tmp_path / "v.jsonl", *entries), contract)


def test_invalid_samples_from_a_file(contract, tmp_path):
    odd = base64.b64encode(b"\xff\x00").decode()
    file = lines(tmp_path / "i.jsonl",
                 {"kind": "with a missing field", "value": {"at": "a"}},
                 {"kind": "that is not JSON", "text": "{"},
                 {"kind": "that is not JSON", "text": "["},
                 {"kind": "that is not text", "base64": odd},
                 {"kind": "that is null", "text": None})  # fmt: skip
    made = Inputs(contract, {}, 1, invalid=file)
    assert [made.invalid("that is not JSON").value for _ in range(3)] == [b"{", b"[", b"{"]
    assert made.invalid("with a missing field").value == b'{"at": "a"}'
    assert made.invalid("that is not text").value == b"\xff\x00"
    assert made.invalid("that is null").value is None
    assert made.invalid("that is empty").value == b""  # not among the samples: generated


def test_invalid_samples_from_a_directory(tmp_path):
    (tmp_path / "with a missing field.json").write_bytes(b"{}")
    (tmp_path / "that-is-not-JSON.1.txt").write_bytes(b"{")
    (tmp_path / "that_is_not_json.2.txt").write_bytes(b"[")
    found = invalid_samples(tmp_path)
    assert [sample.value for sample in found["that is not JSON"]] == [b"{", b"["]
    assert [sample.value for sample in found["with a missing field"]] == [b"{}"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"kind": "that is purple", "text": ""}, "that is purple"),
        ({"kind": "with a mising field", "text": ""}, "did you mean 'with a missing field'"),
        ({"kind": "that is empty"}, "exactly one of value, text and base64"),
        ({"kind": "that is empty", "text": "", "value": 1}, "exactly one of"),
        ({"text": ""}, "a kind and"),
        ({"kind": "that is empty", "base64": "%"}, "no base64"),
    ],
)
def test_invalid_samples_that_cannot_be_used(tmp_path, entry, says):
    with pytest.raises(Trouble) as found:
        invalid_samples(lines(tmp_path / "i.jsonl", entry))
    assert says in str(found.value)
