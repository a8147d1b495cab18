"""For each check: one violating history, two clean ones.

`CASES[name]` holds a function without arguments for each; what they return says what was
expected as well. `tests.history.test_mutants` proves of every one that it can fail.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from stackproof.history import Flow
from tests.history.story import DIRECT, THROUGH, Story, delivered

CALLS = replace(DIRECT, order="sequence")
TURNS = replace(DIRECT, group_clients=("one", "two"))
UNSETTLED = replace(DIRECT, settled=False)
READ = {"isolation": "read_committed"}


@dataclass(frozen=True)
class Case:
    """Histories for one check, and how often the violating one shows the anomaly."""

    violating: Callable[[], Story]
    clean: tuple[Callable[[], Story], Callable[[], Story]]
    idents: tuple[str, ...]
    count: int = 1
    severity: str = "violation"
    flow: Flow = DIRECT


def sent(*idents: str) -> Story:
    """All sent and acknowledged in one partition, nothing received."""
    story = Story()
    for offset, ident in enumerate(idents):
        story.sent(ident, offset=offset)
    return story


def in_transaction(*idents: str, end: str = "commit", status: str | None = "ok") -> Story:
    """One transaction, its sends all acknowledged, ended so."""
    story = Story().consumer("reader", **READ)
    number = story.begun()
    for offset, ident in enumerate(idents):
        story.sent(ident, offset=offset, transaction=number)
    return story.ended(number, end, status) if end else story


def read_early() -> Story:
    story = Story().consumer("reader", **READ)
    number = story.begun()
    story.sent("a", offset=0, transaction=number).polled("reader", ("a", 0))
    return story.ended(number, "commit")


def read_uncommitted_early() -> Story:
    story = Story()
    number = story.begun()
    story.sent("a", offset=0, transaction=number).polled("reader", ("a", 0))
    return story.ended(number, "commit")


def moved(back: bool) -> Story:
    """A consumer that is assigned its partition anew, and goes back or ahead."""
    story = sent(*"abcde").consumer("one", mode="subscribe", group="g")
    story.polled("one", ("b", 1), ("c", 2), assigned=True)
    later = [("a", 0)] if back else [("e", 4)]
    return story.polled("one", *later, assigned=True)


def sought() -> Story:
    story = sent(*"abcd").polled("one", ("a", 0))
    story.history.assignment("one", "sought", [("in", 0)])
    return story.polled("one", ("d", 3))


def uneven(*offsets: int, transactions: bool = False) -> Story:
    """One producer's sends, acknowledged at these offsets."""
    story = Story()
    number = story.begun() if transactions else -1
    for offset in offsets:
        story.sent(f"m{offset}", offset=offset, transaction=number)
    return story.ended(number, "commit") if transactions else story


def revoked(poll_after: bool) -> Story:
    story = sent(*"ab").consumer("one", mode="subscribe", group="g")
    story.polled("one", ("a", 0), assigned=True)
    story.history.assignment("one", "revoked", [("in", 0)])
    return story.polled("one", ("b", 1), assigned=not poll_after)


def interleaved(between: str) -> Story:
    story = Story()
    number = story.begun()
    story.sent("a", offset=0, transaction=number).sent(between, offset=1, client="another")
    return story.sent("c", offset=2, transaction=number).ended(number, "commit")


def turns(*second: int) -> Story:
    """Four records; consumer one reads two of them, consumer two these offsets."""
    story = (
        sent(*"abcd").received("a", offset=0, client="one").received("b", offset=1, client="one")
    )
    for offset in second:
        story.received("abcd"[offset], offset=offset, client="two")
    return story


def through(*topics: str) -> Story:
    """One message, received on these topics."""
    story = Story().sent("a")
    for topic in topics:
        story.received("a", topic=topic, offset=0)
    return story


MORE: dict[str, list[tuple[Callable[[], Story], Flow, int]]] = {
    "lost": [
        (lambda: sent("a", "b").received("a", offset=0), replace(DIRECT, completeness=0.5), 1),
        (lambda: sent("a", "b").received("a", offset=0), replace(DIRECT, completeness=0.9), 1),
    ],
    "outstanding": [
        (lambda: sent("a", "b").received("a", offset=0), replace(UNSETTLED, completeness=0.5), 1),
        (lambda: sent("a", "b").received("a", offset=0), replace(UNSETTLED, completeness=0.9), 1),
    ],
    "reordered": [
        (
            lambda: Story().sent("a", offset=1).sent("b", offset=0).received("b", offset=0)
            .received("a", offset=1),
            CALLS,
            1,
        ),
    ],
    "inconsistent-offsets": [
        (lambda: Story().sent("a", offset=4).received("b", offset=4), DIRECT, 1),
        (lambda: Story().sent("a", "unknown", offset=4).received("b", offset=4), DIRECT, 0),
    ],
    "aborted-read": [
        (lambda: Story().sent("a", "fail").received("a", offset=0), DIRECT, 1),
        (lambda: Story().sent("a", "fail").sent("a", offset=0).received("a", offset=0), DIRECT, 0),
        (lambda: delivered("a").received("ghost", offset=1), DIRECT, 0),
    ],
    "precommitted-read": [
        (lambda: in_transaction("a", end="").polled("reader", ("a", 0)), DIRECT, 1),
    ],
}  # fmt: skip
"""Further histories by the check's name, each with its flow and how often it must be found."""

CASES = {
    "lost": Case(
        lambda: sent("a", "b").received("a", offset=0),
        (lambda: delivered("a", "b"), lambda: delivered("a").sent("b", "unknown")),
        ("b",),
    ),
    "outstanding": Case(
        lambda: sent("a", "b").received("a", offset=0),
        (lambda: delivered("a", "b"), lambda: delivered("a").sent("b", "unknown")),
        ("b",),
        flow=UNSETTLED,
    ),
    "duplicated": Case(
        lambda: delivered("a", "b").received("b", offset=1),
        (
            lambda: delivered("a", "b"),
            lambda: delivered("a").sent("a", "unknown").received("a", offset=1),
        ),
        ("b",),
    ),
    "unexpected": Case(
        lambda: delivered("a").received("ghost", offset=1),
        (lambda: delivered("a"), lambda: Story().sent("a", "unknown").received("a", offset=0)),
        ("ghost",),
    ),
    "corrupted": Case(
        lambda: delivered("a").sent("b", offset=1).received("b", offset=1, content="other"),
        (
            lambda: delivered("a", "b"),
            lambda: delivered("a").sent("a", content="other", offset=1).received(
                "a", content="other", offset=1),
        ),
        ("b",),
    ),
    "reordered": Case(
        lambda: sent("a", "b").received("b", offset=0).received("a", offset=1),
        (
            lambda: delivered("a", "b"),
            lambda: sent("a", "b").received("b", offset=1).received("a", offset=0),
        ),
        ("a", "b"),
        flow=CALLS,
    ),
    "inconsistent-offsets": Case(
        lambda: delivered("a").received("b", offset=0),
        (
            lambda: delivered("a").received("a", offset=0),
            lambda: delivered("a").received("b", offset=1).received("c", partition=1, offset=0),
        ),
        ("a", "b"),
    ),
    "conflicting-outcomes": Case(
        lambda: through("out", "dead"),
        (lambda: through("out"), lambda: through("dead")),
        ("a",),
        flow=THROUGH,
    ),
    "misrouted": Case(
        lambda: through("dead"),
        (lambda: through("out"), lambda: through("out", "dead")),
        ("a",),
        flow=THROUGH,
    ),
    "gap-at-resume": Case(
        lambda: turns(3),
        (lambda: turns(2, 3), lambda: turns(1, 2, 3)),
        ("b", "c", "d"),
        flow=TURNS,
    ),
    "overlap-at-resume": Case(
        lambda: turns(1, 2, 3),
        (lambda: turns(2, 3), lambda: turns(3)),
        ("b",),
        severity="information",
        flow=TURNS,
    ),
    "unacknowledged-but-visible": Case(
        lambda: Story().sent("a", "unknown").received("a", offset=0),
        (lambda: delivered("a"), lambda: Story().sent("a", "unknown")),
        ("a",),
        severity="information",
    ),
    "lost-write": Case(
        lambda: sent(*"abc").received("a", offset=0).received("c", offset=2),
        (
            lambda: delivered(*"abc"),
            lambda: sent(*"abc").received("a", offset=0).received("b", offset=1),
        ),
        ("b",),
    ),
    "unseen": Case(
        lambda: sent(*"abc").drained(("a", 0), ("b", 1), end=2),
        (
            lambda: sent(*"abc").drained(("a", 0), ("b", 1), ("c", 2), end=3),
            lambda: sent(*"ab").sent("c", None).drained(("a", 0), ("b", 1), end=2),
        ),
        ("c",),
    ),
    "vanished": Case(
        lambda: sent(*"ab").polled("one", ("a", 0), ("b", 1)).drained(("a", 0), end=1,
                                                                      isolation="read_uncommitted"),
        (
            lambda: sent(*"ab").polled("one", ("a", 0), ("b", 1)).drained(("a", 0), ("b", 1)),
            lambda: sent(*"ab").consumer("one", **READ).polled("one", ("a", 0), ("b", 1)).drained(
                ("b", 1), begin=1),
        ),
        ("b",),
    ),
    "stored-twice": Case(
        lambda: delivered("a", "b").received("a", offset=2),
        (
            lambda: delivered("a", "b").received("a", offset=0),
            lambda: delivered("a").sent("a", offset=1).received("a", offset=1),
        ),
        ("a",),
    ),
    "aborted-read": Case(
        lambda: in_transaction("a", end="abort").polled("reader", ("a", 0)),
        (
            lambda: in_transaction("a", end="abort").polled("uncommitted", ("a", 0)),
            lambda: in_transaction("a").polled("reader", ("a", 0)),
        ),
        ("a",),
    ),
    "precommitted-read": Case(
        read_early,
        (lambda: in_transaction("a").polled("reader", ("a", 0)), read_uncommitted_early),
        ("a",),
    ),
    "torn-transaction": Case(
        lambda: in_transaction("a", "b", status="unknown").drained(("a", 0)),
        (
            lambda: in_transaction("a", "b").drained(("a", 0), ("b", 1)),
            lambda: in_transaction("a", "b", status="unknown").drained(),
        ),
        ("a", "b"),
    ),
    "poll-skip": Case(
        lambda: sent(*"abc").polled("one", ("a", 0)).polled("one", ("c", 2)),
        (lambda: moved(back=False), sought),
        ("a", "b", "c"),
    ),
    "nonmonotonic-poll": Case(
        lambda: sent(*"abc").polled("one", ("a", 0), ("b", 1)).polled("one", ("b", 1), ("c", 2)),
        (
            lambda: moved(back=True),
            lambda: sent(*"abc").polled("one", ("a", 0)).polled("one", ("b", 1), ("c", 2)),
        ),
        ("b",),
    ),
    "int-poll-skip": Case(
        lambda: sent(*"abc").polled("one", ("a", 0), ("c", 2)),
        (
            lambda: sent(*"abc").polled("one", ("a", 0), ("b", 1), ("c", 2)),
            lambda: Story().sent("a", offset=0).sent("c", offset=2).polled(
                "one", ("a", 0), ("c", 2)),
        ),
        ("a", "b", "c"),
    ),
    "int-nonmonotonic-poll": Case(
        lambda: sent(*"abc").polled("one", ("b", 1), ("a", 0), ("c", 2)),
        (
            lambda: sent(*"abc").polled("one", ("a", 0), ("b", 1)),
            lambda: sent(*"abc").polled("one", ("b", 1)).polled("one", ("a", 0)),
        ),
        ("b", "a"),
    ),
    "unassigned-poll": Case(
        lambda: revoked(poll_after=True),
        (lambda: revoked(poll_after=False), lambda: moved(back=True)),
        ("b",),
    ),
    "nonmonotonic-send": Case(
        lambda: uneven(1, 0),
        (lambda: uneven(0, 1, 5), lambda: uneven(1, 0, transactions=True)),
        ("m1", "m0"),
        flow=CALLS,
    ),
    "int-nonmonotonic-send": Case(
        lambda: uneven(1, 0, transactions=True),
        (lambda: uneven(0, 1, 5, transactions=True), lambda: uneven(1, 0)),
        ("m1", "m0"),
    ),
    "int-send-skip": Case(
        lambda: interleaved("b"),
        (
            lambda: uneven(0, 1, 5, transactions=True),
            lambda: in_transaction("a").sent("b", offset=1).sent("c", offset=3),
        ),
        ("a", "c"),
        severity="information",
    ),
}  # fmt: skip
"""By the check's name."""
