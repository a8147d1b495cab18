"""A sink as a component: made with what features set of it, reached by a gate, flushed, ended."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stackproof.errors import NotSupported, Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.session.places import NamedPlaces
from stackproof.systems.components import ComponentError, Role, UnderTest
from stackproof.systems.sinks import leavings
from stackproof.systems.sinks.ends import ENDS, RabbitQueue, RedisStream
from stackproof.systems.sinks.gate import Gate
from stackproof.systems.sinks.known import service_of
from stackproof.texts import counted
from stackproof.urls import split_host_and_port

if TYPE_CHECKING:
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
_FLUSHES_WITHIN = 90.0
#: Seconds for which a sink whose server is missing waits for it.
_FLUSHES_ALONE = 3.0


class HostedSink(UnderTest):
    """A sink in processes of its own.

    Args:
        session: the scenario.
        name: of its section in ``stackproof.toml``.

    Attributes:
        end: where its events arrive.
    """

    role = ROLE

    def __init__(self, session: ScenarioSession, name: str):
        super().__init__(session, name)
        self.settings = session.settings.system(name)
        self.service = service_of(self.settings)
        self.end: RedisStream | RabbitQueue = ENDS[self.service](session)
        self._gate: Gate | None = None
        self._set: dict[str, Any] = dict(SETTINGS)
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

    # -- flushing and stopping -----------------------------------------------------
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

    def queue_of(self, doing: str) -> RabbitQueue:
        """The queue that its events arrive in.

        Raises:
            NotSupported: it is none; completes "nobody can ... a stream".
        """
        if not isinstance(self.end, RabbitQueue):
            raise NotSupported(f"nobody can {doing} a {self.end.noun}")
        return self.end

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
