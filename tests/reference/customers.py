"""Customers for the tests, made from the contract's own example."""

from __future__ import annotations

import json
from typing import Any

from tests.reference.fakes import CONTRACTS

CUSTOMER_SCHEMA: dict[str, Any] = json.loads((CONTRACTS / "customer.schema.json").read_text())


def customer(**changes: object) -> dict[str, Any]:
    return {**CUSTOMER_SCHEMA["examples"][0], **changes}


def numbered(number: int, **changes: object) -> dict[str, Any]:
    return customer(customerID=f"{number:04d}-ABCDE", **changes)


def as_bytes(value: object) -> bytes:
    return json.dumps(value).encode()
