"""A sink under test: what it is handed, and what arrives of it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from stackproof.errors import NotSupported, PremiseNotMet, step_missing
from stackproof.history import Limit, Queue
from stackproof.history.digests import digest_of
from stackproof.polling import DeadlineExceeded, Died, pause, poll
from stackproof.settings.systems import EXACTLY_ONCE
from stackproof.systems.components import ComponentError
from stackproof.systems.sinks.ends import Arrived
from stackproof.systems.sinks.events import IDENT, Event, Reading, made
from stackproof.systems.sinks.hosted import FULL, HostedSink
from stackproof.systems.sinks.known import FIRST
from stackproof.texts import counted
from stackproof.workloads import Task

if TYPE_CHECKING:
    from stackproof.history.ledger import Status
    from stackproof.session.scenario import ScenarioSession

_READER = "reader"
_TAKES_WITHIN, _WITHIN = 60.0, 30.0
#: Events handed over before, while and after something is broken, and seconds between two.
_HANDED, _PACE = 40, 0.005
#: Seconds in which a sink finds that its connection is dead.
_TRIES_WITHIN = 6.0
#: Tries of an open circuit that are looked at, and how near to its time they may come.
_TRIES, _NEARLY = 3, 0.9
#: Seconds without another event after which a sink that cannot be flushed counts as done.
_QUIET = 2.0


class EventSink(HostedSink):
    """A sink, what it is handed, and what arrives.

    Args:
        session: the scenario.
        name: of its section in ``stackproof.toml``.

    Attributes:
        refused: events that it has not taken, for its buffer was full.
        traits: what else there is to be told of the messages that have arrived.
    """

    def __init__(self, session: ScenarioSession, name: str):
        super().__init__(session, name)
        self.refused: list[str] = []
        self._space = f"events of the {self.settings.called}"
        self._reading = Reading(self.settings.fields)
        self._made = made(session.seed)
        self._handed: dict[str, Event] = {}
        self._puts: dict[str, int] = {}
        self._answered: dict[str, float] = {}
        self._taken: set[str] = set()
        self._wanted = 0
        self._program: Task | None = None
        self._arrived: dict[str, str] = {}
        self.traits: list[Mapping[str, Any]] = []
        self._meanwhile: int | None = None
        self._broken_at = 0.0

    # -- handing over --------------------------------------------------------------
    def hand(self, count: int, *, threads: int = 1) -> None:
        """Hand it so many events, one after the other, or by several threads at once.

        Raises:
            ComponentError: it does not take one, though its buffer is not full.
        """
        events = list(itertools.islice(self._made, count))
        if threads == 1:
            for event in events:
                self.hand_one(event)
            return
        shares = [events[n::threads] for n in range(threads)]
        with ThreadPoolExecutor(threads, thread_name_prefix="program") as pool:
            list(pool.map(self._hand_share, shares))

    def hand_with(self, other: EventSink, count: int) -> None:
        """Hand so many events to this one and to another one."""
        for event in itertools.islice(self._made, count):
            self.hand_one(event)
            other.hand_one(event)

    def _hand_share(self, events: Iterable[Event]) -> None:
        for event in events:
            self.hand_one(event)

    def hand_one(self, event: Event) -> None:
        """Hand it an event; it is put when the sink has taken it."""
        ident, number = event[IDENT], len(self._handed)
        self._handed[ident] = event
        self._puts[ident] = self._session.history.invoke(
            "put", client=threading.current_thread().name, space=self._space, key=ident,
            value=self._reading.expected(event),
        )  # fmt: skip
        try:
            self.process(number).call("handle_event", event, within=_TAKES_WITHIN)
        except ComponentError as error:
            if error.kind != FULL:
                raise AssertionError(
                    f"the {self.settings.called} did not take event number {number + 1}: {error}\n"
                    "a sink takes events while its server fails, and keeps them in a buffer"
                ) from error
            self.refused.append(ident)
        else:
            self._taken.add(ident)
        self._answered[ident] = time.time()

    def rest(self, seconds: float) -> None:
        """Hand it nothing for some time."""
        pause(seconds)

    def hand_unrecorded(self, count: int) -> None:
        """Hand it so many events side by side, for a figure: what becomes of each is not looked at.

        Raises:
            ComponentError: it does not take one.
        """
        events = itertools.islice(self._made, count)
        answers = [self.process().begin("handle_event", event) for event in events]
        for answer in answers:
            answer.result(self._session.scaled(_TAKES_WITHIN))

    def last(self, count: int) -> list[str]:
        """The IDs of the last ones that were handed over, so many of them."""
        return list(self._handed)[-count:]

    def hand_on(self, count: int) -> None:
        """Hand it so many events in the background, each when the one before was taken."""
        self._wanted = len(self._taken) + count
        self._program = Task(lambda _: self.hand(count), name="program", owner=self._session)

    def await_blocked(self, count: int, seconds: float) -> None:
        """Wait until it has taken so many, then for some time, in which it must take no more.

        Raises:
            AssertionError: it has taken more: none of them, or one batch that it has in hand.
            DeadlineExceeded: it has not taken so many.
        """
        before = self._meanwhile or 0
        self._await_taken(before + count, _WITHIN)
        pause(self._session.scaled(seconds))
        more = len(self._taken) - before - count
        if more > self._set["batch"]:
            raise AssertionError(
                f"the {self.settings.called} has taken {counted(more, 'event')} more than fit into "
                f"its buffer of {count}"
            )

    def await_taken(self, within: float) -> None:
        """Wait until it has taken all that `hand_on` hands over."""
        self._await_taken(self._wanted, within)
        assert self._program is not None
        self._program.end(within=self._session.scaled(within))

    def _await_taken(self, wanted: int, within: float) -> None:
        if self._program is None:
            raise step_missing("a program that hands over events", "a program goes on to hand ...")
        self._program.await_(
            lambda: len(self._taken), until=lambda taken: taken >= wanted,
            within=self._session.scaled(within), awaiting=f"{wanted} events to be taken",
        )  # fmt: skip

    def hand_while(self, fault: AbstractContextManager[object]) -> None:
        """Go on handing it events before, while and after something is broken."""

        def more(task: Task) -> None:
            for event in self._made:
                self.hand_one(event)
                if not task.pause(_PACE):
                    return

        with Task(more, name="program", owner=self._session) as task:
            self._await_handed(task, "before the fault")
            self.broken()
            tries = len(self.gate.tries) if self._gate else 0
            with fault:
                self._await_handed(task, "while its server is broken")
                self._await_tried_again(task, tries)
            self._await_handed(task, "afterwards")

    def _await_handed(self, task: Task, when: str) -> None:
        before = len(self._handed)
        task.await_(
            lambda: len(self._handed) - before, until=lambda more: more >= _HANDED,
            within=self._session.scaled(_WITHIN), awaiting=f"{_HANDED} events handed over {when}",
        )  # fmt: skip

    def _await_tried_again(self, task: Task, tries: int) -> None:
        """Until it has given up its connection and tried another one, if it does so at all."""
        if self._gate is None:
            return
        with suppress(DeadlineExceeded):
            task.await_(
                lambda: len(self.gate.tries) - tries, within=_TRIES_WITHIN,
                awaiting="the sink to connect again",
            )  # fmt: skip

    def broken(self) -> None:
        """Something is broken from now on: what it promises for that counts."""
        self._meanwhile, self._broken_at = len(self._handed), time.time()

    # -- what arrives ----------------------------------------------------------------
    def look(self) -> int:
        """Take what has arrived; how many of the events that it was handed have, in all."""
        self._note(self.end.come(), "acknowledge")
        return len(self._arrived.keys() & self._handed.keys())

    def _note(self, arrived: Iterable[Arrived], *and_then: str, space: str = "") -> None:
        history, where = self._session.history, space or self._space
        for one in arrived:
            content = self._reading.content(one.found)
            ident = self._reading.ident(one.found)
            ident = ident or f"no ID, content {digest_of(content.encode()):016x}"
            with history.doing("take", client=_READER, space=where, key=ident, value=content):
                self._arrived[ident] = content
            for action in and_then:
                with history.doing(action, client=_READER, space=where, key=ident):
                    self.traits.append(one.traits)

    @property
    def arrived(self) -> Mapping[str, str]:
        """What has arrived: the contents of events by their IDs."""
        return self._arrived

    def reject_all(self, within: float) -> Queue:
        """Reject every event that has arrived; what is expected of the dead letters.

        Raises:
            NotSupported: it brings its events where none can be rejected.
            DeadlineExceeded: they do not come, or are not dead-lettered.
        """
        end, dead = self.queue_of("reject"), f"dead letters of the {self.settings.called}"
        wanted = len(self._handed) - len(self.refused)

        def rejected() -> int:
            self._note(end.reject(), "reject")
            return len(self._arrived)

        def died() -> int:
            self._note(end.dead_letters(), "acknowledge", space=dead)
            return sum("rejected" in traits["deaths"] for traits in self.traits)

        for look, what in ((rejected, "to be rejected"), (died, "dead-lettered as rejected")):
            poll(
                look, until=lambda there: there >= wanted, within=self._session.scaled(within),
                awaiting=f"{counted(wanted, 'event')} {what}", describe=str,
            )  # fmt: skip
        self._settle(())
        return Queue(self._space, self._space, dead_letters=dead)

    def await_all(self, within: float) -> Queue:
        """Wait until all events that it has taken have arrived; what is expected of them.

        Args:
            within: seconds; 0: they must be there.

        Raises:
            AssertionError: something is wrong for certain.
            DeadlineExceeded: they have not arrived.
        """
        return self._await(len(self._handed) - len(self.refused), within)

    def _await(self, wanted: int, within: float, dropped: Iterable[str] = ()) -> Queue:
        try:
            poll(
                self.look, until=lambda there: there >= wanted, within=self._session.scaled(within),
                awaiting=f"{counted(wanted, 'event')} in the {self.end.noun}",
                describe=lambda there: f"{there} of them",
            )  # fmt: skip
        except DeadlineExceeded as late:
            self._settle(dropped)
            self._session.check_after(late, self.expected(settled=not within or self._says_done()))
        self._settle(dropped)
        return self.expected()

    def _says_done(self) -> bool:
        """Whether it says that all is delivered; then what is missing is lost."""
        try:
            self.flush()
        except (NotSupported, ComponentError, DeadlineExceeded, Died):
            return False
        return self.look() >= 0

    def _settle(self, dropped: Iterable[str]) -> None:
        """Tell the history what became of each event: those that it must drop it has not taken."""
        without = {*dropped, *self.refused}
        for ident, at in self._answered.items():
            why = "it finds the buffer full" if ident in without else ""
            status: Status = "fail" if why else "ok"
            self._session.history.answered(self._puts.pop(ident), status, error=why, at=at)
        self._answered.clear()

    def expected(self, *, settled: bool = True) -> Queue:
        """What is expected of all that it was handed, and of what arrives.

        A sink that promises no more may deliver events again after something was broken.
        """
        again = self._meanwhile is not None and self.settings.guarantee != EXACTLY_ONCE
        return Queue(
            self._space, self._space, ordered=self._running < 2, settled=settled,
            allowed=("duplicated", "unexplained-redelivery") if again else (),
        )  # fmt: skip

    def await_some(self, which: str, count: int, within: float) -> Queue:
        """Wait until the first or last events have arrived, of those since something was broken.

        A sink may have a batch in hand, beyond what is in its buffer.

        Args:
            which: `FIRST` or `LAST`.
            count: how many fit into its buffer.
            within: seconds.

        Returns:
            That exactly these have arrived; the others it must have dropped.
        """
        since = self._meanwhile or 0
        idents = [ident for ident in self._handed if ident not in self.refused]
        before, these = idents[:since], idents[since:]
        if len(these) <= count:
            raise PremiseNotMet(
                f"{counted(len(these), 'event')} cannot overflow a buffer of {count}",
                "nothing was put to the proof", "hand over more",
            )  # fmt: skip
        self._await_arrived(len(before) + count, within)
        came = [ident for ident in these if ident in self._arrived]
        batch = self._set["batch"] if since else 0
        extra = min(max(len(came) - count, 0), batch)
        if which == FIRST:
            dropped = these[count + extra :]
        else:
            hand = list(itertools.takewhile(self._arrived.__contains__, these[:batch]))
            last = count if extra else count - len(hand)
            dropped = these[len(hand) : len(these) - last]
        self._settle(dropped)
        return self.expected()

    def _await_arrived(self, wanted: int, within: float) -> None:
        """Wait for so many, then until it says that it has no more, or nothing more comes."""
        with suppress(DeadlineExceeded):  # what is missing is found by its name
            poll(self.look, until=lambda there: there >= wanted,
                 within=self._session.scaled(within), awaiting="events")  # fmt: skip
        if not self._says_done():
            look, seen = time.monotonic(), self.look()
            while time.monotonic() < look + _QUIET:
                pause(_PACE)
                if (now := self.look()) > seen:
                    look, seen = time.monotonic(), now

    # -- how it bears failures -------------------------------------------------------
    def cut(self) -> None:
        """Cut its connection, until its gate is open again."""
        self.gate.shut()
        self.broken()

    def await_left_alone(self, reset: float) -> Limit:
        """Wait until it has tried its broken server several times; at most one try in each time.

        Args:
            reset: seconds for which its circuit is open.

        Returns:
            That its tries are so far apart, but for those before its circuit opens.

        Raises:
            DeadlineExceeded: it has not tried again.
        """
        failures, space = self._set["failures"], f"tries of the {self.settings.called}"

        def tries() -> list[float]:
            return [at for at in list(self.gate.tries) if at >= self._broken_at]

        found = poll(
            tries, until=lambda found: len(found) >= failures + _TRIES,
            within=self._session.scaled(_WITHIN) + (_TRIES + 1) * reset,
            awaiting=f"{_TRIES} tries of a broken server on an open circuit",
            describe=lambda found: counted(len(found), "try", "tries"),
        )  # fmt: skip
        for at in found[failures:]:
            op = self._session.history.invoke(
                "permit", client=self.name, space=space, key=self.name, at=at
            )
            self._session.history.answered(op, "ok", at=at)
        self._session.figure("tries of a broken server", ", ".join(
            f"{after - before:.2f} s" for before, after in pairwise(found)
        ))  # fmt: skip
        return Limit(space, space, most=1, window_ms=round(reset * _NEARLY * 1000), fair=False)
