import json
from pathlib import Path

import jsonschema
import pytest

from stackproof.errors import NotSupported, Trouble
from stackproof.systems.contracts import Contract
from stackproof.systems.inputs import Inputs, kinds
from stackproof.systems.labels import INVALID, VALID
from stackproof.systems.places import Place

CUSTOMER = Path(__file__).parents[2] / "contracts" / "customer.schema.json"
CARRIED = {Place(name): Place(name) for name in ("customerID", "event_ts")}
ID = {Place("id"): Place("id")}


def inputs(seed=1, contract=None):
    return Inputs(contract or Contract(CUSTOMER), CARRIED, seed)


def contract(tmp_path, **schema):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"type": "object", "x-identity": "id", **schema}))
    return Contract(file)


def errors(value):
    validator = jsonschema.Draft202012Validator(
        json.loads(CUSTOMER.read_text()), format_checker=jsonschema.FormatChecker()
    )
    return [error.validator for error in validator.iter_errors(json.loads(value))]


def test_valid_inputs_conform_and_are_distinct():
    made = inputs().valid(300)
    assert not any(errors(message.value) for message in made)
    assert len({message.key for message in made}) == 300
    assert {message.label for message in made} == {VALID}
    assert len({message.carried for message in made}) == 300
    assert all(json.loads(m.value)["customerID"].encode() == m.key for m in made)


def test_the_seed_decides():
    assert inputs(7).valid(5) == inputs(7).valid(5)
    assert inputs(7).valid(5) != inputs(8).valid(5)
    assert inputs(7).invalid("that is empty") == inputs(7).invalid("that is empty")


@pytest.mark.parametrize(
    ("kind", "violates"),
    [
        ("that is not an object", "type"),
        ("with a value of the wrong type", "type"),
        ("with a missing field", "required"),
        ("with a value out of range", "maximum"),
        ("with a value that is not allowed", "enum"),
        ("with an unknown field", "additionalProperties"),
        ("with a malformed date", "format"),  # and the pattern, which says the same
    ],
)
def test_an_invalid_input_violates_what_its_name_says(kind, violates):
    message = inputs().invalid(kind)
    assert set(errors(message.value)) - {"pattern"} == {violates}
    assert message.label == INVALID


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("with a missing field", lambda document, name: name not in document),
        ("with an unknown field", lambda document, name: document[name] == 43),
        ("with a value of the wrong type", lambda document, name: document[name] == "twelve"),
    ],
)
def test_the_field_that_is_wrong_is_known(kind, shown):
    made = inputs()
    message = made.invalid(kind)
    assert shown(json.loads(message.value), made.wrong_fields[message.key])


@pytest.mark.parametrize("kind", ["that is not JSON", "that is not text", "that is empty"])
def test_what_is_no_json_cannot_be_parsed(kind):
    with pytest.raises(ValueError):
        json.loads(inputs().invalid(kind).value)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("with a duplicate field", "occurs more than once"),
        ("with NaN for a number", "NaN"),
        ("with a number beyond a double", "1e400"),
        ("that is nested too deeply", "nested deeper"),
    ],
)
def test_what_is_json_to_lenient_parsers_only(tmp_path, kind, says):
    """For every contract, whether or not it has a number, a limit, a closed object."""
    texts = contract(tmp_path, properties={"id": {"type": "string"}})
    for its, made in ((Contract(CUSTOMER), inputs()), (texts, Inputs(texts, ID, 1))):
        message = made.invalid(kind)
        assert says in its.judged(message.value)[1]
        lenient = json.loads(message.value) if kind[:4] != "that" else {}
        assert str(lenient.get("id", lenient.get("customerID", ""))) in message.key.decode()
        assert made.wrong_fields[message.key]


def test_one_level_more_than_the_contract_allows(tmp_path):
    limited = contract(tmp_path, properties={"id": {"type": "string"}}, **{"x-max-nesting": 5})
    value = Inputs(limited, ID, 1).invalid("that is nested too deeply").value
    assert limited.judged(value)[1]
    assert not limited.judged(value.replace(b"[]", b"0"))[1]


def test_as_many_levels_as_the_size_allows(tmp_path):
    texts = {"id": {"type": "string"}}
    small = contract(tmp_path, properties=texts, **{"x-max-bytes": 20_000})
    value = Inputs(small, ID, 1).invalid("that is nested too deeply").value
    assert 18_000 < len(value) < 20_000
    tiny = contract(tmp_path, properties=texts, **{"x-max-bytes": 1_200})
    with pytest.raises(NotSupported, match="knows no such") as found:
        Inputs(tiny, ID, 1).invalid("that is nested too deeply")
    assert "x-max-nesting" in found.value.why
    limited = contract(tmp_path, properties=texts, **{"x-max-bytes": 1_200, "x-max-nesting": 9})
    assert b"[" * 9 in Inputs(limited, ID, 1).invalid("that is nested too deeply").value


def test_a_large_one_is_too_large_and_nothing_else():
    value = inputs().invalid("that is too large").value
    assert len(value) > 65_536
    assert errors(value) == []


def test_a_tombstone_has_no_value():
    assert inputs().invalid("that is null").value is None


def test_every_kind_keeps_a_key_of_its_own():
    source = inputs()
    assert len({source.invalid(kind).key for kind in kinds()}) == len(kinds())


def test_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(Trouble, match="did you mean 'that is empty'"):
        inputs().invalid("that is emty")


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("with a value out of range", "no number with a bound"),
        ("with a value that is not allowed", "no values that are allowed"),
        ("with an unknown field", "none of its objects is closed"),
        ("with a malformed date", "no date"),
        ("with a missing field", "demands no field"),
        ("with a value of the wrong type", "no field of a certain type"),
        ("that is too large", "no limit"),
    ],
)
def test_a_kind_that_the_contract_does_not_have_is_not_supported(tmp_path, kind, why):
    texts = contract(tmp_path, properties={"id": {"type": "string"}})
    with pytest.raises(NotSupported, match="knows no such invalid message") as found:
        Inputs(texts, ID, 1).invalid(kind)
    assert why in found.value.why


def test_a_kind_that_does_not_apply_says_why():
    made = Inputs(Contract(CUSTOMER), CARRIED, 1, not_applicable={"that is null": "they delete"})
    with pytest.raises(NotSupported, match="they delete"):
        made.invalid("that is null")


def test_a_field_that_cannot_be_generated_is_named(tmp_path):
    endless = {"type": "object", "required": ["x"], "properties": {"x": {"$ref": "#/$defs/x"}}}
    odd = contract(tmp_path, properties={"id": {"type": "string"}, "x": endless},
                   required=["x"], **{"$defs": {"x": endless}})  # fmt: skip
    with pytest.raises(Trouble, match="x/x/x"):
        Inputs(odd, ID, 1).valid(1)


def test_a_generator_that_does_not_fit_its_contract_is_a_trouble(tmp_path):
    odd = contract(tmp_path, properties={"id": {"type": "string"}, "n": {"type": "integer"}},
                   **{"not": {"required": ["id"]}})  # fmt: skip
    with pytest.raises(Trouble, match="should not be valid"):
        Inputs(odd, ID, 1).valid(1)


def test_identities_that_run_out_are_told(tmp_path):
    few = contract(tmp_path, properties={"id": {"type": "string", "enum": ["a", "b"]}})
    with pytest.raises(Trouble, match="no unused id"):
        Inputs(few, ID, 1).valid(3)


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "integer", "minimum": 3, "maximum": 4}, lambda v: v in (3, 4)),
        ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}, lambda v: v == 4),
        ({"type": "boolean"}, lambda v: isinstance(v, bool)),
        ({"const": "x"}, lambda v: v == "x"),
        ({"type": ["null", "number"], "maximum": 1}, lambda v: 0 <= v <= 1),
        ({"type": "string", "minLength": 20}, lambda v: len(v) == 20),
    ],
)
def test_values_follow_their_schema(tmp_path, schema, fits):
    made = contract(tmp_path, properties={"id": {"type": "string"}, "v": schema},
                    required=["v"])  # fmt: skip
    for message in Inputs(made, ID, 1).valid(20):
        assert fits(json.loads(message.value)["v"])
