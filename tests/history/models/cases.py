"""For each anomaly of each model: one violating history, and clean ones that come close.

A history is a list of rows: client, action, key, value or number, from, to, and what is special.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stackproof.history import (
    Expectation,
    History,
    Limit,
    Locks,
    Members,
    Queue,
    Registers,
)

START = 1_700_000_000.0
Row = tuple[Any, ...]


def op(
    client: str, action: str, key: str, content: Any = ..., *times: float, **more: Any
) -> tuple[Any, ...]:
    """One operation; times: from, to (none: without an answer)."""
    return client, action, key, content, times, more


def history(rows: list[Row]) -> History:
    """The rows in the order of their beginnings, as they would have been recorded."""
    made = History("a story")
    for client, action, key, content, times, more in sorted(rows, key=lambda row: row[4][0]):
        more = dict(more)
        status = more.pop("status", "ok")
        space = more.pop("space", "s")
        read = action == "read"
        value = ... if read else content
        number = made.invoke(action, client=client, space=space, key=key, value=value,
                             at=START + times[0], **more)  # fmt: skip
        if len(times) > 1:
            made.answered(number, status, at=START + times[1], value=content if read else ...)
    return made


@dataclass(frozen=True)
class Case:
    """Histories for one check: the violating one shows it so often, `also` show it, too."""

    of: Expectation
    violating: list[Row]
    clean: list[list[Row]]
    count: int = 1
    keys: tuple[str, ...] = field(default=("k",))
    also: list[list[Row]] = field(default_factory=list)


R = Registers("the balance", "s")
W1 = op("a", "write", "k", "1", 0, 1)
W2 = op("a", "write", "k", "2", 2, 3)
GONE = op("a", "write", "k", None, 2, 3)

REGISTER = {
    "never-written": Case(
        R,
        [W1, op("b", "read", "k", "9", 2, 3)],
        [
            [W1, op("b", "read", "k", "1", 2, 3)],
            [op("b", "read", "k", None, 0, 1), op("a", "write", "k", "1", 2, 3)],
            [W1, op("b", "read", "k", "9", 2, 3, status="unknown")],
            [op("a", "write", "k", "1", 0), op("b", "read", "k", "1", 2, 3)],
        ],
    ),
    "failed-write-read": Case(
        R,
        [W1, op("c", "write", "k", "9", 0, 1, status="fail"), op("b", "read", "k", "9", 2, 3)],
        [
            [W1, op("c", "write", "k", "9", 0, 1, status="unknown"),
             op("b", "read", "k", "9", 2, 3)],
            [W1, op("c", "write", "k", "9", 0, 1, status="fail"), op("b", "read", "k", "1", 2, 3)],
        ],
    ),
    "read-too-early": Case(
        R,
        [op("b", "read", "k", "1", 0, 1), op("a", "write", "k", "1", 2, 3)],
        [
            [op("b", "read", "k", "1", 0, 2), op("a", "write", "k", "1", 2, 3)],
            [W1, op("b", "read", "k", "1", 0.5, 0.6)],
        ],
    ),
    "stale-read": Case(
        R,
        [W1, W2, op("b", "read", "k", "1", 4, 5)],
        [
            [W1, W2, op("b", "read", "k", "2", 4, 5)],
            [W1, W2, op("b", "read", "k", "1", 3, 5)],
            [W1, op("c", "write", "k", "2", 1, 3), op("b", "read", "k", "1", 4, 5)],
            [W1, op("c", "write", "k", "2", 2, 3, status="unknown"),
             op("b", "read", "k", "1", 4, 5)],
            [W1, op("c", "write", "k", "2", 2, 3, status="fail"), op("b", "read", "k", "1", 4, 5)],
            [W1, op("c", "write", "j", "2", 2, 3), op("b", "read", "k", "1", 4, 5)],
            [W1, W2, op("b", "read", "k", "1", 4, 5, space="t"),
             op("b", "read", "k", "2", 4, 5)],
        ],
    ),
    "lost": Case(
        R,
        [W1, op("b", "read", "k", None, 2, 3)],
        [
            [W1, op("b", "read", "k", None, 0.5, 3)],
            [op("b", "read", "k", None, 0, 0.5), op("a", "write", "k", "1", 1, 2),
             op("b", "read", "k", "1", 3, 4)],
            [W1, GONE, op("b", "read", "k", None, 4, 5)],
        ],
    ),
    "expired-early": Case(
        Registers("the session", "s", late_ms=500),
        [op("a", "write", "k", "1", 0, 1, number=3000), op("b", "read", "k", None, 2, 2.9)],
        [
            [op("a", "write", "k", "1", 0, 1, number=3000), op("b", "read", "k", None, 2, 3)],
            [op("a", "write", "k", "1", 0, 1, number=3000), op("a", "write", "k", None, 1.1, 1.2),
             op("b", "read", "k", None, 2, 2.5)],
            [op("a", "write", "k", "1", 0, 1, number=3000), op("c", "expire", "k", ..., 1, 2.2,
             number=100), op("b", "read", "k", None, 2, 2.5)],
            [op("a", "write", "k", "1", 0, 1, number=3000), op("c", "expire", "k", ..., 0.5, 0.9,
             number=100), op("b", "read", "k", None, 2, 2.5)],
        ],
        also=[
            [op("a", "write", "k", "1", 0, 1, number=1000), op("a", "write", "k", "2", 1.1, 1.2),
             op("b", "read", "k", None, 9, 10)],
            [op("a", "write", "k", "1", 0, 1, number=9), op("c", "expire", "k", ..., 1.1, 1.2,
             number=5000), op("b", "read", "k", None, 3, 4)],
        ],
    ),
    "outlived": Case(
        Registers("the session", "s", late_ms=500),
        [op("a", "write", "k", "1", 0, 1, number=3000), op("b", "read", "k", "1", 4.6, 5)],
        [
            [op("a", "write", "k", "1", 0, 1, number=3000), op("b", "read", "k", "1", 4.5, 5)],
            [op("a", "write", "k", "1", 0, 1, number=3000), op("c", "expire", "k", ..., 2, 2.5,
             number=9000), op("b", "read", "k", "1", 4.6, 5)],
            [op("a", "write", "k", "1", 0, 1, number=3000), op("a", "write", "k", "2", 2, 2.5),
             op("b", "read", "k", "2", 9, 10)],
        ],
    ),
    "resurrected": Case(
        R,
        [W1, GONE, op("b", "read", "k", "1", 4, 5)],
        [
            [W1, GONE, op("b", "read", "k", None, 4, 5)],
            [W1, GONE, op("b", "read", "k", "1", 2.5, 5)],
            [W1, GONE, op("a", "write", "k", "2", 4, 5), op("b", "read", "k", "2", 6, 7)],
            [W1, GONE, op("a", "write", "k", "2", 4, 5), op("c", "write", "k", None, 6, 7),
             op("b", "read", "k", None, 8, 9)],
        ],
    ),
    "lost-update": Case(
        R,
        [W1, op("b", "compare-and-set", "k", "2", 2, 4, expected="1"),
         op("c", "compare-and-set", "k", "3", 2, 5, expected="1"),
         op("b", "read", "k", "3", 6, 7)],
        [
            [W1, op("b", "compare-and-set", "k", "2", 2, 4, expected="1"),
             op("c", "compare-and-set", "k", "3", 2, 5, expected="1", status="fail"),
             op("b", "read", "k", "2", 6, 7)],
            [W1, op("b", "compare-and-set", "k", "2", 2, 4, expected="1"),
             op("c", "compare-and-set", "k", "3", 4, 5, expected="2"),
             op("b", "read", "k", "3", 6, 7)],
            # Created, deleted, and created again.
            [op("b", "compare-and-set", "k", "1", 0, 1, expected=None), GONE,
             op("c", "compare-and-set", "k", "2", 4, 5, expected=None),
             op("b", "read", "k", "2", 6, 7)],
        ],
        also=[
            [W1, GONE, op("a", "write", "k", "3", 4, 5),
             op("b", "compare-and-set", "k", "4", 6, 7, expected="3"),
             op("c", "compare-and-set", "k", "5", 6, 8, expected="3")],
        ],
    ),
    "not-linearizable": Case(
        # Two clients see two concurrent writes in different orders.
        R,
        [op("a", "write", "k", "1", 0, 9), op("b", "write", "k", "2", 0, 9),
         op("c", "read", "k", "1", 1, 2), op("c", "read", "k", "2", 3, 4),
         op("d", "read", "k", "2", 1, 2), op("d", "read", "k", "1", 3, 4)],
        [
            [op("a", "write", "k", "1", 0, 9), op("b", "write", "k", "2", 0, 9),
             op("c", "read", "k", "1", 1, 2), op("c", "read", "k", "2", 3, 4),
             op("d", "read", "k", "1", 1, 2), op("d", "read", "k", "2", 3, 4)],
            [op("a", "write", "k", "1", 0, 9), op("b", "write", "k", "2", 0, 9),
             op("c", "read", "k", None, 0, 1), op("d", "read", "k", "2", 10, 11)],
            [W1, op("a", "write", "k", "2", 2), op("b", "read", "k", "1", 2.5, 3),
             op("b", "read", "k", "2", 4, 5)],
            [W1, op("b", "read", "k", "1", 2, 4), op("c", "write", "k", "2", 1.5, 6)],
        ],
        also=[
            [op("a", "write", "k", "1", 0, 1), op("b", "write", "k", "2", 0.5, 2),
             op("c", "read", "k", "1", 3, 9), op("c", "read", "k", "2", 4, 9)],
            [W1, W2, op("b", "read", "k", "1", 4, 5)],
            [W1, op("a", "write", "k", "2", 2), op("b", "read", "k", "2", 3, 4),
             op("c", "read", "k", "1", 5, 6)],
            [W1, op("b", "compare-and-set", "k", "2", 2, 3, expected="1"),
             op("b", "read", "k", "1", 4, 5)],
            # Nothing was there at first, and again after the writing: the last reading tells.
            [op("b", "read", "k", None, 0, 0.5), W1, op("b", "read", "k", None, 5, 6),
             op("b", "read", "j", None, 7, 8)],
        ],
    ),
}  # fmt: skip

Q = Queue("the orders", "s", ordered=True)
D = Queue("the orders", "s", dead_letters="dead", may_die=("invalid",),
          max_length=3, delivery_limit=1)  # fmt: skip
U = Queue("the orders", "s", priorities=("high", "highest"), ordered=True)
P1 = op("p", "put", "m1", "x", 0, 1)
P2 = op("p", "put", "m2", "y", 2, 3)
T1 = op("c", "take", "m1", "x", 4, 5)
T2 = op("c", "take", "m2", "y", 6, 7)
LATER = [op("p", "put", "m3", "z", 3.1, 3.2), op("p", "put", "m4", "z", 3.3, 3.4)]
BACK = op("c", "give back", "m1", ..., 5.1, 5.2)
AGAIN = op("c", "take", "m1", "x", 5.3, 5.4)

QUEUE = {
    "lost": Case(
        Q, [P1, P2, T2],
        [[P1, P2, T1, T2], [P1, op("p", "put", "m2", "y", 2, 3, status="unknown"), T1],
         [P1, op("p", "put", "m2", "y", 2), T1],
         [P1, op("p", "put", "m2", "y", 2, 3, number=1000), T1]],
        keys=("m1",),
    ),
    "unexpected": Case(
        Q, [P1, T1, T2],
        [[P1, op("p", "put", "m2", "y", 2, 3, status="unknown"), T1, T2], [P1, T1]],
        keys=("m2",),
    ),
    "corrupted": Case(
        D, [P1, op("c", "take", "m1", "z", 4, 5)],
        [[P1, P2, T1, T2],
         [P1, op("p", "put", "m1", "z", 2, 3), op("c", "take", "m1", "z", 4, 5)],
         [P1, T1, op("c", "reject", "m1", ..., 5, 6),
          op("d", "take", "m1", "x", 7, 8, space="dead")]],
        keys=("m1",),
        also=[[P1, T1, op("c", "reject", "m1", ..., 5, 6),
               op("d", "take", "m1", "z", 7, 8, space="dead")]],
    ),
    "duplicated": Case(
        Q,
        [P1, T1, op("c", "acknowledge", "m1", ..., 6, 7), op("d", "take", "m1", "x", 8, 9)],
        [
            [P1, T1, op("c", "acknowledge", "m1", ..., 6, 7)],
            [P1, T1, op("c", "close", "c", ..., 5.5, 5.6), op("c", "acknowledge", "m1", ..., 6, 8),
             op("d", "take", "m1", "x", 8, 9)],
            [P1, T1, op("c", "close", "c", ..., 5.5, 5.6),
             op("c", "acknowledge", "m1", ..., 6, 7, status="unknown"),
             op("d", "take", "m1", "x", 8, 9)],
        ],
        keys=("m1",),
    ),
    "unexplained-redelivery": Case(
        Q,
        [P1, T1, op("d", "take", "m1", "x", 8, 9)],
        [
            [P1, T1, op("c", "give back", "m1", ..., 6, 7), op("d", "take", "m1", "x", 8, 9)],
            [P1, T1, op("c", "close", "c", ..., 6, 7), op("d", "take", "m1", "x", 8, 9)],
            [P1, T1, op("c", "give back", "m1", ..., 6), op("d", "take", "m1", "x", 8, 9)],
        ],
        keys=("m1",),
    ),
    "reordered": Case(
        Q,
        [P1, P2, op("c", "take", "m2", "y", 4, 5), op("c", "take", "m1", "x", 6, 7)],
        [
            [P1, P2, T1, T2],
            [P1, op("q", "put", "m2", "y", 1, 3), op("c", "take", "m2", "y", 4, 5),
             op("c", "take", "m1", "x", 6, 7)],
            [P1, P2, op("c", "take", "m2", "y", 4, 5), op("d", "take", "m1", "x", 5, 7)],
        ],
        keys=("m2",),
    ),
    "out-of-priority": Case(
        U,
        [P1, op("p", "put", "m2", "y", 2, 3, label="high"), op("c", "open", "c", ..., 3.1, 3.2),
         T1, T2],
        [
            # The taker was there before, and may have been handed it then.
            [P1, op("p", "put", "m2", "y", 2, 3, label="high"),
             op("c", "open", "c", ..., 2.9, 3.2), T1, T2],
            [P1, op("p", "put", "m2", "y", 2, 3, label="high"), T1, T2],
            [P1, op("p", "put", "m2", "y", 2, 3, label="other"),
             op("c", "open", "c", ..., 3.1, 3.2), T1, T2],
            [op("p", "put", "m1", "x", 0, 1, label="high"), P2,
             op("c", "open", "c", ..., 3.1, 3.2), T1, T2],
            [P1, op("p", "put", "m2", "y", 2, 3, label="high"),
             op("c", "open", "c", ..., 3.1, 3.2), T1, op("c", "take", "m2", "y", 5, 7)],
            [op("p", "put", "m1", "x", 0, 1, label="highest"),
             op("p", "put", "m2", "y", 2, 3, label="high"), op("c", "open", "c", ..., 3.1, 3.2),
             T1, T2],
        ],
        keys=("m1",),
        also=[
            [op("p", "put", "m1", "x", 0, 1, label="high"),
             op("p", "put", "m2", "y", 2, 3, label="highest"), op("c", "open", "c", ..., 3.1, 3.2),
             T1, T2],
            # Of two that are more urgent the later one tells.
            [P1, op("p", "put", "m2", "y", 2, 3, label="high"),
             op("p", "put", "m3", "z", 2, 3, label="highest"), op("c", "open", "c", ..., 3.1, 3.2),
             op("c", "take", "m3", "z", 3.5, 3.6), T1, T2],
            [P1, op("p", "put", "m2", "y", 2, 3, label="high"),
             op("p", "put", "m3", "z", 2, 3, label="highest"), op("c", "open", "c", ..., 3.1, 3.2),
             op("c", "take", "m2", "y", 3.5, 3.6), T1, op("c", "take", "m3", "z", 8, 9)],
        ],
    ),
    "taken-too-often": Case(
        D,
        [P1, T1, op("c", "take", "m1", "x", 6, 7), op("c", "take", "m1", "x", 8, 9)],
        [[P1, T1, BACK, AGAIN]],
        keys=("m1",),
    ),
    "wrongly-dead-lettered": Case(
        D,
        [P1, op("d", "take", "m1", "x", 4, 5, space="dead")],
        [
            [P1, T1, op("c", "reject", "m1", ..., 5, 6),
             op("d", "take", "m1", "x", 7, 8, space="dead")],
            [op("p", "put", "m1", "x", 0, 1, label="invalid"),
             op("d", "take", "m1", "x", 4, 5, space="dead")],
            [op("p", "put", "m1", "x", 0, 1, number=5000),
             op("d", "take", "m1", "x", 4, 5, space="dead")],
            [P1, P2, *LATER, op("d", "take", "m1", "x", 4, 5, space="dead"), T2,
             op("c", "take", "m3", "z", 8, 9), op("c", "take", "m4", "z", 8, 9)],
            [P1, T1, BACK, AGAIN, op("d", "take", "m1", "x", 6, 7, space="dead")],
        ],
        keys=("m1",),
        also=[
            [P1, P2, LATER[0], op("d", "take", "m1", "x", 4, 5, space="dead")],
            # An older one makes no room necessary, nor does one that came afterwards.
            [P1, P2, *LATER, op("d", "take", "m2", "y", 4, 5, space="dead")],
            [P1, P2, *LATER, op("d", "take", "m1", "x", 3.21, 3.22, space="dead")],
            [P1, T1, op("d", "take", "m1", "x", 6, 7, space="dead")],
        ],
    ),
    "not-dead-lettered": Case(
        D,
        [P1, T1, op("c", "reject", "m1", ..., 5, 6)],
        [
            [P1, T1, op("c", "reject", "m1", ..., 5, 6),
             op("d", "take", "m1", "x", 7, 8, space="dead")],
            [P1, T1, op("c", "reject", "m1", ..., 5, 6, status="unknown")],
            [op("p", "put", "m1", "x", 0, 1, number=9), op("c", "take", "m1", "x", 1, 1.5)],
            [P1, T1, BACK, AGAIN],
        ],
        keys=("m1",),
        also=[[op("p", "put", "m1", "x", 0, 1, number=9)],
              [P1, T1, BACK, AGAIN, op("c", "give back", "m1", ..., 6, 7)]],
    ),
    "dead-lettered-twice": Case(
        D,
        [P1, T1, op("c", "reject", "m1", ..., 5, 6), op("d", "take", "m1", "x", 7, 8, space="dead"),
         op("d", "take", "m1", "x", 8, 9, space="dead")],
        [[P1, T1, op("c", "reject", "m1", ..., 5, 6),
          op("d", "take", "m1", "x", 7, 8, space="dead")],
         [P1, P2, T1, T2, op("c", "reject", "m1", ..., 7, 7.5),
          op("c", "reject", "m2", ..., 7, 7.5), op("d", "take", "m1", "x", 8, 9, space="dead"),
          op("d", "take", "m2", "y", 8, 9, space="dead")]],
        keys=("m1",),
    ),
    "unmarked-redelivery": Case(
        Queue("the orders", "s", marks=True),
        [P1, T1, op("c", "give back", "m1", ..., 6, 7), op("d", "take", "m1", "x", 8, 9)],
        [[P1, T1, op("c", "give back", "m1", ..., 6, 7),
          op("d", "take", "m1", "x", 8, 9, number=1)],
         [P1, P2, T1, T2]],
        keys=("m1",),
    ),
    "taken-expired": Case(
        Queue("the orders", "s", late_ms=500),
        [op("p", "put", "m1", "x", 0, 1, number=2000), op("c", "take", "m1", "x", 4, 5)],
        [
            [op("p", "put", "m1", "x", 0, 1, number=2000), op("c", "take", "m1", "x", 3.5, 5)],
            [op("p", "put", "m1", "x", 0, 1, number=0), op("c", "take", "m1", "x", 40, 50)],
        ],
        keys=("m1",),
    ),
}  # fmt: skip

M = Members("the documents", "s")
A1 = op("a", "add", "m1", "x", 0, 1)
A2 = op("a", "add", "m2", "y", 2, 3)


def listing(at: float, *members: tuple[str, str], place: int, client: str = "l") -> list[Row]:
    """A listing whose operation has the number ``place``, and what it shows."""
    return [op(client, "list", "all", ..., at, at + 1),
            *(op(client, "seen", key, value, at + 0.5, at + 0.5, number=place)
              for key, value in members)]  # fmt: skip


SET = {
    "lost": Case(
        Members("the documents", "s", visible="at last"),
        [A1, A2, *listing(4, ("m2", "y"), place=2)],
        [
            [A1, A2, *listing(4, ("m1", "x"), ("m2", "y"), place=2)],
            [A1, op("a", "add", "m2", "y", 2, 3, status="unknown"),
             *listing(4, ("m1", "x"), place=2)],
            [A1, A2, op("b", "remove", "m1", ..., 3, 3.5, status="unknown"),
             *listing(4, ("m2", "y"), place=3)],
            [A1, op("a", "add", "m2", "y", 2, 4), *listing(4, ("m1", "x"), place=2)],
            [A1, A2, *listing(4, ("m2", "y"), place=2),
             *listing(6, ("m1", "x"), ("m2", "y"), place=4)],
        ],
        keys=("m1",),
    ),
    "unexpected": Case(
        M, [A1, *listing(4, ("m1", "x"), ("m9", "z"), place=1)],
        [[A1, *listing(4, ("m1", "x"), place=1)],
         [A1, op("a", "add", "m2", "y", 2), *listing(4, ("m1", "x"), ("m2", "y"), place=2)]],
        keys=("m9",),
    ),
    "twice": Case(
        M, [A1, *listing(4, ("m1", "x"), ("m1", "x"), place=1)],
        [[A1, *listing(4, ("m1", "x"), place=1), *listing(6, ("m1", "x"), place=3)],
         [A1, *listing(4, ("m1", "x"), place=1)]],
        keys=("m1",),
    ),
    "corrupted": Case(
        M, [A1, *listing(4, ("m1", "z"), place=1)],
        [[A1, *listing(4, ("m1", "x"), place=1)],
         [A1, op("a", "add", "m1", "z", 2), *listing(4, ("m1", "z"), place=2)]],
        keys=("m1",),
    ),
    "stale": Case(
        M, [A1, op("a", "remove", "m1", ..., 2, 3), *listing(4, ("m1", "x"), place=2)],
        [
            [A1, op("a", "remove", "m1", ..., 2, 3), *listing(4, place=2)],
            [A1, op("a", "remove", "m1", ..., 2, 4), *listing(4, ("m1", "x"), place=2)],
            [A1, op("a", "remove", "m1", ..., 1, 3), *listing(4, ("m1", "x"), place=2)],
            [A1, op("a", "remove", "m1", ..., 2, 3), op("a", "add", "m1", "z", 3.2, 3.5),
             *listing(4, ("m1", "z"), place=3)],
        ],
        keys=("m1",),
    ),
    "not-visible": Case(
        M, [A1, A2, *listing(4, ("m1", "x"), place=2),
            *listing(6, ("m1", "x"), ("m2", "y"), place=4)],
        [
            [A1, A2, *listing(4, ("m1", "x"), ("m2", "y"), place=2)],
            [A1, op("a", "add", "m2", "y", 2, 4), *listing(4, ("m1", "x"), place=2),
             *listing(6, ("m1", "x"), ("m2", "y"), place=4)],
            [A1, A2, op("a", "remove", "m2", ..., 3.2, 3.5), *listing(4, ("m1", "x"), place=3)],
        ],
        keys=("m2",),
    ),
}  # fmt: skip

L = Locks("the lock", "s")
LEASED = Locks("the lock", "s", lease_ms=3000)
H1 = op("a", "acquire", "k", ..., 0, 1, number=1)
FREE = op("a", "release", "k", ..., 4, 5)

LOCK = {
    "two-holders": Case(
        L,
        [H1, op("b", "acquire", "k", ..., 2, 3, number=2), FREE],
        [
            [H1, FREE, op("b", "acquire", "k", ..., 2, 5, number=2)],
            [H1, FREE, op("b", "acquire", "k", ..., 2, 3, status="fail")],
            [H1, FREE, op("b", "acquire", "j", ..., 2, 3, number=2)],
            [H1, op("a", "release", "k", ..., 1.5), op("b", "acquire", "k", ..., 2, 3, number=2)],
        ],
        also=[[H1, op("b", "acquire", "k", ..., 2, 3, number=2)]],
    ),
    "token-not-rising": Case(
        L,
        [H1, FREE, op("b", "acquire", "k", ..., 6, 7, number=1)],
        [
            [H1, FREE, op("b", "acquire", "k", ..., 6, 7, number=2)],
            [H1, FREE, op("b", "acquire", "k", ..., 6, 7, number=0)],
            [H1, FREE, op("b", "acquire", "j", ..., 6, 7, number=1)],
        ],
    ),
    "late-write": Case(
        LEASED,
        [H1, op("b", "acquire", "k", ..., 4, 5, number=2), op("b", "use", "k", ..., 6, 7, number=2),
         op("a", "use", "k", ..., 8, 9, number=1)],
        [
            [H1, op("b", "acquire", "k", ..., 4, 5, number=2),
             op("b", "use", "k", ..., 6, 7, number=2), op("a", "use", "k", ..., 7, 9, number=1)],
            [H1, op("b", "acquire", "k", ..., 4, 5, number=2),
             op("b", "use", "k", ..., 6, 7, number=2),
             op("a", "use", "k", ..., 8, 9, number=1, status="fail")],
        ],
    ),
}  # fmt: skip

TWO = Limit("two a second", "s", most=2, window_ms=1000)


def permits(*times: float, action: str = "permit") -> list[Row]:
    """Each takes a hundredth of a second."""
    return [op("a", action, "k", ..., at, at + 0.01) for at in times]


LIMIT = {
    "more-than-allowed": Case(
        TWO, permits(0, 0.5, 0.9),
        [permits(0, 0.5, 1.0), permits(0, 0.5, 0.99),
         [*permits(0, 0.5), op("a", "permit", "j", ..., 0.9, 0.91)],
         [*permits(0, 0.5), op("a", "permit", "k", ..., 0.9, 0.91, status="unknown")]],
    ),
    "fewer-than-allowed": Case(
        TWO, [*permits(0), *permits(0.5, action="refuse")],
        [[*permits(0, 0.2), *permits(0.5, action="refuse")],
         [*permits(0, 0.2), *permits(1.0, action="refuse")],
         [*permits(0), op("a", "permit", "k", ..., 0.2, 0.3, status="unknown"),
          *permits(0.5, action="refuse")]],
    ),
}  # fmt: skip

CASES = {
    "register": REGISTER, "queue": QUEUE, "set": SET, "lock": LOCK, "limit": LIMIT,
}  # fmt: skip
