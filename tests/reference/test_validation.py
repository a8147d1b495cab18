from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.churn_pipeline.model import CATEGORICAL_FEATURES
from reference.churn_pipeline.validation import (
    PRECEDENCE,
    ContractError,
    CustomerValidator,
    ErrorType,
    InvalidMessageError,
    is_utc_date_time,
)
from tests.reference.customers import CUSTOMER_SCHEMA, as_bytes, customer
from tests.reference.fakes import CONTRACTS

LIMIT = 65_536
VALIDATOR = CustomerValidator(CONTRACTS, LIMIT)


def error_of(value: bytes | None) -> InvalidMessageError:
    with pytest.raises(InvalidMessageError) as caught:
        VALIDATOR.validate(value)
    return caught.value


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in customer().items() if name not in names}


def test_the_contracts_example_is_valid() -> None:
    assert VALIDATOR.validate(as_bytes(customer())) == customer()


@pytest.mark.parametrize(
    "changes",
    [
        {"event_ts": "2024-02-29T23:59:59Z"},
        {"event_ts": "2024-05-17T08:30:00.123456789+00:00"},
        {"tenure": 0},
        {"tenure": 120},
        {"tenure": 12.0},
        {"MonthlyCharges": 0},
        {"TotalCharges": 1e2},
        {"InternetService": "Fiber optic"},
    ],
)
def test_valid_customers(changes: dict[str, Any]) -> None:
    assert VALIDATOR.validate(as_bytes(customer(**changes)))


def test_white_space_around_and_unicode_escapes_do_not_matter() -> None:
    text = json.dumps(customer(), indent=2).replace("Female", "\\u0046emale")
    assert VALIDATOR.validate(f"\n {text}\t".encode()) == customer()


INVALID: list[tuple[ErrorType, bytes | None]] = [
    (ErrorType.NULL_MESSAGE, None),
    (ErrorType.EMPTY_MESSAGE, b""),
    (ErrorType.TOO_LARGE, b"x" * (LIMIT + 1)),
    (ErrorType.TOO_LARGE, as_bytes(customer()) + b" " * LIMIT),
    (ErrorType.INVALID_JSON, b" "),
    (ErrorType.INVALID_JSON, b"this is not JSON"),
    (ErrorType.INVALID_JSON, as_bytes(customer())[:-1]),
    (ErrorType.INVALID_JSON, as_bytes(customer()) * 2),
    (ErrorType.INVALID_JSON, b"\xff\xfe\x00"),
    (ErrorType.INVALID_JSON, b"\xef\xbb\xbf" + as_bytes(customer())),
    (ErrorType.INVALID_JSON, json.dumps(customer()).encode("utf-16")),
    (ErrorType.INVALID_JSON, as_bytes(customer(tenure=float("nan")))),
    (ErrorType.INVALID_JSON, as_bytes(customer(tenure=float("-inf")))),
    (ErrorType.INVALID_JSON, b'{"tenure": 1e999}'),
    (ErrorType.INVALID_JSON, b'{"tenure": ' + b"9" * 5_000 + b"}"),
    (ErrorType.INVALID_JSON, as_bytes(customer())[:-1] + b', "tenure": 1}'),
    (ErrorType.INVALID_JSON, b'[{"a": {"b": 1, "b": 1}}]'),
    (ErrorType.INVALID_JSON, b"[" * 65 + b"]" * 65),
    (ErrorType.INVALID_JSON, b"[" * 900 + b"]" * 900),
    (ErrorType.INVALID_JSON, b"[" * 30_000 + b"]" * 30_000),
    (ErrorType.INVALID_JSON, b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    (ErrorType.NOT_AN_OBJECT, b"[" * 64 + b"]" * 64),
    (ErrorType.NOT_AN_OBJECT, b"null"),
    (ErrorType.NOT_AN_OBJECT, b"true"),
    (ErrorType.NOT_AN_OBJECT, b"42"),
    (ErrorType.NOT_AN_OBJECT, b"4.2"),
    (ErrorType.NOT_AN_OBJECT, b'"text"'),
    (ErrorType.NOT_AN_OBJECT, as_bytes([customer()])),
    (ErrorType.MISSING_FIELD, b"{}"),
    *((ErrorType.MISSING_FIELD, as_bytes(without(name))) for name in customer()),
    (ErrorType.UNKNOWN_FIELD, as_bytes(customer(favouriteColour="green"))),
    (ErrorType.UNKNOWN_FIELD, as_bytes(customer(**{"": 1}))),
    (ErrorType.UNKNOWN_FIELD, as_bytes(customer(**{"\ud800": 1}))),
    (ErrorType.WRONG_TYPE, as_bytes(customer(tenure="12"))),
    (ErrorType.WRONG_TYPE, as_bytes(customer(tenure=1.5))),
    (ErrorType.WRONG_TYPE, as_bytes(customer(SeniorCitizen=True))),
    (ErrorType.WRONG_TYPE, as_bytes(customer(TotalCharges=" "))),
    (ErrorType.WRONG_TYPE, as_bytes(customer(event_ts=1_715_934_600))),
    (ErrorType.WRONG_TYPE, as_bytes(customer(gender={"is": [[["nested"]]]}))),
    *((ErrorType.WRONG_TYPE, as_bytes(customer(**{name: None}))) for name in customer()),
    (ErrorType.BAD_FORMAT, as_bytes(customer(customerID=""))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(customerID="7590-VHVEG\n"))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(customerID="\u0667590-VHVEG"))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(event_ts="yesterday"))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(event_ts="2024-02-30T00:00:00Z"))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(event_ts="2024-05-17T24:30:00Z"))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(event_ts="2024-05-17T08:30:00"))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(event_ts="2024-05-17T08:30:00+02:00"))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(event_ts="2024-05-17 08:30:00Z"))),
    (ErrorType.BAD_FORMAT, as_bytes(customer(event_ts="2024-05-17T08:30:00Z\n"))),
    (ErrorType.NOT_ALLOWED_VALUE, as_bytes(customer(gender="female"))),
    (ErrorType.NOT_ALLOWED_VALUE, as_bytes(customer(SeniorCitizen=2))),
    (ErrorType.NOT_ALLOWED_VALUE, as_bytes(customer(Contract="Three year"))),
    (ErrorType.OUT_OF_RANGE, as_bytes(customer(tenure=-1))),
    (ErrorType.OUT_OF_RANGE, as_bytes(customer(tenure=121))),
    (ErrorType.OUT_OF_RANGE, as_bytes(customer(tenure=10**300))),
    (ErrorType.OUT_OF_RANGE, as_bytes(customer(MonthlyCharges=-0.01))),
    (ErrorType.OUT_OF_RANGE, as_bytes(customer(TotalCharges=120_000.01))),
]


@pytest.mark.parametrize(("expected", "value"), INVALID)
def test_invalid_messages(expected: ErrorType, value: bytes | None) -> None:
    error = error_of(value)
    assert error.error_type is expected
    assert 0 < len(error.reason) < 400
    assert "\n" not in error.reason
    assert error.reason.encode("utf-8")


def test_every_error_type_has_a_case() -> None:
    assert {expected for expected, _ in INVALID} == set(ErrorType)


@pytest.mark.parametrize(
    ("value", "expected", "reason"),
    [
        (without("gender", "tenure"), "missing_field", "gender: required field is missing"),
        ({**without("tenure"), "extra": 1}, "missing_field", "tenure: required"),
        (customer(b=1, a=1, tenure="x"), "unknown_field", "'a': field is not part"),
        (customer(event_ts="x", tenure="x"), "wrong_type", "tenure: 'x' is not of type integer"),
        (customer(event_ts="x", customerID="x"), "bad_format", "customerID: 'x' does not have"),
        (customer(event_ts="x", gender="x"), "bad_format", "event_ts: 'x'"),
        (customer(gender="x", tenure=-1), "not_allowed_value", "gender: 'x' is not one of"),
        (customer(TotalCharges=-1, tenure=-1), "out_of_range", "tenure: -1 breaks the minimum"),
    ],
)
def test_precedence(value: object, expected: str, reason: str) -> None:
    error = error_of(as_bytes(value))
    assert error.error_type == expected
    assert error.reason.startswith(reason)
    assert "more error" in error.reason


def test_key_and_headers_count_towards_the_limit() -> None:
    value = as_bytes(customer())
    assert VALIDATOR.validate(value, LIMIT)
    with pytest.raises(InvalidMessageError) as caught:
        VALIDATOR.validate(value, LIMIT + 1)
    assert caught.value.error_type is ErrorType.TOO_LARGE


def test_the_limit_itself_is_allowed() -> None:
    value = as_bytes(customer())
    assert VALIDATOR.validate(value + b" " * (LIMIT - len(value)))


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode()))
def test_any_bytes_are_valid_or_classified(value: bytes) -> None:
    try:
        VALIDATOR.validate(value)
    except InvalidMessageError as error:
        assert error.error_type in PRECEDENCE
        assert error.reason.encode("utf-8")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(list(customer())) | st.text(max_size=5), JSON_VALUES),
    st.sets(st.sampled_from(list(customer())), max_size=2),
)
def test_any_changed_customer_is_valid_or_classified(
    changes: dict[str, Any], removed: set[str]
) -> None:
    changed = {name: value for name, value in customer(**changes).items() if name not in removed}
    try:
        assert VALIDATOR.validate(as_bytes(changed)) == changed
    except InvalidMessageError as error:
        if removed - set(changes) and error.error_type is not ErrorType.INVALID_JSON:
            assert error.error_type is ErrorType.MISSING_FIELD
        assert error.reason.encode("utf-8")


def test_the_dead_letter_contract_lists_the_error_types_in_order_and_describes_each() -> None:
    contract = json.loads((CONTRACTS / "dead_letter.schema.json").read_text())
    rules = contract["properties"]["error_type"]
    assert rules["enum"] == [kind.value for kind in ErrorType]
    assert list(rules["x-enum-descriptions"]) == rules["enum"]


def test_the_model_knows_every_value_that_the_contract_allows() -> None:
    for name, known in CATEGORICAL_FEATURES.items():
        assert CUSTOMER_SCHEMA["properties"][name]["enum"] == list(known)


def test_every_field_is_required() -> None:
    assert CUSTOMER_SCHEMA["required"] == list(CUSTOMER_SCHEMA["properties"])


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"properties": 1}'])
def test_a_broken_contract_is_named(tmp_path: Any, text: str) -> None:
    (tmp_path / "customer.schema.json").write_text(text)
    with pytest.raises(ContractError, match=r"customer\.schema\.json"):
        CustomerValidator(tmp_path, LIMIT)


def test_a_contract_with_an_unknown_keyword_is_refused(tmp_path: Any) -> None:
    schema = {"required": [], "properties": {"a": {"minItems": 1}}}
    (tmp_path / "customer.schema.json").write_text(json.dumps(schema))
    with pytest.raises(ContractError, match="minItems"):
        CustomerValidator(tmp_path, LIMIT)


def test_no_contract(tmp_path: Any) -> None:
    with pytest.raises(ContractError, match="cannot read the contract"):
        CustomerValidator(tmp_path, LIMIT)


@given(st.datetimes(), st.sampled_from(["Z", "+00:00"]))
def test_every_time_in_utc_is_one(moment: Any, zone: str) -> None:
    assert is_utc_date_time(f"{moment.isoformat()}{zone}")
