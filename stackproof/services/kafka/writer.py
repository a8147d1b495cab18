"""Messages that are produced, each acknowledged by all replicas in sync, to see which are kept."""

from __future__ import annotations

import contextlib
from typing import Any

from stackproof.history import History
from stackproof.polling import DeadlineExceeded
from stackproof.services.base import Endpoint
from stackproof.services.kafka.client.admin import KafkaAdmin, TopicSpec
from stackproof.services.kafka.client.connection import connection
from stackproof.services.kafka.client.consuming import TopicReader

_PARTITIONS = 3
#: Seconds for all that a scenario has written.
_READ_WITHIN = 20.0


class RecordsWriter:
    """See `stackproof.services.writer.Writer`; a text is a record of a topic, sent once."""

    through = ""

    def __init__(self, endpoint: Endpoint, name: str, *, timeout: float):
        from kafka import KafkaProducer

        self._connection: dict[str, Any] = connection(endpoint.addresses, endpoint.access)
        self._topic, self._timeout = name, timeout
        self._admin = KafkaAdmin(endpoint.addresses, endpoint.access)
        self._admin.create([TopicSpec(name, _PARTITIONS)])
        milliseconds = round(timeout * 1000)
        self._producer = KafkaProducer(
            **self._connection,
            acks="all",
            retries=0,  # a repeated one would be there twice
            enable_idempotence=False,
            request_timeout_ms=milliseconds,
            max_block_ms=milliseconds,
        )

    def write(self, text: str) -> None:
        """Produce one record."""
        self._producer.send(self._topic, text.encode()).get(timeout=self._timeout)

    def kept(self) -> list[str]:
        """All records up to the present ends."""
        whole = TopicReader(self._connection, History(), self._topic, name="reader")
        with contextlib.closing(whole) as reader:
            try:
                records = reader.drain(within=_READ_WITHIN)
            except DeadlineExceeded as late:
                raise TimeoutError(str(late)) from late
        return [(record.value or b"").decode(errors="replace") for record in records]

    def close(self) -> None:
        """Delete the topic."""
        self._producer.close(timeout=self._timeout)
        self._admin.delete([self._topic])
