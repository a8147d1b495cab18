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
    """An order that cannot be rated.

    Args:
        error: its type.
        reason: for people.
    """

    def __init__(self, error: str, reason: str):
        super().__init__(f"{error}: {reason}")
        self.error, self.reason = error, reason


def parsed(value: bytes) -> Any:
    """What is JSON to every reader: no NaN, no name twice, no number that no double can hold."""

    def number(text: str) -> float:
        if abs(found := float(text)) == float("inf"):
            raise ValueError(f"{text:.20} is beyond a double")
        return found

    def whole(text: str) -> int:
        number(text)
        return int(text)

    def refused(text: str) -> None:
        raise ValueError(f"{text} is not JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name occurs twice in one object")
        return dict(pairs)

    return json.loads(value.decode(), parse_float=number, parse_int=whole,
                      parse_constant=refused, object_pairs_hook=once)  # fmt: skip


def rate(value: bytes | None) -> dict[str, Any]:
    """The rating of an order."""
    try:
        order = parsed(value or b"")
    except (ValueError, RecursionError) as error:
        raise UnusableError("invalid_json", str(error)) from None
    if not isinstance(order, dict):
        raise UnusableError("not_an_object", "an order is an object")
    if missing := [name for name in REQUIRED if name not in order]:
        raise UnusableError("missing_field", f"{missing[0]} is missing")
    amount = order["amount"]
    if not isinstance(amount, int | float):
        raise UnusableError("wrong_type", "amount is no number")
    if not 0 <= amount <= 10_000:
        raise UnusableError("out_of_range", f"amount is {amount}, not 0 to 10000")
    return {
        "order": {"id": order["orderId"], "placedAt": order["placedAt"]},
        "rating": min(5, int(order["amount"] // 1000)),
    }


def dead_letter(message: Message, problem: UnusableError) -> bytes:
    """An envelope with the original, byte for byte."""
    value = message.value()
    letter = {
        "original": None if value is None else base64.b64encode(value).decode(),
        "encoding": "base64",
        "error": problem.error,
        "reason": problem.reason,
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
                topic, value = options.dead_letters, dead_letter(message, error)
            producer.produce(topic, value, message.key(), headers=message.headers())
        if batch:
            if producer.flush(30):
                raise SystemExit("not everything was delivered")
            consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()
