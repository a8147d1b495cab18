"""Short histories for tests, readable line by line."""

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
    ) -> "Story":
        op = self.history.send(
            client=client,
            topic=topic,
            ident=ident,
            digest=digest_of(content.encode()),
            carried=carried,
            label=label,
            preview=content,
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
            at=self._tick(),
        )
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
