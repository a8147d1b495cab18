"""What can be expected of operations on keys, by model. Loads no library."""

from dataclasses import dataclass
from typing import ClassVar

from stackproof.history.expectation import Expectation

CONSISTENCIES = ("linearizable", "regular", "eventual")


@dataclass(frozen=True)
class Registers(Expectation):
    """Readings tell the last value that was written, or one that was being written meanwhile.

    Attributes:
        space: the store.
        consistency: "linearizable": every reading as if each operation happened at one moment
            between its call and its answer; "regular": the last value, or one that was being
            written meanwhile; "eventual": only values that were written, and not before.
        late_ms: how much longer than its time to live a value may be there, in milliseconds.
    """

    model: ClassVar[str] = "register"
    space: str
    consistency: str = "linearizable"
    late_ms: int = 1000

    def __post_init__(self) -> None:
        """Refuse nonsense.

        Raises:
            ValueError: the consistency is not known.
        """
        super().__post_init__()
        if self.consistency not in CONSISTENCIES:
            known = ", ".join(CONSISTENCIES)
            raise ValueError(f"consistency is one of {known}, not {self.consistency!r}")


@dataclass(frozen=True)
class Queue(Expectation):
    """Every message that was put is taken, once, in order.

    Attributes:
        space: the queue.
        dead_letters: the space of its dead-letter queue; "": it has none.
        may_die: labels of messages that belong there; rejected and expired ones do anyway.
        ordered: whether messages are first taken in the order in which they were put.
        marks: whether messages that are handed out again are marked so.
        settled: whether nothing more can come; before, nothing is lost.
        late_ms: how much later than its time to live a message may still be taken.
        max_length: how many messages it holds, the oldest above that are dead-lettered; 0: any.
        delivery_limit: how often a message may come back before it is dead-lettered; None: always.
        priorities: labels of messages that go first, the most urgent last; all others come after.
    """

    model: ClassVar[str] = "queue"
    space: str
    dead_letters: str = ""
    may_die: tuple[str, ...] = ()
    ordered: bool = False
    marks: bool = False
    settled: bool = True
    late_ms: int = 1000
    max_length: int = 0
    delivery_limit: int | None = None
    priorities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Normalise lists."""
        super().__post_init__()
        self.normalise("may_die", "priorities")


@dataclass(frozen=True)
class Members(Expectation):
    """A listing has every member that was added and not removed, once, as it was added.

    Attributes:
        space: the set.
        visible: "at once": in every listing that begins after the adding was answered; "at last":
            in the last listing.
        settled: whether the last listing was made when everything was to be there.
        reader: whose listings count, such as those of one replica; "": everybody's.
    """

    model: ClassVar[str] = "set"
    space: str
    visible: str = "at once"
    settled: bool = True
    reader: str = ""

    def __post_init__(self) -> None:
        """Refuse nonsense.

        Raises:
            ValueError: the visibility is not known.
        """
        super().__post_init__()
        if self.visible not in ("at once", "at last"):
            raise ValueError(f"visible is 'at once' or 'at last', not {self.visible!r}")


@dataclass(frozen=True)
class Locks(Expectation):
    """Of each lock there is one holder at a time.

    Attributes:
        space: the set of locks.
        lease_ms: for how long it is held without a release, in milliseconds; 0: for ever.
    """

    model: ClassVar[str] = "lock"
    space: str
    lease_ms: int = 0


@dataclass(frozen=True)
class Limit(Expectation):
    """Of each key, at most so many units in any window of time, and as many when asked for.

    Attributes:
        space: what is limited.
        most: units.
        window_ms: length of the window, in milliseconds.
        fair: whether a refusal needs the window to be full.
    """

    model: ClassVar[str] = "limit"
    space: str
    most: int
    window_ms: int
    fair: bool = True
