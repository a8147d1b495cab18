"""A cache under test, in front of an origin of the suite's: who reads, and what they are told."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import AbstractContextManager
from functools import cached_property
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Registers
from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.systems.components import ComponentError, Role, UnderTest
from stackproof.systems.origin import Origin
from stackproof.texts import counted
from stackproof.workloads import ClosedLoop, Task

if TYPE_CHECKING:
    from stackproof.history import Answer
    from stackproof.session.scenario import ScenarioSession

_WITHIN = 10.0
_SPACE = "customers"
MISSING, UNAVAILABLE = "missing", "unavailable"
ROLE = Role(
    {"get": ("name",), "update": ("name", "value")},
    {MISSING: "KeyError", UNAVAILABLE: "OriginError"},
)


class CacheAside(UnderTest):
    """A cache with customers at an origin behind it.

    Attributes:
        unserved: what was told of readings that nobody served.
    """

    role = ROLE

    def __init__(self, session: ScenarioSession):
        super().__init__(session, "cache-aside")
        self._numbers, self._version = itertools.count(1), itertools.count()
        self._own = threading.local()
        self._contents: dict[int, str] = {}
        self._read: set[int] = set()
        self._pending: list[Task] = []
        self.unserved: list[str] = []
        self._refused: str | None = None

    @cached_property
    def origin(self) -> Origin:
        """Where the customers are."""
        origin = Origin()
        self._session.add_cleanup(origin.close)
        return origin

    def fill_origin(self, count: int) -> None:
        """So many customers at the origin, none of them cached."""
        for number in range(1, count + 1):
            self.change_at_origin(number)

    def run(self, **options: Any) -> None:
        """Start it, with options that override those of its section."""
        self.start(fields={"origin_url": self.origin.url}, **options)

    # -- one reading, one update ---------------------------------------------
    def read(self, number: int) -> str | None:
        """Read a customer through the cache; None: there is no such customer.

        Raises:
            ComponentError: with another error than that.
        """
        self._read.add(number)
        name = _name(number)
        with self._doing("read", name) as answer:
            try:
                found = self.process().call("get", name, within=_WITHIN)
            except ComponentError as error:
                if error.kind != MISSING:
                    raise
                found = None
            answer.value = None if found is None else str(found)
        return found

    @property
    def refused(self) -> str:
        """Kind of the error of the last reading, "": none; `PremiseNotMet`: nothing was read."""
        if self._refused is None:
            raise step_missing("a reading", "customer 1 is read")
        return self._refused

    def try_to_read(self, number: int) -> None:
        """Read a customer; an error is kept in `refused`."""
        self._refused = ""
        try:
            self.read(number)
        except ComponentError as error:
            self._refused = error.kind

    def update(self, number: int) -> None:
        """Give a customer its next content; a cache that is only told of it finds it changed."""
        name, content = _name(number), self._next(number)
        with self._doing("write", name, content):
            if "value" not in self.process().calls["update"].takes:
                self.origin.store(name, content.encode())
            self.process().call("update", name, content, within=_WITHIN)

    def change_at_origin(self, number: int, content: str | None = None) -> None:
        """Give a customer this or its next content without telling the cache."""
        name, content = _name(number), self._next(number, content)
        with self._doing("write", name, content):
            self.origin.store(name, content.encode())

    def _next(self, number: int, content: str | None = None) -> str:
        """The next content of a customer; each differs from all before."""
        made = f"{_name(number)}, version {next(self._version)}" if content is None else content
        self._contents[number] = made
        return made

    def latest(self, number: int) -> str | None:
        """What a customer was last given; None: there is no such customer."""
        return self._contents.get(number)

    def _doing(
        self, action: str, name: str, value: str | EllipsisType = ...
    ) -> AbstractContextManager[Answer]:
        if not hasattr(self._own, "client"):
            self._own.client = f"client {next(self._numbers)}"
        return self._session.history.doing(
            action, client=self._own.client, space=_SPACE, key=name, value=value
        )

    # -- many of them --------------------------------------------------------
    def read_all(self, times: int) -> None:
        """Read every customer that often, one reading after the other."""
        for _ in range(times):
            for number in list(self._contents):
                self.read(number)

    def read_together(self, number: int, readers: int) -> None:
        """Have so many clients read one customer before the origin has answered anybody.

        Raises:
            PremiseNotMet: the origin had answered before all of them asked.
        """
        answered = time.monotonic() + self.origin.delay
        asked: list[float] = []

        def read(_: int) -> None:
            asked.append(time.monotonic())
            self.read(number)

        within = self._session.scaled(2 * _WITHIN)
        ClosedLoop(
            read, clients=readers, count=readers, name="clients", owner=self._session
        ).wait(within=within)  # fmt: skip
        if max(asked) >= answered:
            raise PremiseNotMet(
                "the clients did not read at the same moment",
                f"the last one began {max(asked) - min(asked):.3f} s after the first, and the "
                f"origin answers after {self.origin.delay:g} s",
                'let it take longer: "the origin takes 1 second to answer"',
            )

    def begin_reading(self, number: int) -> None:
        """Begin to read a customer; goes on when the origin has been asked for it.

        Raises:
            PremiseNotMet: it was not asked.
        """
        before = self.origin.loads[_name(number)]
        reading = Task(lambda _: self.read(number), name="a client", owner=self._session)
        self._pending.append(reading)
        within = self._session.scaled(_WITHIN)
        try:
            poll(
                lambda: self.origin.loads[_name(number)], until=lambda loads: loads > before,
                within=within, awaiting="the origin to be asked",
            )  # fmt: skip
        except DeadlineExceeded as late:
            reading.wait(within=within)  # why it was not asked
            raise PremiseNotMet("nothing is being loaded", str(late)) from late

    def update_while_reading(self, number: int, updates: int, readers: int) -> None:
        """Update a customer again and again while others read it.

        A reading that is not served ends it and is kept in `unserved`: what was served until
        then is judged as well.
        """
        unserved = threading.Event()

        def read(_: int = 0) -> None:
            if unserved.is_set():
                return
            try:
                self.read(number)
            except (ComponentError, DeadlineExceeded, Died) as error:
                self.unserved.append(str(error))
                unserved.set()

        read()  # cached before the first update
        with ClosedLoop(read, clients=readers, name="clients", owner=self._session) as reading:
            within = self._session.scaled(_WITHIN)
            reading.await_more(1, within=within, while_="before the first update", each=True)
            for _ in range(updates):
                self.update(number)
                read()
                if unserved.is_set():
                    break
        self._session.figure("readings while updating", f"{reading.done}")

    # -- outcomes ------------------------------------------------------------
    def read_latest(self, number: int, *, within: float = 0.0) -> str | None:
        """Read a customer, when readings that were begun have ended, until it is as last written.

        Args:
            number: which.
            within: seconds for that; 0: by the first reading.

        Returns:
            What the last reading told.
        """
        for task in self._pending:
            task.wait(within=self._session.scaled(_WITHIN))
        try:
            return poll(
                lambda: self.read(number), until=lambda found: found == self.latest(number),
                within=within, awaiting="the latest value",
            )  # fmt: skip
        except DeadlineExceeded as late:
            assert late.seen is None or isinstance(late.seen, str)
            return late.seen

    def expected(self) -> Registers:
        """Every reading told what was written, and nothing that had been replaced before it."""
        return Registers("customers behind the cache", _SPACE, consistency="regular")

    def not_loaded_once(self) -> list[str]:
        """Customers that were read, and that the origin was asked for never or more than once.

        Raises:
            PremiseNotMet: nobody was read.
        """
        if not self._read:
            raise step_missing("customers that were read", "customer 1 is read")
        loads = ((name, self.origin.loads[name]) for name in map(_name, sorted(self._read)))
        return [f"{name}: {counted(count, 'time')}" for name, count in loads if count != 1]


def _name(number: int) -> str:
    return f"customer-{number:04d}"
