"""Decide whether a message holds a customer that meets the contract, and if not, why."""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

CONTRACT_FILE = "customer.schema.json"
MAX_NESTING = 64
"""Levels of arrays and objects that a message may have."""

Customer = dict[str, Any]
"""A customer that meets the contract."""


class ErrorType(StrEnum):
    """Why a message is set aside, in order of precedence: the first that applies is named.

    The dead-letter contract describes each of them.
    """

    NULL_MESSAGE = "null_message"
    EMPTY_MESSAGE = "empty_message"
    TOO_LARGE = "too_large"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"
    BAD_FORMAT = "bad_format"
    NOT_ALLOWED_VALUE = "not_allowed_value"
    OUT_OF_RANGE = "out_of_range"


PRECEDENCE = {kind: rank for rank, kind in enumerate(ErrorType)}

_KEYWORDS = {
    "required": ErrorType.MISSING_FIELD,
    "additionalProperties": ErrorType.UNKNOWN_FIELD,
    "type": ErrorType.WRONG_TYPE,
    "pattern": ErrorType.BAD_FORMAT,
    "format": ErrorType.BAD_FORMAT,
    # A length belongs to the form of a text. It also stands in for what the
    # pattern cannot say in Python, where '$' matches before a final line feed.
    "minLength": ErrorType.BAD_FORMAT,
    "maxLength": ErrorType.BAD_FORMAT,
    "enum": ErrorType.NOT_ALLOWED_VALUE,
    "const": ErrorType.NOT_ALLOWED_VALUE,
    "minimum": ErrorType.OUT_OF_RANGE,
    "maximum": ErrorType.OUT_OF_RANGE,
    "exclusiveMinimum": ErrorType.OUT_OF_RANGE,
    "exclusiveMaximum": ErrorType.OUT_OF_RANGE,
    "multipleOf": ErrorType.OUT_OF_RANGE,
}

_JSON_NAMES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


class InvalidMessageError(Exception):
    """A message that cannot be processed.

    Attributes:
        error_type: the kind of error.
        reason: the error in words, without line feeds, a few hundred characters at most.
    """

    def __init__(self, error_type: ErrorType, reason: str) -> None:
        super().__init__(f"{error_type}: {reason}")
        self.error_type = error_type
        self.reason = reason


class ContractError(Exception):
    """The contract cannot be read, or says something that this program cannot judge."""


class CustomerValidator:
    """Checks messages against the customer contract; compiled once, used for every message.

    Args:
        contract_dir: directory that holds ``customer.schema.json``.
        max_message_bytes: limit for key, value and headers together, in bytes.

    Raises:
        ContractError: no usable contract in ``contract_dir``.
    """

    def __init__(self, contract_dir: Path, max_message_bytes: int) -> None:
        schema = load_contract(contract_dir / CONTRACT_FILE)
        unknown = {
            keyword
            for rules in schema["properties"].values()
            for keyword in rules
            if keyword not in _KEYWORDS and keyword not in ("description", "examples", "title")
        }
        if unknown:
            named = ", ".join(sorted(unknown))
            raise ContractError(f"{CONTRACT_FILE} uses keywords without an error type: {named}")
        self._max_message_bytes = max_message_bytes
        self._properties: dict[str, dict[str, Any]] = schema["properties"]
        self._required = [name for name in self._properties if name in schema["required"]]
        self._field_order = {name: rank for rank, name in enumerate(self._properties)}
        self._schema_validator = Draft202012Validator(schema, format_checker=_format_checker())

    def validate(self, value: bytes | None, message_size: int | None = None) -> Customer:
        """Return the customer that ``value`` holds.

        Args:
            value: the message's value as received.
            message_size: bytes of key, value and headers together; only the
                value counts if it is not given.

        Raises:
            InvalidMessageError: there is none, or it breaks the contract.
        """
        if value is None:
            raise InvalidMessageError(ErrorType.NULL_MESSAGE, "the message has no value")
        if not value:
            raise InvalidMessageError(ErrorType.EMPTY_MESSAGE, "the value is empty")
        size = len(value) if message_size is None else message_size
        if size > self._max_message_bytes:
            raise InvalidMessageError(
                ErrorType.TOO_LARGE,
                f"{size} bytes of key, value and headers exceed the limit of "
                f"{self._max_message_bytes}",
            )
        document = parse(value)
        if not isinstance(document, dict):
            raise InvalidMessageError(
                ErrorType.NOT_AN_OBJECT, f"the value is {_JSON_NAMES[type(document)]}"
            )
        self._check_contract(document)
        return document

    def _check_contract(self, document: Customer) -> None:
        errors = list(self._schema_validator.iter_errors(document))
        if not errors:
            return
        kind, name, rule = min(
            (self._classify(error, document) for error in errors),
            key=lambda found: (
                PRECEDENCE[found[0]],
                self._field_order.get(found[1], len(self._field_order)),
                found[1],
            ),
        )
        reason = self._explain(kind, name, rule, document)
        if len(errors) > 1:
            more = len(errors) - 1
            reason += f" (and {more} more error{'s' if more > 1 else ''})"
        # A lone surrogate is legal in JSON but not in UTF-8.
        raise InvalidMessageError(kind, reason.encode("utf-8", "replace").decode("utf-8"))

    def _classify(self, error: ValidationError, document: Customer) -> tuple[ErrorType, str, str]:
        """Return the kind of error, the field and the keyword of the contract."""
        keyword = str(error.validator)
        kind = _KEYWORDS[keyword]
        if kind is ErrorType.MISSING_FIELD:
            # jsonschema names the field in its message only.
            name = next(field for field in self._required if field not in document)
        elif kind is ErrorType.UNKNOWN_FIELD:
            name = min(field for field in document if field not in self._properties)
        else:
            name = str(error.absolute_path[0])
        return kind, name, keyword

    def _explain(self, kind: ErrorType, name: str, keyword: str, document: Customer) -> str:
        if kind is ErrorType.MISSING_FIELD:
            return f"{name}: required field is missing"
        if kind is ErrorType.UNKNOWN_FIELD:
            return f"{_shorten(name)!r}: field is not part of the contract"
        value, rule = _SHORT.repr(document[name]), self._properties[name][keyword]
        if kind is ErrorType.WRONG_TYPE:
            return f"{name}: {value} is not of type {rule}"
        if kind is ErrorType.NOT_ALLOWED_VALUE:
            return f"{name}: {value} is not one of {rule}"
        if kind is ErrorType.OUT_OF_RANGE:
            return f"{name}: {value} breaks the {keyword} of {rule}"
        if keyword == "format":
            return f"{name}: {value} is not a {rule} in UTC"
        return f"{name}: {value} does not have the form required"


def load_contract(path: Path) -> dict[str, Any]:
    """Read a JSON Schema from ``path``.

    Raises:
        ContractError: there is none.
    """
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        schema["properties"].items()
    except OSError as error:
        raise ContractError(f"cannot read the contract {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ContractError(f"{path} is not a contract: {error!r}") from error
    return schema


def parse(value: bytes) -> object:
    """Parse ``value`` as strict JSON in UTF-8.

    Raises:
        InvalidMessageError: it is not that (``invalid_json``).
    """
    try:
        text = value.decode("utf-8")
        document = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_parse_number,
            parse_int=_parse_integer,
            object_pairs_hook=_object_without_duplicates,
        )
    except UnicodeDecodeError as error:
        raise _not_json(f"byte 0x{value[error.start]:02x} at {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise _not_json(f"{error.msg.removesuffix(' at')} at character {error.pos}") from error
    except RecursionError:
        raise _too_deep() from None
    if _nests_deeper_than(document, MAX_NESTING):
        raise _too_deep()
    return document


def _not_json(reason: str) -> InvalidMessageError:
    return InvalidMessageError(ErrorType.INVALID_JSON, reason)


def _too_deep() -> InvalidMessageError:
    return _not_json(f"nested deeper than {MAX_NESTING} levels")


def _refuse_constant(name: str) -> NoReturn:
    raise _not_json(f"{name} is not JSON")


def _parse_number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _not_json(f"number {_shorten(text)} is beyond the range of a double")
    return number


def _parse_integer(text: str) -> int:
    # Python refuses to convert very long integers, and quadratic time is why:
    # float() decides on the range first, after which 310 digits are the most.
    _parse_number(text)
    return int(text)


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                shown = _shorten(name).encode("utf-8", "replace").decode("utf-8")
                raise _not_json(f"name {shown!r} occurs more than once in one object")
            seen.add(name)
    return result


def _nests_deeper_than(document: object, limit: int) -> bool:
    level: list[object] = [document]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _children(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def is_utc_date_time(value: object) -> bool:
    """Tell whether ``value``, if it is a text, is an existing time in UTC by ISO 8601."""
    if not isinstance(value, str):
        return True
    if not _DATE_TIME.fullmatch(value):
        return False
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return False
    return moment.utcoffset() == UTC.utcoffset(None)


def _format_checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    checker.checks("date-time")(is_utc_date_time)
    return checker


def _shorten(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def _short_repr() -> reprlib.Repr:
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 60
    short.maxlevel = 2
    return short


_SHORT = _short_repr()
