"""A sink under test: what it is handed, and what arrives of it."""

from __future__ import annotations

import itertools
import string
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from stackproof.errors import NotSupported, PremiseNotMet, Trouble, step_missing
from stackproof.history import Limit, Queue
from stackproof.history.digests import digest_of
from stackproof.polling import DeadlineExceeded, Died, pause, poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.session.places import NamedPlaces
from stackproof.settings.systems import EXACTLY_ONCE
from stackproof.systems.components import ComponentError, Role, UnderTest
from stackproof.systems.sinks import leavings
from stackproof.systems.sinks.ends import ENDS, Arrived, RabbitQueue, RedisStream
from stackproof.systems.sinks.events import IDENT, Event, Reading, made
from stackproof.systems.sinks.gate import Gate
from stackproof.systems.sinks.known import FIRST, service_of
from stackproof.texts import counted
from stackproof.urls import split_host_and_port
from stackproof.workloads import Task

if TYPE_CHECKING:
    from stackproof.history.ledger import Status
    from stackproof.session.scenario import ScenarioSession

FULL, UNDELIVERED, STOPPED = "full", "undelivered", "stopped"
ROLE = Role(
    {"start": (), "handle_event": ("event",), "flush": (), "stop": ()},
    {FULL: "BufferFullError", UNDELIVERED: "NotDeliveredError", STOPPED: "SinkStoppedError"},
    optional=frozenset({"start", "flush"}),
)
#: What features set of a sink, where its options have these fields, and what they are otherwise.
SETTINGS: Mapping[str, Any] = {
    "buffer": 10_000, "overflow": "block", "batch": 100, "max_length": 0, "failures": 3,
    "reset": 1.0, "patience": 2.0, "flushing": 60.0,
}  # fmt: skip
_READER = "reader"
_TAKES_WITHIN, _FLUSHES_WITHIN, _WITHIN = 60.0, 90.0, 30.0
#: Events handed over before, while and after something is broken, and seconds between two.
_HANDED, _PACE = 40, 0.005
#: Seconds for which a sink whose server is missing waits for it.
_FLUSHES_ALONE = 3.0
#: Seconds in which a sink finds that its connection is dead.
_TRIES_WITHIN = 6.0
#: Tries of an open circuit that are looked at, and how near to its time they may come.
_TRIES, _NEARLY = 3, 0.9
#: Seconds without another event after which a sink that cannot be flushed counts as done.
_QUIET = 2.0


class EventSink(UnderTest):
    """A sink, what it is handed, and what arrives.

    Args:
        session: the scenario.
        name: of its section in ``stackproof.toml``.

    Attributes:
        end: where its events arrive.
        refused: events that it has not taken, for its buffer was full.
        traits: what else there is to be told of the messages that have arrived.
    """

    role = ROLE

    def __init__(self, session: ScenarioSession, name: str):
        super().__init__(session, name)
        self.settings = session.settings.system(name)
        self.service = service_of(self.settings)
        self.end: RedisStream | RabbitQueue = ENDS[self.service](session)
        self.refused: list[str] = []
        self._gate: Gate | None = None
        self._set: dict[str, Any] = dict(SETTINGS)
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
        self._before: Sequence[tuple[int, Sequence[str]]] = ()

    # -- starting ------------------------------------------------------------------
    def run(self, *, processes: int = 1, gated: bool = True, **settings: Any) -> None:
        """Make it, and start it; in several processes all at once.

        Args:
            processes: how many sinks.
            gated: whether it reaches its server through something that can be cut, and counts.
            settings: of `SETTINGS`.

        Raises:
            NotSupported: it has no such setting.
        """
        self.make(processes=processes, gated=gated, **settings)
        with ThreadPoolExecutor(processes) as threads:
            list(threads.map(self._start, range(processes)))

    def run_alone(self) -> None:
        """The same, where nobody listens for it."""
        self.end.prepare(self._fields_of_options())
        self._set["flushing"] = _FLUSHES_ALONE
        fields = {**self.end.fields(), **self._reached_at(free_port())}
        self.start(fields=fields, **self._given())
        self._before = [(0, ())]
        self._start(0)

    def flush_in_vain(self, within: float) -> str:
        """Have it say that it cannot deliver what it has taken; what it says.

        Raises:
            AssertionError: it says that it has.
            ComponentError: it says something else.
        """
        try:
            self.process().call("flush", within=within)
        except ComponentError as error:
            if error.kind == UNDELIVERED:
                return error.text
            raise
        raise AssertionError(f"the {self.settings.called} says that all is delivered")

    def run_with_buffer(self, size: int, overflow: str) -> None:
        """The same, with little in hand beside the buffer where it can be told so."""
        more: dict[str, Any] = {"batch": 1} if self._uses("batch") else {}
        self.run(buffer=size, overflow=overflow, **more)

    def _uses(self, name: str) -> bool:
        """Whether its options have the field of a setting."""
        return name in self._fields_of_options()

    def _start(self, number: int) -> None:
        with suppress(NotSupported):  # it has begun when it was made
            self.process(number).call("start")

    def make(self, *, processes: int = 1, gated: bool = True, **settings: Any) -> None:
        """The same; it is not started."""
        used = self._fields_of_options()
        for name in settings:
            if name not in used:
                raise NotSupported(
                    f"the {self.settings.called} has no setting for its {name}",
                    f"its options have no field {{{name}}}",
                    f"write it into the options of [systems.{self.name}], where it has one",
                )
        self._set.update(settings)
        self.end.prepare(used)
        fields = self.end.fields()
        if gated:
            fields = {**fields, **self._through_gate()}
        self.start(processes=processes, fields=fields, **self._given())
        pids = [self.process(number).pid for number in range(processes)]
        self._before = [(leavings.threads(pid), leavings.connections(pid)) for pid in pids]

    @property
    def _running(self) -> int:
        """How many processes it has."""
        return len(self._before)

    def refusal(self, url: str) -> str:
        """What it says of a URL that it is made with.

        Raises:
            AssertionError: it takes it.
        """
        wanted = f"{{{self.service}_url}}"
        urls: dict[str, Any] = {
            option: url for option, text in self.settings.options.items() if text == wanted
        }
        given = {**self._given(), **urls}
        try:
            self.start(fields=self.end.fields(), **given)
        except Trouble as refused:
            return refused.why
        raise AssertionError(f"the {self.settings.called} takes the URL {url}")

    def groups(self) -> Sequence[str]:
        """The consumer groups of its stream.

        Raises:
            NotSupported: what it brings its events to has none.
        """
        if not isinstance(self.end, RedisStream):
            raise NotSupported(f"a {self.end.noun} has no consumer groups")
        return self.end.groups()

    def cut(self) -> None:
        """Cut its connection, until its gate is open again."""
        self.gate.shut()
        self.broken()

    def _given(self) -> dict[str, Any]:
        """Values of its options for what features set."""
        return {
            option: self._set[text[1:-1]]
            for option, text in self.settings.options.items()
            if isinstance(text, str) and text[:1] == "{" and text[1:-1] in SETTINGS
        }

    def _fields_of_options(self) -> frozenset[str]:
        texts = [text for text in self.settings.options.values() if isinstance(text, str)]
        return frozenset(
            name for text in (*texts, *self.settings.command)
            for _, name, _, _ in string.Formatter().parse(text) if name
        )  # fmt: skip

    def _through_gate(self) -> dict[str, str]:
        """Its server's fields, with a gate in place of the address; as they are with TLS."""
        endpoint = self.end.endpoint
        if endpoint.access.tls or len(endpoint.addresses) > 1:
            return {}
        if self._gate is None:
            self._gate = Gate(*split_host_and_port(self._address))
            self._session.add_cleanup(self._gate.close)
        return self._reached_at(self._gate.port)

    @property
    def _address(self) -> str:
        """Host and port of its server."""
        return next(iter(self.end.endpoint.addresses.values())).partition("/")[0]

    def _reached_at(self, port: int) -> dict[str, str]:
        """Its server's fields, with a port on loopback in place of the address."""
        known = self._session.use(NamedPlaces).fields([self.service])
        other = f"{LOOPBACK}:{port}"
        return {name: value.replace(self._address, other) for name, value in known.items()}

    @property
    def gate(self) -> Gate:
        """What it reaches its server through.

        Raises:
            NotSupported: nothing, for their connection is encrypted, or there are several servers.
        """
        if self._gate is None:
            raise NotSupported(
                f"nobody can cut the connection of the {self.settings.called}",
                "it is encrypted, or there are several servers",
                "run the scenario on a server of the suite's own",
            )
        return self._gate

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

    def hand_unrecorded(self, count: int) -> None:
        """Hand it so many events for a figure; what becomes of each is not looked at."""
        for event in itertools.islice(self._made, count):
            self.process().call("handle_event", event, within=_TAKES_WITHIN)

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

    def flush(self) -> None:
        """Have each of its processes deliver what it has taken.

        Raises:
            NotSupported: it cannot be told to.
            ComponentError: it could not.
        """
        for number in range(self._running):
            self.process(number).call("flush", within=_FLUSHES_WITHIN)

    def try_to_deliver(self) -> None:
        """The same; it may say that something is not delivered."""
        try:
            self.flush()
        except ComponentError as error:
            if error.kind != UNDELIVERED:
                raise

    def stop(self) -> None:
        """Have each of its processes stop the sink; the process stays."""
        for number in range(self._running):
            self.process(number).call("stop", within=_FLUSHES_WITHIN)

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

    def queue_of(self, doing: str) -> RabbitQueue:
        """The queue that its events arrive in.

        Raises:
            NotSupported: it is none; completes "nobody can ... a stream".
        """
        if not isinstance(self.end, RabbitQueue):
            raise NotSupported(f"nobody can {doing} a {self.end.noun}")
        return self.end

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

    # -- what it leaves --------------------------------------------------------------
    def await_nothing_left(self, within: float) -> list[str]:
        """Wait until it has no more threads and connections than before its start; what it has.

        Raises:
            PremiseNotMet: it had none while it ran, so that nothing can be left.
        """

        def left() -> list[str]:
            told = []
            for number, (threads, connections) in enumerate(self._before):
                pid = self.process(number).pid
                more = leavings.threads(pid) - threads
                told += [counted(more, "thread")] if more > 0 else []
                there = leavings.connections(pid)
                told += [f"connected to {one}" for one in there if one not in connections]
            return told

        try:
            return poll(left, until=lambda found: not found, within=self._session.scaled(within),
                        awaiting="nothing to be left")  # fmt: skip
        except DeadlineExceeded:
            return left()
