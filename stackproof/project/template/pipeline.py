"""A tiny pipeline, there to be replaced by your own: orders in, ratings out.

Delivers at least once: what a batch has become is delivered before the batch is committed.
"""

from __future__ import annotations

import argparse
import base64
import json
import signal
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, Message, Producer

REQUIRED = ("orderId", "placedAt", "customer", "amount")


class UnusableError(Exception):
    """An order that cannot be rated; its text is the error type."""


def rate(value: bytes | None) -> dict[str, Any]:
    """The rating of an order."""
    try:
        order = json.loads(value or b"")
    except ValueError:
        raise UnusableError("invalid_json") from None
    if not isinstance(order, dict):
        raise UnusableError("not_an_object")
    if any(name not in order for name in REQUIRED):
        raise UnusableError("missing_field")
    if not isinstance(order["amount"], int | float):
        raise UnusableError("wrong_type")
    if not 0 <= order["amount"] <= 10_000:
        raise UnusableError("out_of_range")
    return {
        "order": {"id": order["orderId"], "placedAt": order["placedAt"]},
        "rating": min(5, int(order["amount"] // 1000)),
    }


def dead_letter(message: Message, error: str) -> bytes:
    """An envelope with the original, byte for byte."""
    value = message.value()
    letter = {
        "original": None if value is None else base64.b64encode(value).decode(),
        "encoding": "base64",
        "error": error,
        "topic": message.topic(),
        "at": datetime.now(UTC).isoformat(),
    }
    return json.dumps(letter).encode()


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    for name in ("broker", "input", "output", "dead-letters", "group"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    signal.signal(signal.SIGINT, lambda number, _: ending.append(number))
    producer = Producer({"bootstrap.servers": options.broker, "enable.idempotence": True})
    consumer = Consumer({
        "bootstrap.servers": options.broker,
        "group.id": options.group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
    })  # fmt: skip
    consumer.subscribe([options.input], on_assign=lambda *_: print("ready", flush=True))
    while not ending:
        batch = [m for m in consumer.consume(200, timeout=0.1) if not m.error()]
        for message in batch:
            try:
                topic, value = options.output, json.dumps(rate(message.value())).encode()
            except UnusableError as error:
                topic, value = options.dead_letters, dead_letter(message, str(error))
            producer.produce(topic, value, message.key(), headers=message.headers())
        if batch:
            if producer.flush(30):
                raise SystemExit("not everything was delivered")
            consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()
