"""Messages that one of several consumers takes: queues, publish/subscribe, mail.

Actions on a message, the key: "put" (number: milliseconds to live, 0 for ever), "take" (number: 1
where it is marked as redelivered), "acknowledge", "give back" (it may come again), "reject" (it
may be dead-lettered); and "close" of a client, whose key is the client: what it had taken may come
again.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array, Snapshot, among
from stackproof.history.models.expectations import Queue
from stackproof.history.models.view import NEVER, TICKS_A_MS, Groups, View, spread


@dataclass(frozen=True)
class Books:
    """The operations on a queue and on its dead-letter queue, by message."""

    view: View
    dead: View
    of: Queue

    @cached_property
    def messages(self) -> int:
        """How many numbers of messages there may be."""
        return len(self.view.snapshot.keys)

    def ident(self, view: View, places: Array) -> Array:
        """The message of each operation; the same number in both queues."""
        return view.snapshot.operations.key[view.rows[places]].astype(np.int64)

    @cached_property
    def puts(self) -> Array:
        """Those that may have taken effect."""
        return self.view.did("put", status=(OK, UNKNOWN))

    @cached_property
    def takes(self) -> Array:
        """In the order of their answers."""
        takes = self.view.did("take")
        return takes[np.argsort(self.view.ended[takes], kind="stable")]

    @cached_property
    def died(self) -> Array:
        """Taken from the dead-letter queue; places in `dead`."""
        return self.dead.did("take")

    def marked(self, *idents: Array) -> Array:
        """For each message whether it is among these."""
        mask = np.zeros(self.messages, dtype=bool)
        for some in idents:
            mask[some] = True
        return mask

    def first(self, places: Array) -> Array:
        """For each message the first of these places, or -1."""
        found = np.full(self.messages, -1)
        found[self.ident(self.view, places[::-1])] = places[::-1]
        return found

    @cached_property
    def put_of(self) -> Array:
        """For each message, the place of its first put, or -1."""
        return self.first(self.puts)


def lost(books: Books, of: Queue) -> Anomaly:
    """Find acknowledged messages that nobody was handed, dead-lettered or expired ones apart."""
    view = books.view
    came = books.marked(books.ident(view, books.takes), books.ident(books.dead, books.died))
    puts = view.did("put")
    wrong = puts[~came[books.ident(view, puts)] & (view.number[puts] == 0)]
    return view.anomaly(
        "lost", wrong,
        lambda count: f"{number(count, 'acknowledged message')} that nobody was handed.",
        lambda place: [(place, "never taken")],
    )  # fmt: skip


def unexpected(books: Books, of: Queue) -> Anomaly:
    """Find messages that were taken and never put."""
    view = books.view
    wrong = books.takes[books.put_of[books.ident(view, books.takes)] < 0]
    return view.anomaly(
        "unexpected", wrong,
        lambda count: f"{number(count, 'message')} taken that nobody has put.",
        lambda place: [(place, "never put")],
    )  # fmt: skip


def corrupted(books: Books, of: Queue) -> Anomaly:
    """Find messages that were taken, or dead-lettered, with a content that nobody has put."""
    view = books.view
    puts = books.puts
    put = _contents(books, view, puts)
    for where, places in ((view, books.takes), (books.dead, books.died)):
        known = places[books.put_of[books.ident(where, places)] >= 0]
        wrong = known[~among(_contents(books, where, known), put)]
        if len(wrong) or where is books.dead:
            break
    return where.anomaly(
        "corrupted", wrong,
        lambda count: f"{number(count, 'message')} taken with another content.",
        lambda place: [(place, "another content than was put")],
    )  # fmt: skip


def _contents(books: Books, view: View, places: Array) -> Array:
    """One number for each message and content."""
    return spread(books.ident(view, places)) ^ view.value[places]


def duplicated(books: Books, of: Queue) -> Anomaly:
    """Find messages that were handed out again after they had been acknowledged."""
    return _again(books, "duplicated", after_acknowledgement=True)


def redelivered(books: Books, of: Queue) -> Anomaly:
    """Find messages handed out again that nobody had given back, and whose taker had not gone."""
    return _again(books, "unexplained-redelivery", after_acknowledgement=False)


def _again(books: Books, name: str, *, after_acknowledgement: bool) -> Anomaly:
    view = books.view
    idents = books.ident(view, books.takes)
    order = np.lexsort((view.began[books.takes], idents))
    takes, idents = books.takes[order], idents[order]
    again = np.flatnonzero(idents[1:] == idents[:-1]) + 1
    before = {int(takes[i]): int(takes[i - 1]) for i in again}
    done = view.did("acknowledge")
    asked = Groups(books.ident(view, done), view.ended[done], view.began[done])
    _, by = asked.greatest_before(idents[again], view.began[takes[again]])
    if after_acknowledgement:
        wrong = takes[again[by >= 0]]
        what = "that had been acknowledged before"
    else:
        unexplained = ~_explained(books, takes, idents, again) & (by < 0)
        wrong = takes[again[unexplained]]
        what = "that nobody had given back"
    return view.anomaly(
        name, wrong,
        lambda count: f"{number(count, 'message')} handed out again {what}.",
        lambda place: [(before[place], "taken before"), (place, "and again")],
    )  # fmt: skip


def _explained(books: Books, takes: Array, idents: Array, again: Array) -> Array:
    """Whether between two takes the first taker gave the message back, or went away."""
    view = books.view
    back = view.did("give back", "reject", status=(OK, UNKNOWN))
    given = Groups(books.ident(view, back), view.began[back], view.began[back])
    began, _ = given.greatest_before(idents[again], view.ended[takes[again]])
    closed = view.did("close", status=(OK, UNKNOWN))
    gone = Groups(view.client[closed].astype(np.int64), view.began[closed], view.began[closed])
    left, _ = gone.greatest_before(
        view.client[takes[again - 1]].astype(np.int64), view.ended[takes[again]]
    )
    since = view.began[takes[again - 1]]
    return (began >= since) | (left >= since)


def reordered(books: Books, of: Queue) -> Anomaly:
    """Find messages first taken after one that was put later.

    Sure only where the one put was complete before the other began, and the same of the takes.
    """
    view = books.view
    first = books.first(books.takes)
    known = np.flatnonzero((first >= 0) & (books.put_of >= 0))
    put, take = books.put_of[known], first[known]
    done = np.flatnonzero(view.ended[put] < NEVER)
    none = np.zeros(len(done), dtype=np.int64)
    asked = Groups(none, view.ended[put[done]], view.began[take[done]])
    began, row = asked.greatest_before(np.zeros(len(put), dtype=np.int64), view.began[put])
    wrong = np.flatnonzero(view.ended[take] < began)
    other = {int(take[i]): int(done[row[i]]) for i in wrong}
    puts = {int(take[i]): int(put[i]) for i in wrong}
    return view.anomaly(
        "reordered", np.sort(take[wrong]),
        lambda count: f"{number(count, 'message')} taken before one that had been put earlier.",
        lambda place: [(int(put[other[place]]), "put first"), (puts[place], "put later"),
                       (place, "taken first"), (int(take[other[place]]), "taken later")],
    )  # fmt: skip


def wrongly_dead_lettered(books: Books, of: Queue) -> Anomaly:
    """Find dead letters that nobody rejected, that had not expired and that do not belong there."""
    view, dead = books.view, books.dead
    table = view.snapshot.operations
    rejected = books.marked(books.ident(view, view.did("reject", status=(OK, UNKNOWN))))
    may = np.zeros(max(len(view.snapshot.labels), 1), dtype=bool)
    may[view.snapshot.codes("labels", of.may_die)] = True
    idents = books.ident(dead, books.died)
    put = books.put_of[idents]
    known = put >= 0
    belongs = rejected[idents] | (known & may[table.label[view.rows[put]]])
    lives = view.number[put] * TICKS_A_MS
    expired = known & (lives > 0) & (dead.ended[books.died] >= view.began[put] + lives)
    wrong = books.died[known & ~belongs & ~expired]
    return dead.anomaly(
        "wrongly-dead-lettered", wrong,
        lambda count: f"{number(count, 'dead letter')} that nobody rejected and that had not "
                      "expired.",
        lambda place: [(place, "a dead letter")],
    )  # fmt: skip


def not_dead_lettered(books: Books, of: Queue) -> Anomaly:
    """Find messages that were rejected, or expired before anybody took them: no dead letters."""
    view = books.view
    died = books.marked(books.ident(books.dead, books.died))
    came = books.marked(books.ident(view, books.takes))
    puts = view.did("put")
    expired = puts[(view.number[puts] > 0) & ~came[books.ident(view, puts)]]
    ought = np.sort(np.r_[view.did("reject"), expired])
    wrong = ought[~died[books.ident(view, ought)]]
    return view.anomaly(
        "not-dead-lettered", wrong,
        lambda count: f"{number(count, 'message')} rejected or expired, and not in the "
                      "dead-letter queue.",
        lambda place: [(place, "not dead-lettered")],
    )  # fmt: skip


def dead_lettered_twice(books: Books, of: Queue) -> Anomaly:
    """Find messages that were taken from the dead-letter queue again."""
    dead = books.dead
    idents = books.ident(dead, books.died)
    order = np.lexsort((dead.began[books.died], idents))
    again = np.flatnonzero(idents[order][1:] == idents[order][:-1]) + 1
    first = dict(zip(books.died[order[again]].tolist(), books.died[order[again - 1]].tolist(),
                     strict=True))  # fmt: skip
    return dead.anomaly(
        "dead-lettered-twice", books.died[order[again]],
        lambda count: f"{number(count, 'time')} a message was dead-lettered again.",
        lambda place: [(first[place], "a dead letter"), (place, "and again")],
    )  # fmt: skip


def unmarked(books: Books, of: Queue) -> Anomaly:
    """Find messages that were handed out again without the mark that tells so."""
    view = books.view
    idents = books.ident(view, books.takes)
    order = np.lexsort((view.began[books.takes], idents))
    takes = books.takes[order]
    again = np.flatnonzero(idents[order][1:] == idents[order][:-1]) + 1
    wrong = takes[again[view.number[takes[again]] == 0]]
    return view.anomaly(
        "unmarked-redelivery", wrong,
        lambda count: f"{number(count, 'message')} handed out again without its mark.",
        lambda place: [(place, "not marked as redelivered")],
    )  # fmt: skip


def taken_expired(books: Books, of: Queue) -> Anomaly:
    """Find messages that were taken after their time to live."""
    view = books.view
    put = books.put_of[books.ident(view, books.takes)]
    lives = view.number[put] * TICKS_A_MS
    latest = view.ended[put] + lives + of.late_ms * TICKS_A_MS
    wrong = books.takes[(put >= 0) & (lives > 0) & (view.began[books.takes] > latest)]
    put_of = dict(zip(books.takes.tolist(), put.tolist(), strict=True))
    return view.anomaly(
        "taken-expired", wrong,
        lambda count: f"{number(count, 'message')} taken though expired.",
        lambda place: [(put_of[place], "put"), (place, "taken after its time to live")],
    )  # fmt: skip


CHECKS = {
    "lost": (lost, lambda of: of.settled),
    "unexpected": (unexpected, lambda of: True),
    "corrupted": (corrupted, lambda of: True),
    "duplicated": (duplicated, lambda of: True),
    "unexplained-redelivery": (redelivered, lambda of: True),
    "reordered": (reordered, lambda of: of.ordered),
    "wrongly-dead-lettered": (wrongly_dead_lettered, lambda of: bool(of.dead_letters)),
    "not-dead-lettered": (not_dead_lettered, lambda of: bool(of.dead_letters) and of.settled),
    "dead-lettered-twice": (dead_lettered_twice, lambda of: bool(of.dead_letters)),
    "unmarked-redelivery": (unmarked, lambda of: of.marks),
    "taken-expired": (taken_expired, lambda of: True),
}


def books_of(snapshot: Snapshot, of: Queue) -> Books:
    """Return the operations that the expectation is about."""
    dead = (of.dead_letters,) if of.dead_letters else ()
    return Books(View.of(snapshot, (of.space,)), View.of(snapshot, dead), of)


def told(books: Books, of: Queue) -> tuple[int, list[str], str]:
    """Return how many operations there were, lines about them, and why nothing was proved."""
    view = books.view
    lines = [
        f'  put on "{of.space}": {number(len(books.puts), "message")}',
        f"  taken: {number(len(books.takes), 'time')}, dead-lettered: {len(books.died):,}",
    ]
    seen = len(books.takes) + len(books.died)
    unproved = "" if len(books.puts) and seen else "nothing was put and taken"
    if of.settled and len(view.did("put")):
        unproved = ""  # that all of it is lost is proved
    return len(view.rows) + len(books.dead.rows), lines, unproved
