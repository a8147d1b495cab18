"""Inputs from schemas of many kinds: what is generated conforms, and the seed decides."""

import json
from pathlib import Path

import jsonschema
import pytest

from stackproof.errors import NotSupported, Trouble
from stackproof.systems.contracts import Contract
from stackproof.systems.inputs import Inputs, kinds
from stackproof.systems.inputs.generating import Generator
from stackproof.systems.places import Place

NESTED = (
    Path(__file__).parents[2] / "examples" / "go_scorer" / "contracts" / "subscriber.schema.json"
)
CARRIED = {Place("request"): Place("/header/requestId"), Place("at"): Place("/header/measuredAt")}

FORMATS = ["date-time", "date", "uuid", "email", "ipv4", "ipv6"]


@pytest.fixture
def generator(tmp_path):
    def made(schema, seed=1, demanded=()):
        file = tmp_path / "test.json"
        file.write_text(json.dumps(schema))
        contract = Contract(file)
        return Generator(contract.plain, seed, parts=contract.parts, demanded=list(demanded),
                         name="test.json")  # fmt: skip

    return made


def conforms(schema, value):
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
        value
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 30},
        {"type": "number", "multipleOf": 0.25, "maximum": 1},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "number", "minimum": 0.001, "maximum": 0.002},
        {"type": "integer", "maximum": -5},
        {"minimum": 3},
        {"type": ["null", "boolean"]},
        {"type": "null"},
        {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4},
        {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"const": "x"}], "items": False},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}},
         "additionalProperties": False},
        {"type": "object", "required": ["undescribed"]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "boolean"}}},
        {"allOf": [{"type": "integer", "minimum": 5}, {"maximum": 6}]},
        {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                   {"properties": {"a": {"minimum": 9}, "b": {}}, "required": ["b"]}]},
        {"oneOf": [{"type": "string", "maxLength": 3}, {"type": "integer", "minimum": 5}]},
        {"anyOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]},
                   {"properties": {"b": {"const": 2}}, "required": ["b"]}]},
        {"type": "string", "minLength": 15, "maxLength": 16},
        {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
        *({"type": "string", "format": name} for name in FORMATS),
    ],
)  # fmt: skip
def test_values_conform(schema, generator):
    made = generator(schema)
    for _ in range(60):
        conforms(schema, made.document())


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"pattern": "(a)?(?(1)b|c)"}, "for the pattern"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no number lies between"),
        ({"type": "integer", "multipleOf": 10, "minimum": 1, "maximum": 9}, "no multiple of 10"),
        ({"$defs": {"a": {"type": "object", "required": ["a"],
          "properties": {"a": {"$ref": "#/$defs/a"}}}}, "$ref": "#/$defs/a"}, "without end"),
    ],
)  # fmt: skip
def test_what_cannot_be_generated_is_told(schema, why, generator):
    with pytest.raises(Trouble, match=r"test\.json") as found:
        generator(schema).document()
    assert why in str(found.value)
    assert "samples" in found.value.remedy


def test_an_optional_field_is_sometimes_left_out(generator):
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}}
    made = generator(schema)
    assert {"a" in made.document() for _ in range(100)} == {True, False}
    demanded = generator(schema, demanded=[Place("/a")])
    assert all("a" in demanded.document() for _ in range(100))


# -- a nested contract -------------------------------------------------------
def test_a_nested_identity_is_unique_and_the_key():
    made = Inputs(Contract(NESTED), CARRIED, 3).valid(300)
    idents = [json.loads(message.value)["subscriber"]["id"] for message in made]
    assert len(set(idents)) == 300
    assert [message.key.decode() for message in made] == idents
    assert Inputs(Contract(NESTED), CARRIED, 3).valid(300) == made


@pytest.mark.parametrize(
    ("kind", "violates"),
    [
        ("with a value of the wrong type", {"type"}),
        ("with a missing field", {"required"}),
        ("with a value out of range", {"maximum"}),
        ("with a value that is not allowed", {"enum"}),
        ("with an unknown field", {"additionalProperties"}),
        ("with a malformed date", {"format"}),
    ],
)
def test_a_nested_contract_is_violated_as_its_name_says(kind, violates):
    contract = Contract(NESTED)
    made = Inputs(contract, CARRIED, 5)
    for _ in range(30):
        message = made.invalid(kind)
        document = json.loads(message.value)
        assert contract.broken_keywords(document) == violates
        assert document["subscriber"]["id"] == message.key.decode()


def test_every_kind_exists_for_the_nested_contract():
    made = Inputs(Contract(NESTED), CARRIED, 5)
    assert len({made.invalid(kind).key for kind in kinds()}) == len(kinds())


def test_what_is_violated_only_through_alternatives_is_not_supported(tmp_path):
    file = tmp_path / "c.json"
    either = {"oneOf": [{"type": "integer"}, {"type": "boolean"}]}
    file.write_text(json.dumps({
        "type": "object", "x-identity": "id", "required": ["id"],
        "properties": {"id": {"type": "string"}, "v": either},
    }))  # fmt: skip
    with pytest.raises(NotSupported, match="knows no such invalid message"):
        Inputs(Contract(file), {}, 1).invalid("with a value of the wrong type")
