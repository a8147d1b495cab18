"""What messages look like, read from JSON Schemas; and JSON itself, read strictly.

`jsonschema` is imported when the first contract is loaded, not before.
"""

from stackproof.systems.contracts.contract import Contract, ContractViolationError, Embedded
from stackproof.systems.contracts.strict import (
    NotJsonError,
    strict_json,
    strict_object,
    value_digest,
)

__all__ = [
    "Contract",
    "ContractViolationError",
    "Embedded",
    "NotJsonError",
    "strict_json",
    "strict_object",
    "value_digest",
]
