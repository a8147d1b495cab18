"""A tiny pipeline, there to be replaced by your own: orders in, ratings out.

Delivers at least once: what a batch has become is delivered before the batch is committed.
"""

from __future__ import annotations

import argparse
import base64
import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from jsonschema import Draft202012Validator, FormatChecker
from prometheus_client import Counter, Histogram, start_http_server

CONTRACTS = Path(__file__).with_name("contracts")
ORDER = Draft202012Validator(
    json.loads((CONTRACTS / "order.schema.json").read_bytes()), format_checker=FormatChecker()
)
LARGEST_LETTER = json.loads((CONTRACTS / "dead_letter.schema.json").read_bytes())["x-max-bytes"]
#: Another instance has got the partitions meanwhile.
MOVED_ON = (
    KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._ASSIGNMENT_LOST, KafkaError.STALE_MEMBER_EPOCH, KafkaError.FENCED_MEMBER_EPOCH,
)  # fmt: skip
RECEIVED = Counter("orders_received", "Orders that came in.")
RATED = Counter("orders_rated", "Ratings that went out.")
SET_ASIDE = Counter("orders_set_aside", "Dead letters that went out.")
BATCH = Histogram("orders_batch_duration_seconds", "From a batch's first order to its commit.")
#: Error types by the keyword of the contract that an order violates.
ERRORS = {
    "required": "missing_field",
    "additionalProperties": "unknown_field",
    "type": "wrong_type",
    "format": "bad_format",
    "enum": "not_allowed_value",
}


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
    if not value:
        raise UnusableError("null_message" if value is None else "empty_message", "no order")
    if len(value) > ORDER.schema["x-max-bytes"]:
        raise UnusableError("too_large", f"{len(value)} bytes")
    try:
        order = parsed(value)
    except (ValueError, RecursionError) as error:
        raise UnusableError("invalid_json", str(error)) from None
    if not isinstance(order, dict):
        raise UnusableError("not_an_object", "an order is an object")
    for wrong in ORDER.iter_errors(order):
        raise UnusableError(ERRORS.get(wrong.validator, "out_of_range"), wrong.message)
    return {
        "order": {"id": order["orderId"], "placedAt": order["placedAt"]},
        "rating": min(5, int(order["amount"] // 1000)),
    }


def dead_letter(message: Message, problem: UnusableError) -> bytes:
    """An envelope with the original, byte for byte; too large a one is left out."""
    value, encoding = message.value(), "utf-8"
    try:
        original = None if value is None else value.decode()
    except UnicodeDecodeError:
        original, encoding = base64.b64encode(value).decode(), "base64"
    letter = {
        "original": original,
        "encoding": encoding,
        "error": problem.error,
        "reason": problem.reason,
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
    }
    found = json.dumps(letter).encode()
    around = [message.key(), *(part for name, text in message.headers() or ()
                               for part in (name.encode(), text))]  # fmt: skip
    if len(found) + sum(len(part or b"") for part in around) > LARGEST_LETTER:
        return json.dumps({**letter, "original": None, "encoding": "omitted"}).encode()
    return found


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    for name in ("broker", "input", "output", "dead-letters", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--metrics-port", type=int, required=True)
    options = parser.parse_args()
    start_http_server(options.metrics_port, "127.0.0.1")
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
        if batch:
            with BATCH.time():
                work(batch, consumer, producer, options)
    consumer.close()


def work(
    batch: list[Message], consumer: Consumer, producer: Producer, to: argparse.Namespace
) -> None:
    """Rate what has come in, deliver what it became, and commit it."""
    for message in batch:
        RECEIVED.inc()
        about = {"key": message.key(), "headers": message.headers()}
        try:
            value = json.dumps(rate(message.value())).encode()
            # Input and output have equally many partitions: order is kept whatever the key.
            producer.produce(to.output, value, partition=message.partition(), **about)
            RATED.inc()
        except UnusableError as error:
            producer.produce(to.dead_letters, dead_letter(message, error), **about)
            SET_ASIDE.inc()
    if producer.flush(30):
        raise SystemExit("not everything was delivered")
    commit(consumer)


def commit(consumer: Consumer) -> None:
    """Commit what the batch is done with; what another instance has got by now comes again."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() not in MOVED_ON:
            raise


if __name__ == "__main__":
    main()
