"""Delivery guarantees: which anomalies each of them allows.

Where loss is allowed, a history without loss proves nothing of the checker nor of the
setting: such scenarios also say what they *expect* to find (`Flow.expected`).
"""

from dataclasses import dataclass

LOSS = ("lost", "lost-write", "unseen")
"""The names under which loss is found."""
SKIPS = ("gap-at-resume", "poll-skip", "int-poll-skip")
REPEATS = ("duplicated", "overlap-at-resume", "nonmonotonic-poll")
"""The names under which repeated deliveries are found."""


@dataclass(frozen=True)
class Guarantee:
    """A named promise; anything it does not allow is a violation.

    Attributes:
        name: as the field calls it.
        meaning: in one sentence.
        allows: names of the anomalies that do not break it.
    """

    name: str
    meaning: str
    allows: tuple[str, ...] = ()


_REGISTER = (
    Guarantee(
        "at-most-once",
        "nothing is delivered twice; it may be lost (acks=0, or offsets committed first)",
        (*LOSS, *SKIPS),
    ),
    Guarantee(
        "at-least-once",
        "nothing acknowledged is lost; it may be stored or delivered again (retries)",
        (*REPEATS, "stored-twice"),
    ),
    Guarantee(
        "idempotent",
        "what is acknowledged is stored once; consumers may be handed it again",
        REPEATS,
    ),
    Guarantee(
        "exactly-once",
        "what is committed is seen once, as a whole; what is aborted is never seen",
    ),
)

GUARANTEES = {guarantee.name: guarantee for guarantee in _REGISTER}
"""All guarantees by name, the weakest first."""
