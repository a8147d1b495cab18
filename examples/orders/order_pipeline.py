"""Orders in, invoices out: to a topic and to a table; what is no order is rejected with the reason.

An order that comes again is invoiced once: the table is what remembers it.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
from confluent_kafka import Consumer, Message, Producer
from jsonschema import Draft202012Validator, FormatChecker

ORDER = Draft202012Validator(
    json.loads(Path(__file__).with_name("contracts").joinpath("order.schema.json").read_bytes()),
    format_checker=FormatChecker(),
)
TABLE = """
CREATE TABLE IF NOT EXISTS invoices (
    "order" text PRIMARY KEY,
    invoice uuid NOT NULL,
    customer text NOT NULL,
    total numeric(12, 2) NOT NULL,
    issued timestamptz NOT NULL
)"""
INSERT = """
INSERT INTO invoices ("order", invoice, customer, total, issued) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING"""


class RejectedError(Exception):
    """What came is no order.

    Args:
        error: its type.
        reason: for people.
    """

    def __init__(self, error: str, reason: str):
        super().__init__(f"{error}: {reason}")
        self.error, self.reason = error, reason


def read(value: bytes | None) -> dict[str, Any]:
    """The order; figures exactly."""
    if not value:
        raise RejectedError("no_order", "there is no content")
    try:
        order = json.loads(value.decode(), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise RejectedError("invalid_json", str(error)) from None
    for wrong in ORDER.iter_errors(order):
        raise RejectedError("invalid_order", f"{'.'.join(map(str, wrong.path))} {wrong.message}")
    return order


def invoice(order: dict[str, Any]) -> dict[str, Any]:
    """What the customer is to pay."""
    return {
        "invoice": str(uuid.uuid4()),
        "order": order["id"],
        "customer": order["customer"],
        "total": sum(item["count"] * Decimal(item["price"]) for item in order["items"]),
        "issued": datetime.now(UTC).isoformat(),
    }


def rejection(message: Message, problem: RejectedError) -> bytes:
    """The original, byte for byte, and why it is rejected."""
    value, encoding = message.value(), "utf-8"
    try:
        original = None if value is None else value.decode()
    except UnicodeDecodeError:
        original, encoding = base64.b64encode(value).decode(), "base64"
    told = {
        "original": original, "encoding": encoding, "error": problem.error,
        "reason": problem.reason, "topic": message.topic(), "at": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    return json.dumps(told).encode()


def written(found: dict[str, Any]) -> bytes:
    """As JSON; a total is a number, written as it is."""
    text = json.dumps({**found, "total": 0})
    return text.replace('"total": 0', f'"total": {found["total"]:f}').encode()


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    for name in ("broker", "orders", "invoices", "rejected", "group"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    database = psycopg2.connect(os.environ["DATABASE_URL"])
    database.autocommit = True
    rows = database.cursor()
    rows.execute(TABLE)
    producer = Producer({"bootstrap.servers": options.broker, "enable.idempotence": True})
    consumer = Consumer({
        "bootstrap.servers": options.broker,
        "group.id": options.group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
    })  # fmt: skip
    consumer.subscribe([options.orders], on_assign=lambda *_: print("ready", flush=True))
    while not ending:
        batch = [m for m in consumer.consume(200, timeout=0.1) if not m.error()]
        for message in batch:
            about = {"key": message.key(), "headers": message.headers()}
            try:
                made = invoice(read(message.value()))
            except RejectedError as error:
                producer.produce(options.rejected, rejection(message, error), **about)
                continue
            columns = ("order", "invoice", "customer", "total", "issued")
            rows.execute(INSERT, [made[column] for column in columns])
            if rows.rowcount:  # else it was invoiced before
                producer.produce(options.invoices, written(made), **about)
        if batch:
            if producer.flush(30):
                raise SystemExit("not everything was delivered")
            consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()
