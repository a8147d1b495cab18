"""A store of sessions under test: how long they live, and whether updates get lost."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import AbstractContextManager
from types import EllipsisType
from typing import TYPE_CHECKING
from zlib import crc32

from stackproof.history import Registers
from stackproof.polling import poll, watch_life
from stackproof.systems.components import Component, Role, UnderTest
from stackproof.workloads import ClosedLoop

if TYPE_CHECKING:
    from stackproof.history import Answer
    from stackproof.session.scenario import ScenarioSession

_WITHIN = 30.0
_SPACE = "sessions"


class SessionStore(UnderTest):
    """A store of sessions in two processes, and its clients."""

    role = Role({
        "create": ("session", "data"), "read": ("session",), "renew": ("session",),
        "update": ("session", "before", "after"),
    })  # fmt: skip

    def __init__(self, session: ScenarioSession):
        super().__init__(session, "session-store")
        self._ttl_ms = 0
        self._numbers = itertools.count(1)

    def run(self, ttl: float) -> None:
        """Start it in two processes; sessions live for so many seconds."""
        self._ttl_ms = round(ttl * 1000)
        self.start(processes=2, ttl=ttl)

    def _own(self) -> Component:
        """The process that this client uses."""
        return self.process(crc32(threading.current_thread().name.encode()))

    def _doing(
        self, action: str, name: str, value: str | EllipsisType = ...,
        *, expected: str | EllipsisType = ..., ttl_ms: int = 0,
    ) -> AbstractContextManager[Answer]:  # fmt: skip
        return self._session.history.doing(
            action, client=threading.current_thread().name, space=_SPACE, key=name,
            value=value, expected=expected, number=ttl_ms,
        )  # fmt: skip

    def create(self, name: str) -> bool:
        """Create a session; whether there was none of this name."""
        data = f"{name}, {next(self._numbers)}"
        with self._doing("write", name, data, ttl_ms=self._ttl_ms) as answer:
            made = bool(self._own().call("create", name, data))
            if not made:
                answer.fail("there is one of this name")
        return made

    def read(self, name: str) -> str | None:
        """What a session holds; None: it has ended."""
        with self._doing("read", name) as answer:
            found = self._own().call("read", name)
            answer.value = None if found is None else str(found)
        return found

    def renew(self, name: str) -> bool:
        """Renew a session; False: it has ended."""
        with self._doing("expire", name, ttl_ms=self._ttl_ms) as answer:
            done = bool(self._own().call("renew", name))
            if not done:
                answer.fail("it has ended")
        return done

    def renew_for(self, name: str, seconds: float) -> None:
        """Renew a session again and again."""
        began = time.monotonic()
        poll(
            lambda: (self.renew(name), time.monotonic() - began)[1],
            until=lambda gone_by: gone_by >= seconds, within=seconds + _WITHIN,
            awaiting="the time to be over",
        )  # fmt: skip

    def watch_life(self, name: str, late: float) -> Registers:
        """Read a session until it has ended; what is expected of all that was read.

        Args:
            name: which.
            late: seconds that it may live longer.
        """
        watch_life(lambda: self.read(name) is not None, self._ttl_ms / 1000, late=late)
        return Registers("sessions", _SPACE, late_ms=round(late * 1000))

    def update_together(self, name: str, clients: int, count: int) -> None:
        """Have clients read a session and change it, until so many changes were accepted."""
        accepted: list[str] = []

        def change(_: int) -> None:
            before = self.read(name)
            assert before is not None, f'the session "{name}" is gone'
            after = f"{name}, {next(self._numbers)}"
            with self._doing("compare-and-set", name, after, expected=before) as answer:
                if self._own().call("update", name, before, after):
                    accepted.append(after)
                else:
                    answer.fail("it holds something else by now")

        with ClosedLoop(change, clients=clients, name="client", owner=self._session):
            poll(
                lambda: len(accepted), until=lambda found: found >= count,
                within=self._session.scaled(_WITHIN), awaiting=f"{count} updates",
            )  # fmt: skip

    def updates(self) -> Registers:
        """No two updates replaced the same value."""
        return Registers("sessions", _SPACE)
