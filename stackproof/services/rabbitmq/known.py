"""What server, client, probe and fixture of RabbitMQ call the same."""

from __future__ import annotations

from collections.abc import Mapping

from stackproof.errors import Trouble
from stackproof.values import unknown_key

FIRST = "node-1"
#: The user, whose password is the same, and the virtual host that every new server has.
USER, VIRTUAL_HOST = "guest", "/"
#: Delivery mode of messages that the broker keeps on its disk.
PERSISTENT = 2
#: What a queue may be declared with, as RabbitMQ calls it without its "x-": numbers, and words.
NUMBERS = (
    "delivery-limit",
    "expires",
    "max-length",
    "max-length-bytes",
    "max-priority",
    "message-ttl",
)
WORDS = (
    "dead-letter-exchange",
    "dead-letter-routing-key",
    "dead-letter-strategy",
    "overflow",
    "queue-leader-locator",
    "queue-mode",
    "queue-type",
)
#: Kinds of exchanges.
EXCHANGES = ("direct", "fanout", "headers", "topic")
#: What a dead letter tells of each of its deaths, and how features call it.
DEATH = {
    "queue": "queue",
    "reason": "reason",
    "exchange": "exchange",
    "routing keys": "routing-keys",
    "count": "count",
}


def arguments(given: Mapping[str, str]) -> dict[str, int | str]:
    """Arguments of a queue from a feature's table.

    Raises:
        Trouble: RabbitMQ has no such argument, or it is a number and none is given.
    """
    for name, text in given.items():
        if name not in (*NUMBERS, *WORDS):
            raise unknown_key(name, (*NUMBERS, *WORDS), "the arguments of a queue")
        if name in NUMBERS and not text.isdecimal():
            raise Trouble(
                f"{name} of a queue is no number: {text!r}",
                "RabbitMQ counts messages, bytes and milliseconds",
                "give a whole number without its unit",
            )
    return {name: int(text) if name in NUMBERS else text for name, text in given.items()}
