"""Short histories for tests, readable line by line."""

from typing import Any

from stackproof.history import CHECKS, Anomaly, Flow, FlowRecords, History, digest_of

START = 1_700_000_000.0
DIRECT = Flow("delivery", "in", "in", content="bytes", order="offset")
THROUGH = Flow("pipeline", "in", "out", exclusive_topics=("dead",), content="carried")


class Story:
    """A history in which something happens every millisecond.

    Contents are given as plain words; a send without an offset stays without one, and a
    status of None leaves the send open.
    """

    def __init__(self) -> None:
        self.history = History("a story", seed=1)
        self.now = START

    def _tick(self) -> float:
        self.now += 0.001
        return self.now

    def sent(
        self,
        ident: str,
        status: str | None = "ok",
        *,
        topic: str = "in",
        partition: int = 0,
        offset: int | None = None,
        content: str = "content",
        carried: int | None = 7,
        label: str = "",
        client: str = "producer",
        error: str = "",
        transaction: int = -1,
    ) -> "Story":
        op = self.history.send(
            client=client,
            topic=topic,
            ident=ident,
            digest=digest_of(content.encode()),
            carried=carried,
            label=label,
            preview=content,
            transaction=transaction,
            at=self._tick(),
        )
        if status is not None:
            where = {} if offset is None else {"partition": partition, "offset": offset}
            self.history.complete(op, status, at=self._tick(), error=error, **where)  # type: ignore[arg-type]
        return self

    def received(
        self,
        ident: str,
        *,
        offset: int,
        topic: str = "in",
        partition: int = 0,
        content: str = "content",
        carried: int | None = 7,
        client: str = "consumer",
        poll: int = -1,
    ) -> "Story":
        self.history.receive(
            client=client,
            topic=topic,
            partition=partition,
            offset=offset,
            ident=ident,
            digest=digest_of(content.encode()),
            carried=carried,
            preview=content,
            poll=poll,
            at=self._tick(),
        )
        return self

    def consumer(self, client: str, **how: Any) -> "Story":
        self.history.consumer(client, **how)
        return self

    def polled(
        self,
        client: str,
        *records: tuple[str, int],
        topic: str = "in",
        partition: int = 0,
        assigned: bool = False,
    ) -> "Story":
        """One poll that hands over idents at offsets; assigned: it is assigned anew in it."""
        poll = self.history.poll(client, at=self._tick())
        if assigned:
            self.history.assignment(client, "assigned", [(topic, partition)], at=self._tick())
        for ident, offset in records:
            self.received(
                ident, offset=offset, topic=topic, partition=partition, client=client, poll=poll
            )
        self.history.polled(poll, at=self._tick())
        return self

    def drained(
        self,
        *records: tuple[str, int],
        topic: str = "in",
        begin: int = 0,
        end: int = 100,
        client: str = "drain",
        isolation: Any = "read_committed",
    ) -> "Story":
        """A final drain of one partition, by a fresh consumer."""
        self.history.consumer(client, isolation=isolation)
        at = self._tick()
        self.polled(client, *records, topic=topic)
        self.history.drain(
            client, topic, begins={0: begin}, ends={0: end}, at=at, until=self._tick()
        )
        return self

    def begun(self, transactional_id: str = "tx") -> int:
        return self.history.begin("producer", transactional_id, at=self._tick())

    def ended(self, transaction: int, how: Any, status: Any = "ok") -> "Story":
        self.history.end(transaction, how, at=self._tick())
        if status is not None:
            self.history.ended(transaction, how, status, at=self._tick())
        return self

    def find(self, name: str, flow: Flow = DIRECT) -> Anomaly:
        """Run one check."""
        return CHECKS[name].find(FlowRecords(self.history.snapshot(), flow))


def delivered(*idents: str) -> Story:
    """All sent and acknowledged in one partition, then received in order."""
    story = Story()
    for offset, ident in enumerate(idents):
        story.sent(ident, offset=offset)
    for offset, ident in enumerate(idents):
        story.received(ident, offset=offset)
    return story
