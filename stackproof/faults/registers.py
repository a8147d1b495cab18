"""Registers that several clients read, write, compare and set, while a node is broken or not."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from stackproof.history import Registers
from stackproof.polling import poll
from stackproof.services import service
from stackproof.services.keeping import Clustered, Member
from stackproof.session.scenario import Kept
from stackproof.workloads import OpenLoop

if TYPE_CHECKING:
    from stackproof.faults.processes import NodeFault
    from stackproof.history import Verdict
    from stackproof.session.scenario import ScenarioSession

#: Operations a second of all clients together, and seconds in which one is answered or given up.
_RATE, _ANSWERED_WITHIN = 100.0, 2.0
#: Operations of each client before the fault and after the healing, of all of them meanwhile.
_BEFORE, _MEANWHILE, _AFTERWARDS = 20, 40, 20
_SERVED_WITHIN = 60.0
_SPACE = "registers"


class SharedRegisters:
    """Clients of one service, each of one node; see `REGISTERS`.

    None turns to another node: what one that is cut off has to say is wanted, too. Each operation
    is recorded. Values are unique, so that a reading tells what it has seen.

    Args:
        session: the scenario.
        name: the service.
        clients: how many.
        registers: how many.
    """

    def __init__(self, session: ScenarioSession, name: str, clients: int, registers: int):
        self._session = session
        kind = service(name)
        assert isinstance(kind, Clustered), f"{name} keeps no registers"
        self._kind = kind
        self._name, self._clients = name, clients
        self._keys = [session.own(f"register-{number + 1}") for number in range(registers)]
        self._own = threading.local()
        self._endpoint = session.endpoint(name)
        self._lock = threading.Lock()
        self._opened: list[Member] = []
        session.parameters["seed"] = str(session.seed)
        session.add_cleanup(self._close)

    def _close(self) -> None:
        for member in self._opened:
            with suppress(*self._kind.unready):
                member.close()
        with closing(self._kind.keeper(self._endpoint)) as keeper:
            keeper.drop(self._keys)

    # -- operations ------------------------------------------------------------
    def _operate(self, number: int) -> None:
        if not hasattr(self._own, "member"):
            self._begin_client()
        choice = random.Random(f"{self._session.seed} {number}")
        key = choice.choice(self._keys)
        action = choice.choices(("read", "write", "compare-and-set"), (5, 1, 4))[0]
        # After a failure it reads until it is answered: writes without an answer may happen at any
        # time after, and each of them doubles what must be searched.
        method = getattr(self, f"_{'read' if self._own.lost else action.partition('-')[0]}")
        self._own.lost = True
        with suppress(*self._kind.unready):
            method(key, f"value {number}".encode())
            self._own.lost = False

    def _begin_client(self) -> None:
        with self._lock:
            number, nodes = len(self._opened), list(self._endpoint.addresses)
            node = nodes[number % len(nodes)]
            self._own.name = f"client {number + 1} at {node}"
            timeout = self._session.scaled(_ANSWERED_WITHIN)
            self._own.member = self._kind.keeper(self._endpoint, node, timeout=timeout)
            self._own.seen, self._own.lost = {}, False
            self._opened.append(self._own.member)

    def _doing(self, action: str, key: str, **more: Any) -> Any:
        return self._session.history.doing(
            action, client=self._own.name, space=_SPACE, key=key, **more
        )

    def _read(self, key: str, _: bytes) -> None:
        with self._doing("read", key) as answer:
            answer.value = self._own.seen[key] = self._own.member.read(key)

    def _write(self, key: str, content: bytes) -> None:
        with self._doing("write", key, value=content):
            self._own.member.put(key, content)
        self._own.seen[key] = content

    def _compare(self, key: str, content: bytes) -> None:
        """With what this client has seen last, so that some come too late."""
        if key not in self._own.seen:
            self._read(key, content)
        expected = self._own.seen[key]
        with self._doing("compare-and-set", key, value=content, expected=expected) as answer:
            if not self._own.member.swap(key, expected, content):
                answer.fail("another value is there")
                del self._own.seen[key]
                return
        self._own.seen[key] = content

    # -- what is done with them ------------------------------------------------
    def use(self, each: int) -> None:
        """Have each client do so many operations."""
        self._work(lambda loop: loop.await_more(
            each, within=self._session.scaled(_SERVED_WITHIN), while_="in all", each=True
        ))  # fmt: skip

    def use_while(self, fault: NodeFault) -> None:
        """The same before, while and after a node is broken.

        Raises:
            NoEffect, NotHealed: see `Fault`.
            DeadlineExceeded: the clients were not served.
        """
        within = self._session.scaled(_SERVED_WITHIN)

        def breaking(loop: OpenLoop) -> None:
            loop.await_more(_BEFORE, within=within, while_="before the fault", each=True)
            with fault:
                while_ = f"during the {fault.kind}"
                loop.await_more(_MEANWHILE, within=within, while_=while_)
            loop.await_more(_AFTERWARDS, within=within, while_="after the healing", each=True)

        self._work(breaking)

    def _work(self, meanwhile: Callable[[OpenLoop], None]) -> None:
        loop = OpenLoop(self._operate, rate=_RATE, clients=self._clients, name="clients",
                        owner=self._session)  # fmt: skip
        meanwhile(loop)
        loop.end(within=self._session.scaled(_SERVED_WITHIN))

    def check(self) -> Verdict:
        """Read each register once more, and check that all of them are linearizable.

        Raises:
            AssertionError: one is not.
        """
        self._begin_client()
        for key in self._keys:
            poll(
                lambda key=key: self._read(key, b""), until=lambda _: True,  # type: ignore[misc]
                within=self._session.scaled(_SERVED_WITHIN), retry_on=self._kind.unready,
                awaiting="the registers to be read",
            )  # fmt: skip
        return self._session.assert_history(Registers(f"registers in {self._name}", _SPACE))


#: Later steps ask what became of them.
REGISTERS = Kept[SharedRegisters](
    "registers that clients share",
    "4 clients each read, write, compare and set 5 registers in etcd 60 times",
)
