"""What messages look like, read from JSON Schemas; and JSON itself, read strictly.

`jsonschema` is imported when the first contract is loaded, not before.

It may touch `history` and the places in messages (`systems.places`).
"""

from stackproof.systems.contracts.contract import Contract, ContractViolationError, Embedded
from stackproof.systems.contracts.strict import (
    strict_json,
    strict_object,
    value_digest,
)

__all__ = [
    "Contract",
    "ContractViolationError",
    "Embedded",
    "strict_json",
    "strict_object",
    "value_digest",
]
