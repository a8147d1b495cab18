"""Publishing with confirms, with each outcome recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, UnroutableError

from stackproof.history import History
from stackproof.services.base import Endpoint
from stackproof.services.rabbitmq.client import NO_VERDICT, close, connect
from stackproof.services.rabbitmq.known import FIRST, PERSISTENT
from stackproof.services.sending import Sent


@dataclass(frozen=True)
class Message:
    """A message to publish, kept on disk by the broker.

    Attributes:
        ident: its message ID, by which the history recognises it.
        body: the raw bytes.
        ttl: milliseconds for which it lives; None: for ever.
        priority: how urgent it is; None: it does not say.
        headers: sent along.
    """

    ident: str
    body: bytes
    ttl: int | None = None
    priority: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Publisher:
    """Publishes to one broker; every message is persistent, mandatory and awaits its confirm.

    Args:
        endpoint: where the broker is.
        history: receives every publishing.
        name: the publisher's name in the history.
        node: which server it is connected to.
        timeout: seconds for its connection, and for which the broker may block it.

    Attributes:
        confirmed: by queue, messages without a time to live.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        history: History,
        *,
        name: str,
        node: str = FIRST,
        timeout: float = 10.0,
    ):
        self._history = history
        self.name = name
        self.confirmed: dict[str, set[str]] = defaultdict(set)
        self._connection = connect(endpoint, node, timeout=timeout)
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()

    def publish(
        self,
        messages: Iterable[Message],
        *,
        queue: str,
        exchange: str = "",
        routing_key: str | None = None,
        lives: int = 0,
    ) -> Sent:
        """Publish messages in order, each confirmed before the next.

        Args:
            messages: what to publish.
            queue: where they are to end; what the history calls the place.
            exchange: where to publish; empty: the one that knows every queue by its name.
            routing_key: the queue's name unless given.
            lives: milliseconds for which the queue keeps a message; 0: for ever.
        """
        sent = Sent()
        for message in messages:
            ttl = min(filter(None, (message.ttl, lives)), default=0)
            op = self._history.invoke(
                "put",
                client=self.name,
                space=queue,
                key=message.ident,
                value=message.body,
                number=ttl,
                label="" if message.priority is None else str(message.priority),
            )
            properties = pika.BasicProperties(
                message_id=message.ident,
                delivery_mode=PERSISTENT,
                headers=dict(message.headers) or None,
                expiration=None if message.ttl is None else str(message.ttl),
                priority=message.priority,
            )
            try:
                self._channel.basic_publish(
                    exchange,
                    queue if routing_key is None else routing_key,
                    message.body,
                    properties,
                    mandatory=True,
                )
            except UnroutableError as error:
                sent.failed += 1
                reason = f"returned: {error.messages[0].method.reply_text}"
                self._fail(sent, op, reason)
            except NackError:
                sent.failed += 1
                self._fail(sent, op, "refused: the broker answered nack")
            except (AMQPError, OSError) as error:
                if isinstance(error, ChannelClosedByBroker) and error.reply_code in NO_VERDICT:
                    self._fail(sent, op, error.reply_text)
                    raise
                # Without an answer it may be in the queue all the same.
                sent.unknown += 1
                text = f"{type(error).__name__}: {error}"
                sent.errors[text] += 1
                self._history.answered(op, "unknown", error=text)
            else:
                sent.ok += 1
                self._history.answered(op, "ok")
                if not ttl:
                    self.confirmed[queue].add(message.ident)
        return sent

    def _fail(self, sent: Sent, op: int, reason: str) -> None:
        sent.errors[reason] += 1
        self._history.answered(op, "fail", error=reason)

    def close(self) -> None:
        """Close the connection."""
        close(self._connection)
