"""Locks under test: clients in processes of their own, who holds a lock, and who thinks so."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Locks
from stackproof.polling import poll
from stackproof.session.scenario import Kept
from stackproof.systems.components import Component, ComponentError, Role
from stackproof.workloads import ClosedLoop

if TYPE_CHECKING:
    from stackproof.history import Verdict
    from stackproof.session.scenario import ScenarioSession
    from stackproof.settings import SystemSettings

TAKEN, FENCED = "taken", "fenced"
ACCEPTED, REFUSED, UNANSWERED = "accepted", "refused", "without an answer"
ROLE = Role(
    {"acquire": ("name", "wait"), "release": ("name",), "write": ("name", "value", "token")},
    {TAKEN: "NotAcquiredError", FENCED: "StaleTokenError"},
)
#: Seconds for which a client waits for a lock, and for an answer beyond that.
_WAIT, _WITHIN = 30.0, 15.0
#: How often each client holds the lock before a fault and after it, and all of them meanwhile.
_BEFORE, _MEANWHILE, _AFTERWARDS = 3, 3, 3
#: Late writes, and the seconds between them.
_LATE_WRITES, _LATE_PACE = 6, 0.5
_SPACE, _LOCK = "locks", "leader"


class LockClients:
    """Components of which `ROLE` is asked, each a client of one lock.

    Args:
        session: the scenario.
        settings: of the component.
        fields: how it reaches its service.
        count: how many clients.
    """

    def __init__(
        self, session: ScenarioSession, settings: SystemSettings, fields: Mapping[str, str],
        count: int,
    ):  # fmt: skip
        self._session = session
        self._clients = [Component(session, settings.name, ROLE, fields) for _ in range(count)]
        self._ttl = settings.options.get("ttl", 0)
        self._numbers = itertools.count(1)
        self._tokens: dict[int, int] = {}
        self._waiting: dict[int, tuple[int, Future[Any]]] = {}
        self._former: int | None = None

    def _called(self, client: int) -> str:
        return f"client {client + 1}"

    def _record(self, action: str, client: int, token: int = 0) -> int:
        return self._session.history.invoke(
            action, client=self._called(client), space=_SPACE, key=_LOCK, number=token
        )

    # -- in turn -----------------------------------------------------------------
    def take_turns(self, each: int, *, broken: bool = False) -> None:
        """Have each client hold the lock so many times, and write what only its holder may.

        All ask for the free lock at the same moment each time: a lock that is looked at first and
        taken afterwards is then had by several of them.

        Args:
            each: how many times.
            broken: what the lock rests on may fail; such a time is tried again.
        """
        within = self._session.scaled(4 * _WAIT)

        together = threading.Barrier(len(self._clients))

        def one(client: int) -> None:
            try:
                if not broken:
                    together.wait(within)
            except threading.BrokenBarrierError:
                return  # another client has failed, and says so
            try:
                hold(client)
            except BaseException:
                together.abort()
                raise

        def hold(client: int) -> None:
            poll(lambda: self._turn(client), within=within, awaiting="a turn",
                 retry_on=(ComponentError,) if broken else ())  # fmt: skip

        loops = [
            ClosedLoop(partial(self._of, one, client), name=self._called(client), clients=1,
                       count=each, owner=self._session)
            for client in range(len(self._clients))
        ]  # fmt: skip
        for loop in loops:
            loop.wait(within=within)

    @staticmethod
    def _of(turn: Callable[[int], None], client: int, _: int) -> None:
        turn(client)

    def _turn(self, client: int) -> bool:
        self._tokens[client] = self._acquire(client)
        try:
            self.write(client)
        finally:
            with self._session.history.doing(
                "release", client=self._called(client), space=_SPACE, key=_LOCK
            ):
                self._clients[client].call("release", _LOCK, within=_WITHIN)
        return True

    def _acquire(self, client: int) -> int:
        history = self._session.history
        with history.doing(
            "acquire", client=self._called(client), space=_SPACE, key=_LOCK
        ) as answer:  # fmt: skip
            wait = self._session.scaled(_WAIT)
            answer.number = token = int(
                self._clients[client].call("acquire", _LOCK, wait, within=_WAIT + _WITHIN)
            )
        return token

    def write(self, client: int) -> bool:
        """Have a client write with the token that it has got last; False: it was refused."""
        token = self._tokens[client]
        value = f"{self._called(client)}, {next(self._numbers)}"
        with self._session.history.doing(
            "use", client=self._called(client), space=_SPACE, key=_LOCK, number=token
        ) as answer:  # fmt: skip
            try:
                self._clients[client].call("write", _LOCK, value, token, within=_WITHIN)
            except ComponentError as error:
                if error.kind != FENCED:
                    raise
                answer.fail(str(error))
                return False
        return True

    # -- one that holds it ---------------------------------------------------------
    def compete(self) -> None:
        """Have one client get the lock, and all others wait for it."""
        self._tokens[0] = self._acquire(0)
        for client in range(1, len(self._clients)):
            op = self._record("acquire", client)
            wait = self._session.scaled(4 * _WAIT)
            self._waiting[client] = op, self._clients[client].begin("acquire", _LOCK, wait)

    @property
    def holder(self) -> int:
        """Who has got the lock last.

        Raises:
            PremiseNotMet: nobody competes for it.
        """
        if not self._tokens:
            raise step_missing("somebody who holds the lock", "one of them holds the lock")
        return max(self._tokens, key=lambda client: self._tokens[client])

    def break_holder(self, how: str) -> None:
        """Pause or kill the process of the client that holds the lock.

        What it held counts as held until then; nobody knows how much of its lease is left.
        """
        self._former = client = self.holder
        if not self.write(client):
            raise PremiseNotMet("its holder cannot write what the lock protects")
        op = self._record("release", client)
        getattr(self._clients[client], how)()
        if how == "pause":
            self._session.add_cleanup(self._clients[client].resume)
        self._session.history.answered(op, "unknown", error=f"its client: {how}")

    def await_successor(self, within: float) -> int:
        """Wait until another client holds the lock; which.

        Raises:
            DeadlineExceeded: nobody does.
        """

        def granted() -> list[int]:
            return [client for client, (_, answer) in self._waiting.items() if answer.done()]

        found = poll(granted, within=self._session.scaled(within),
                     awaiting="another client to get the lock")  # fmt: skip
        for client in found:
            op, answer = self._waiting.pop(client)
            self._tokens[client] = token = int(answer.result())
            self._session.history.answered(op, "ok", number=token)
        return found[0]

    def resume(self) -> None:
        """Have the client go on that was paused."""
        self._clients[self._broken].resume()

    @property
    def _broken(self) -> int:
        if self._former is None:
            raise step_missing("a client that was paused", "the lock's holder is paused")
        return self._former

    def write_late(self) -> list[str]:
        """The present holder writes, then the former one, again and again; what came of these.

        Returns:
            Of each late write: `ACCEPTED`, `REFUSED`, or `UNANSWERED`: the first ones may fail
            with the connection of the former holder alone; then it has a new one.
        """
        if not self.write(self.holder):
            raise PremiseNotMet("the new holder cannot write what the lock protects")
        came: list[str] = []

        def again() -> bool:
            try:
                came.append(ACCEPTED if self.write(self._broken) else REFUSED)
            except ComponentError:  # recorded: whether it was written is not known
                came.append(UNANSWERED)
            return len(came) == _LATE_WRITES

        poll(again, within=self._session.scaled(_WAIT), first_pause=_LATE_PACE,
             longest_pause=_LATE_PACE, awaiting="late writes")  # fmt: skip
        return came

    # -- what came of it -----------------------------------------------------------
    def turns_while(self, fault: AbstractContextManager[object]) -> None:
        """Have each client hold the lock before, while and after a node is broken."""
        self.take_turns(_BEFORE)
        with fault:
            self.take_turns(_MEANWHILE, broken=True)
        self.take_turns(_AFTERWARDS, broken=True)

    def check(self) -> Verdict:
        """Check that the lock had one holder at a time, for as long as its lease at most.

        Raises:
            AssertionError: it had two, or took a late write.
        """
        lease_ms = round(self._ttl * 1000)
        return self._session.assert_history(Locks("the lock", _SPACE, lease_ms=lease_ms))


#: Later steps ask what became of them.
LOCKS = Kept[LockClients]("clients of a lock", "3 clients of the etcd-lock")
