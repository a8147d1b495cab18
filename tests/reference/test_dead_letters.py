from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.churn_pipeline.dead_letters import decode_original, encode_original
from reference.churn_pipeline.validation import ErrorType, InvalidMessageError
from tests.reference.fakes import CONFIG, CONTRACTS, FakeMessage, World

CONTRACT = json.loads((CONTRACTS / "dead_letter.schema.json").read_text())
CHECKER = jsonschema.Draft202012Validator(CONTRACT)
WORLD = World()
MIB = 1024 * 1024


def letter_for(message: FakeMessage, world: World = WORLD) -> dict[str, Any]:
    (record,) = world.pipeline.records_for(message)
    assert record.topic == "dlq"
    assert record.size <= world.pipeline.config.dead_letter_budget
    letter: dict[str, Any] = json.loads(record.value)
    CHECKER.validate(letter)
    return letter


@given(st.binary(max_size=400) | st.text(max_size=100).map(str.encode))
def test_the_original_comes_back_byte_for_byte(original: bytes) -> None:
    letter = letter_for(FakeMessage(original))
    assert decode_original(letter) == original
    assert letter["original_size"] == len(original)


@given(st.binary(max_size=400))
def test_the_encoding_is_utf_8_exactly_for_utf_8(original: bytes) -> None:
    try:
        original.decode()
    except UnicodeDecodeError:
        assert encode_original(original) == (base64.b64encode(original).decode(), "base64")
    else:
        assert encode_original(original) == (original.decode(), "utf-8")


def test_an_envelope_says_where_the_original_came_from() -> None:
    letter = letter_for(FakeMessage(b"junk", at=7, place=2))
    assert letter | {"failed_ts": "", "error_message": ""} == {
        "error_type": "invalid_json",
        "error_message": "",
        "original_message": "junk",
        "original_encoding": "utf-8",
        "original_size": 4,
        "source_topic": "in",
        "source_partition": 2,
        "source_offset": 7,
        "failed_ts": "",
    }


def test_a_tombstone_has_no_original() -> None:
    letter = letter_for(FakeMessage(None))
    assert letter["original_message"] is None
    assert letter["original_encoding"] is None
    assert decode_original(letter) is None


def test_an_empty_message_has_an_empty_original() -> None:
    letter = letter_for(FakeMessage(b""))
    assert (letter["original_message"], letter["original_encoding"]) == ("", "utf-8")


@pytest.mark.parametrize(
    "original",
    [b"x" * MIB, b'"' * MIB, b"\x01" * MIB, b"\xff" * MIB, "\u20ac".encode() * (MIB // 3)],
    ids=["plain", "quotes", "control characters", "not UTF-8", "three-byte characters"],
)
def test_whatever_fits_the_input_topic_fits_the_dead_letter_topic(original: bytes) -> None:
    letter = letter_for(FakeMessage(original))
    assert letter["error_type"] == "too_large"
    assert decode_original(letter) == original
    assert len(json.dumps(letter)) < 1.4 * MIB or letter["original_encoding"] == "utf-8"


def test_an_original_too_big_for_the_dead_letter_topic_is_left_out() -> None:
    letter = letter_for(FakeMessage(b"x" * (3 * MIB), at=5))
    assert letter["original_encoding"] == "omitted"
    assert letter["original_size"] == 3 * MIB
    with pytest.raises(LookupError, match=r"in \[0\] offset 5"):
        decode_original(letter)


@pytest.mark.parametrize(
    ("original", "encoding"),
    [(b"x", "utf-8"), (b"x" * (3 * MIB), "omitted"), (None, None)],
    ids=["small original", "big original", "no original"],
)
def test_a_key_too_big_for_the_dead_letter_topic_is_left_out(
    original: bytes | None, encoding: str | None
) -> None:
    message = FakeMessage(original, name=b"k" * (3 * MIB), extra=[("h", b"1")])
    (record,) = WORLD.pipeline.records_for(message)
    assert (record.key, record.headers) == (None, None)
    assert letter_for(message)["original_encoding"] == encoding


def test_an_original_just_too_big_for_a_small_dead_letter_topic() -> None:
    small = World(config=replace(CONFIG, max_message_bytes=1_000, max_dead_letter_bytes=20_000))
    assert letter_for(FakeMessage(b"x" * 10_000), small)["original_encoding"] == "utf-8"
    assert letter_for(FakeMessage(b"x" * 19_000), small)["original_encoding"] == "omitted"


def test_key_and_headers_are_carried_over() -> None:
    headers: list[tuple[str, bytes | None]] = [("trace", b"\xff\x00"), ("trace", None)]
    (record,) = WORLD.pipeline.records_for(FakeMessage(b"junk", name=b"k", extra=headers))
    assert (record.key, record.headers) == (b"k", headers)


@pytest.mark.parametrize("name", ["customer", "prediction", "dead_letter"])
def test_contracts_are_sound_and_their_examples_valid(name: str) -> None:
    contract = json.loads((CONTRACTS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(contract)
    for example in contract["examples"]:
        jsonschema.Draft202012Validator(contract).validate(example)


def test_the_dead_letter_contracts_example_is_what_the_program_writes() -> None:
    (example,) = CONTRACT["examples"]
    original = decode_original(example)
    with pytest.raises(InvalidMessageError) as caught:
        WORLD.pipeline.validator.validate(original)
    assert caught.value.error_type == example["error_type"]
    assert caught.value.reason == example["error_message"]
    assert example["original_size"] == len(original or b"")


@pytest.mark.parametrize("error_type", ErrorType)
def test_the_contract_ties_the_encoding_to_the_original(error_type: ErrorType) -> None:
    (example,) = CONTRACT["examples"]
    assert not CHECKER.is_valid(example | {"original_message": None})
    assert not CHECKER.is_valid(example | {"original_encoding": "omitted"})
    assert not CHECKER.is_valid(example | {"original_encoding": None, "original_message": None})
    assert CHECKER.is_valid(example | {"error_type": error_type}) == (
        error_type is not ErrorType.NULL_MESSAGE
    )


def test_a_letter_that_is_none() -> None:
    with pytest.raises(ValueError, match="rot13"):
        decode_original({"original_message": "x", "original_encoding": "rot13"})
