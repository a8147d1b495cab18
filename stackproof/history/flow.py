"""What was expected of one path through the system."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from stackproof.history.expectation import Expectation
from stackproof.history.guarantee import GUARANTEES

Content = Literal["bytes", "carried"]
Order = Literal["offset", "sequence"]


@dataclass(frozen=True)
class Flow(Expectation):
    """The expectations on what was sent to one topic and should arrive on another.

    Attributes:
        sent_topic: where the messages were sent.
        received_topic: where they are expected; the same topic for a plain delivery.
        sent_label: only sends of this class count, or of these; None: all.
        exclusive_topics: topics where none of these messages may appear.
        completeness: fraction (0..1) of the acknowledged sends that must arrive.
        max_duplicates: how many receptions too many are tolerated in all.
        content: what must be the same at both ends: the raw "bytes", what a
            transforming system has "carried" over, or nothing (None).
        order: "offset": records of one source partition keep the order of their
            offsets within an output partition; "sequence": records that one client
            sent to one partition keep the order of the calls; None: any order. In
            both, the first reception of a message counts.
        scope_clients: only the records of these clients count, senders and receivers
            alike, so name both; None: all.
        group_clients: consumers which took turns on the received topic (members of
            one group); where one took over from another, gaps and overlaps are
            looked for. Empty: not checked.
        guarantee: what is promised, a name of `GUARANTEES`: the anomalies that it allows
            are no violations; None: all of them are, within the bounds above.
        settled: whether nothing more can come. Where more may, what has not arrived is
            "outstanding", and neither lost nor unseen.
        drained: whether a final drain of the received topic is needed for a conclusion.
        sets_aside: whether the received topic is one for messages that cannot be processed,
            such as dead letters; elsewhere the exclusive topics are. It decides over nothing
            but the words and colours of pictures.
    """

    model: ClassVar[str] = "log"
    sent_topic: str
    received_topic: str
    sent_label: str | tuple[str, ...] | None = None
    exclusive_topics: tuple[str, ...] = ()
    completeness: float = 1.0
    max_duplicates: int = 0
    content: Content | None = None
    order: Order | None = None
    scope_clients: tuple[str, ...] | None = None
    group_clients: tuple[str, ...] = ()
    guarantee: str | None = None
    settled: bool = True
    drained: bool = False
    sets_aside: bool = False

    def __post_init__(self) -> None:
        """Refuse nonsense.

        Raises:
            ValueError: a field has a value without meaning; the message names it.
        """
        super().__post_init__()
        self.normalise("exclusive_topics", "scope_clients", "group_clients")
        if not isinstance(self.sent_label, str):
            self.normalise("sent_label")
        if not 0.0 <= self.completeness <= 1.0:
            raise ValueError(f"completeness is a fraction from 0 to 1, not {self.completeness}")
        if self.max_duplicates < 0:
            raise ValueError(f"max_duplicates is 0 or more, not {self.max_duplicates}")
        for name, value, known in (
            ("content", self.content, get_args(Content)),
            ("order", self.order, get_args(Order)),
            ("guarantee", self.guarantee, tuple(GUARANTEES)),
        ):
            if value is not None and value not in known:
                raise ValueError(f"{name} is one of {', '.join(known)} or None, not {value!r}")
        if self.received_topic in self.exclusive_topics:
            raise ValueError(
                f'"{self.received_topic}" is where the messages are expected: '
                "it cannot be one of the exclusive topics as well"
            )

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The classes of messages that count; None: all."""
        return (self.sent_label,) if isinstance(self.sent_label, str) else self.sent_label

    def allows(self, anomaly: str, count: int) -> str:
        """Why an anomaly is no violation; see `Expectation.allows`."""
        if anomaly in ("duplicated", "stored-twice") and 0 < self.max_duplicates < count:
            return ""  # however much is allowed, it is bounded
        if told := super().allows(anomaly, count):
            return told
        if self.guarantee is not None and anomaly in GUARANTEES[self.guarantee].allows:
            return f"allowed by {self.guarantee}"
        return ""
