"""Messages that one of several consumers takes: queues, publish/subscribe, mail.

Actions on a message, the key: "put" (number: milliseconds to live, 0 for ever), "take" (number: 1
where it is marked as redelivered), "acknowledge", "give back" (it may come again), "reject" (it
may be dead-lettered); and of a client, which is the key, too: "open" (nothing was handed to it
before) and "close" (what it had taken may come again).
"""

from functools import cached_property

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array, among
from stackproof.history.looked_for import Check
from stackproof.history.models.expectations import Queue
from stackproof.history.models.view import (
    BEFORE_ALL,
    NEVER,
    TICKS_A_MS,
    Groups,
    ModelBooks,
    View,
    by_group_and_time,
    firsts,
    repeats,
    spread,
)


class Books(ModelBooks):
    """The operations on a queue and on its dead-letter queue, by message."""

    of: Queue

    @cached_property
    def dead(self) -> View:
        """The operations on the dead-letter queue."""
        spaces = (self.of.dead_letters,) if self.of.dead_letters else ()
        return View.of(self.view.snapshot, spaces)

    @property
    def operations(self) -> int:
        """Those of both queues."""
        return len(self.view.rows) + len(self.dead.rows)

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

    @cached_property
    def retaken(self) -> tuple[Array, Array]:
        """Takes of a message that was taken before, and for each the take before."""
        takes = self.takes
        return repeats(self.ident(self.view, takes), self.view.began[takes], takes)

    @cached_property
    def after_acknowledgement(self) -> Array:
        """For each of these takes, whether the message had been acknowledged before."""
        view, (again, _) = self.view, self.retaken
        done = view.did("acknowledge")
        asked = Groups(self.ident(view, done), view.ended[done], view.began[done])
        _, by = asked.greatest_before(self.ident(view, again), view.began[again])
        return by >= 0

    def first(self, places: Array) -> Array:
        """For each message the first of these places, or -1."""
        found = np.full(self.messages, -1)
        found[self.ident(self.view, places[::-1])] = places[::-1]
        return found

    @cached_property
    def put_of(self) -> Array:
        """For each message, the place of its first put, or -1."""
        return self.first(self.puts)

    @cached_property
    def came_out(self) -> tuple[Array, Array, Array]:
        """Of each message that was put and taken: its first put and take, and how urgent it is."""
        first = self.first(self.takes)
        known = np.flatnonzero((first >= 0) & (self.put_of >= 0))
        put, snapshot = self.put_of[known], self.view.snapshot
        urgency = np.zeros(max(len(snapshot.labels), 1), dtype=np.int64)
        for rank, label in enumerate(self.of.priorities, start=1):
            urgency[snapshot.codes("labels", (label,))] = rank
        return put, first[known], urgency[snapshot.operations.label[self.view.rows[put]]]

    def times(self, places: Array) -> Array:
        """For each of these, how many of them there were of its message before."""
        order = by_group_and_time(self.ident(self.view, places), self.view.began[places])
        starts = firsts(self.ident(self.view, places)[order])
        sizes = np.diff(np.r_[starts, len(order)])
        found = np.empty(len(order), dtype=np.int64)
        found[order] = np.arange(len(order)) - np.repeat(starts, sizes)
        return found


def lost(books: Books) -> Anomaly:
    """Find acknowledged messages that nobody was handed, dead-lettered or expired ones apart."""
    view = books.view
    came = books.marked(books.ident(view, books.takes), books.ident(books.dead, books.died))
    puts = view.did("put")
    wrong = puts[~came[books.ident(view, puts)] & (view.number[puts] == 0)]
    return view.anomaly(
        "lost", wrong,
        f"{number(len(wrong), 'acknowledged message')} that nobody was handed.",
        (wrong, "never taken"),
    )  # fmt: skip


def unexpected(books: Books) -> Anomaly:
    """Find messages that were taken and never put."""
    view = books.view
    wrong = books.takes[books.put_of[books.ident(view, books.takes)] < 0]
    return view.anomaly(
        "unexpected", wrong, f"{number(len(wrong), 'message')} taken that nobody has put.",
        (wrong, "never put"),
    )  # fmt: skip


def corrupted(books: Books) -> Anomaly:
    """Find messages that were taken, or else dead-lettered, with a content that nobody has put."""
    view, wrong = books.view, _altered(books, books.view, books.takes)
    if not len(wrong):
        view, wrong = books.dead, _altered(books, books.dead, books.died)
    return view.anomaly(
        "corrupted", wrong, f"{number(len(wrong), 'message')} taken with another content.",
        (wrong, "another content than was put"),
    )  # fmt: skip


def _altered(books: Books, view: View, places: Array) -> Array:
    """Which of these have a content that nobody has put."""
    known = places[books.put_of[books.ident(view, places)] >= 0]
    put = _contents(books, books.view, books.puts)
    return known[~among(_contents(books, view, known), put)]


def _contents(books: Books, view: View, places: Array) -> Array:
    """One number for each message and content."""
    return spread(books.ident(view, places)) ^ view.value[places]


def duplicated(books: Books) -> Anomaly:
    """Find messages that were handed out again after they had been acknowledged."""
    return _again(
        books, "duplicated", books.after_acknowledgement, "that had been acknowledged before"
    )


def redelivered(books: Books) -> Anomaly:
    """Find messages handed out again that nobody had given back, and whose taker had not gone."""
    wrong = ~_explained(books) & ~books.after_acknowledgement
    return _again(books, "unexplained-redelivery", wrong, "that nobody had given back")


def _again(books: Books, name: str, wrong: Array, what: str) -> Anomaly:
    again, before = (takes[wrong] for takes in books.retaken)
    return books.view.anomaly(
        name, again, f"{number(len(again), 'message')} handed out again {what}.",
        (before, "taken before"), (again, "and again"),
    )  # fmt: skip


def _explained(books: Books) -> Array:
    """Whether between two takes the first taker gave the message back, or went away."""
    view, (again, before) = books.view, books.retaken
    back = view.did("give back", "reject", status=(OK, UNKNOWN))
    given = Groups(books.ident(view, back), view.began[back], view.began[back])
    began, _ = given.greatest_before(books.ident(view, again), view.ended[again])
    closed = view.did("close", status=(OK, UNKNOWN))
    gone = Groups(view.client[closed].astype(np.int64), view.began[closed], view.began[closed])
    left, _ = gone.greatest_before(view.client[before].astype(np.int64), view.ended[again])
    since = view.began[before]
    return (began >= since) | (left >= since)


def reordered(books: Books) -> Anomaly:
    """Find messages first taken after one that was put later.

    Sure only where the one put was complete before the other began, and the same of the takes.
    """
    put, _, urgency = books.came_out
    latest = _latest_take(books, urgency, urgency, books.view.began[put])
    return _overtaking(books, "reordered", "that had been put earlier", *latest)


def out_of_priority(books: Books) -> Anomaly:
    """Find messages first taken while a more urgent one was there.

    Sure only where that one was put before their taker was handed anything.
    """
    view = books.view
    _, take, urgency = books.came_out
    opened = view.did("open")
    clients = Groups(view.client[opened].astype(np.int64), view.began[opened], view.began[opened])
    since, _ = clients.greatest_before(view.client[take].astype(np.int64), view.ended[take])
    latest, other = np.full(len(take), BEFORE_ALL), np.full(len(take), -1)
    for rank in np.unique(urgency)[1:]:
        # The less urgent ask for the others; those ask for nobody.
        asked = np.where(urgency < rank, 1, 2)
        began, row = _latest_take(books, (urgency >= rank).astype(np.int64), asked, since)
        later = began > latest
        latest, other = np.where(later, began, latest), np.where(later, row, other)
    return _overtaking(books, "out-of-priority", "that was more urgent", latest, other)


def _latest_take(books: Books, group: Array, asked: Array, moment: Array) -> tuple[Array, Array]:
    """When the last of a group was taken that was put before a moment, and which one that is."""
    put, take, _ = books.came_out
    done = np.flatnonzero(books.view.ended[put] < NEVER)
    of = Groups(group[done], books.view.ended[put[done]], books.view.began[take[done]])
    began, row = of.greatest_before(asked, moment)
    return began, done[row] if len(done) else row


def _overtaking(books: Books, name: str, what: str, latest: Array, other: Array) -> Anomaly:
    """Find messages whose taking was over before that of the other one began."""
    view = books.view
    put, take, _ = books.came_out
    wrong = np.flatnonzero(view.ended[take] < latest)
    wrong = wrong[np.argsort(take[wrong])]
    other = other[wrong]
    return view.anomaly(
        name, take[wrong], f"{number(len(wrong), 'message')} taken before one {what}.",
        (put[other], "put, and taken later"), (put[wrong], "put, and taken first"),
        (take[wrong], "taken first"), (take[other], "taken later"),
    )  # fmt: skip


def wrongly_dead_lettered(books: Books) -> Anomaly:
    """Find dead letters that nobody rejected, that had not expired and that do not belong there."""
    view, dead = books.view, books.dead
    table = view.snapshot.operations
    rejected = books.marked(books.ident(view, view.did("reject", status=(OK, UNKNOWN))))
    returned = books.marked(books.ident(view, _beyond_limit(books, books.takes)))
    may = np.zeros(max(len(view.snapshot.labels), 1), dtype=bool)
    may[view.snapshot.codes("labels", books.of.may_die)] = True
    idents = books.ident(dead, books.died)
    put = books.put_of[idents]
    known = put >= 0
    belongs = rejected[idents] | returned[idents] | (known & may[table.label[view.rows[put]]])
    lives = view.number[put] * TICKS_A_MS
    ended = dead.ended[books.died]
    expired = known & (lives > 0) & (ended >= view.began[put] + lives)
    crowded = known & _crowded_out(books, put, ended)
    wrong = books.died[known & ~belongs & ~expired & ~crowded]
    return dead.anomaly(
        "wrongly-dead-lettered", wrong,
        f"{number(len(wrong), 'dead letter')} that nobody rejected and that had not expired.",
        (wrong, "a dead letter"),
    )  # fmt: skip


def _beyond_limit(books: Books, places: Array, more: int = 0) -> Array:
    """Which of these operations are beyond as many on one message as may come back, and more."""
    limit = books.of.delivery_limit
    return places[:0] if limit is None else places[books.times(places) >= limit + more]


def _crowded_out(books: Books, put: Array, ended: Array) -> Array:
    """Whether enough may have been put after these messages, and before a moment."""
    if not books.of.max_length:
        return np.zeros(len(put), dtype=bool)
    view = books.view
    began, done = np.sort(view.began[books.puts]), np.sort(view.ended[books.puts])
    not_older = np.searchsorted(began, ended, side="right") - np.searchsorted(done, view.began[put])
    return not_older > books.of.max_length


def taken_too_often(books: Books) -> Anomaly:
    """Find takes of messages that had come back as often as they may."""
    wrong = _beyond_limit(books, books.takes, 1)
    return books.view.anomaly(
        "taken-too-often", wrong,
        f"{number(len(wrong), 'time')} a message was handed out that had come back too often.",
        (wrong, "handed out once more"),
    )  # fmt: skip


def not_dead_lettered(books: Books) -> Anomaly:
    """Find messages that were rejected, or expired before anybody took them: no dead letters.

    So are those that came back more often than they may.
    """
    view = books.view
    died = books.marked(books.ident(books.dead, books.died))
    came = books.marked(books.ident(view, books.takes))
    puts = view.did("put")
    expired = puts[(view.number[puts] > 0) & ~came[books.ident(view, puts)]]
    returned = _beyond_limit(books, view.did("give back"))
    ought = np.sort(np.r_[view.did("reject"), expired, returned])
    wrong = ought[~died[books.ident(view, ought)]]
    return view.anomaly(
        "not-dead-lettered", wrong,
        f"{number(len(wrong), 'message')} rejected or expired, and not in the dead-letter queue.",
        (wrong, "not dead-lettered"),
    )  # fmt: skip


def dead_lettered_twice(books: Books) -> Anomaly:
    """Find messages that were taken from the dead-letter queue again."""
    dead, died = books.dead, books.died
    wrong, before = repeats(books.ident(dead, died), dead.began[died], died)
    return dead.anomaly(
        "dead-lettered-twice", wrong,
        f"{number(len(wrong), 'time')} a message was dead-lettered again.",
        (before, "a dead letter"), (wrong, "and again"),
    )  # fmt: skip


def unmarked(books: Books) -> Anomaly:
    """Find messages that were handed out again without the mark that tells so."""
    view, (again, _) = books.view, books.retaken
    wrong = again[view.number[again] == 0]
    return view.anomaly(
        "unmarked-redelivery", wrong,
        f"{number(len(wrong), 'message')} handed out again without its mark.",
        (wrong, "not marked as redelivered"),
    )  # fmt: skip


def taken_expired(books: Books) -> Anomaly:
    """Find messages that were taken after their time to live."""
    view = books.view
    put = books.put_of[books.ident(view, books.takes)]
    lives = view.number[put] * TICKS_A_MS
    latest = view.ended[put] + lives + books.of.late_ms * TICKS_A_MS
    late = (put >= 0) & (lives > 0) & (view.began[books.takes] > latest)
    wrong = books.takes[late]
    return view.anomaly(
        "taken-expired", wrong, f"{number(len(wrong), 'message')} taken though expired.",
        (put[late], "put"), (wrong, "taken after its time to live"),
    )  # fmt: skip


def _dies(of: Queue) -> bool:
    return bool(of.dead_letters)


_REGISTER: tuple[Check[Books, Queue], ...] = (
    Check("lost", "acknowledged, and nobody was handed it", lost, lambda of: of.settled),
    Check("unexpected", "handed to somebody, and nobody has put it", unexpected),
    Check("corrupted", "handed out, or dead-lettered, with another content", corrupted),
    Check("duplicated", "handed out again after it had been acknowledged", duplicated),
    Check("unexplained-redelivery",
          "handed out again, though nobody gave it back and its taker had not gone", redelivered),
    Check("reordered", "first handed out before a message that had been put earlier", reordered,
          lambda of: of.ordered),
    Check("out-of-priority", "first handed out while a more urgent message was there",
          out_of_priority, lambda of: bool(of.priorities)),
    Check("taken-too-often", "handed out though it had come back as often as it may",
          taken_too_often, lambda of: of.delivery_limit is not None),
    Check("wrongly-dead-lettered",
          "dead-lettered, though nobody rejected it, it had not expired, and no limit was reached",
          wrongly_dead_lettered, _dies),
    Check("not-dead-lettered",
          "rejected, expired before anybody took it, or back too often, and no dead letter",
          not_dead_lettered, lambda of: _dies(of) and of.settled),
    Check("dead-lettered-twice", "a dead letter more than once", dead_lettered_twice, _dies),
    Check("unmarked-redelivery", "handed out again without the mark that tells so", unmarked,
          lambda of: of.marks),
    Check("taken-expired", "handed out after its time to live", taken_expired),
)  # fmt: skip
CHECKS = {check.name: check for check in _REGISTER}


def told(books: Books) -> tuple[list[str], str]:
    """Return lines about the operations, and why nothing was proved."""
    of = books.of
    lines = [
        f'  put on "{of.space}": {number(len(books.puts), "message")}',
        f"  taken: {number(len(books.takes), 'time')}, dead-lettered: {len(books.died):,}",
    ]
    # That all of what was put is lost is proved as well.
    lost_for_certain = of.settled and len(books.view.did("put"))
    proved = lost_for_certain or (len(books.puts) and len(books.takes) + len(books.died))
    return lines, "" if proved else "nothing was put and taken"
