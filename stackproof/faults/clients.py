"""Faults of the connections between clients and a node; nodes reach each other as ever."""

from __future__ import annotations

import statistics
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from stackproof.actions import (
    Action,
    ClearClients,
    CutClients,
    ResetClients,
    SlowClients,
    ThrottleClients,
)
from stackproof.errors import PremiseNotMet
from stackproof.faults.fault import FELT_WITHIN, HEALED_WITHIN, Proof
from stackproof.faults.processes import NodeFault

if TYPE_CHECKING:
    from stackproof.services.reaching import Answer
    from stackproof.session.scenario import ScenarioSession

_ROUND_TRIPS = 5
#: Seconds for an answer of a slow one: some protocols go to and fro several times before.
_SLOW_WITHIN = 10.0
#: Bytes each way to measure a rate by, and seconds that may take when throttled.
_BULK = 60_000
_BULK_WITHIN = 30.0
#: A throttled connection may be measured as that much quicker: the first bytes are free.
_TOLERANCE = 1.5
#: Without a throttle a loopback connection is at least so many times quicker.
_QUICKER = 3.0


class ClientFault(NodeFault):
    """Clients come by proxies, the witness past them, too."""

    options: ClassVar = {"proxied": True}
    _action: Action

    def _inject(self) -> None:
        self._act(self._action)

    def _mend(self) -> None:
        self._act(ClearClients())

    def _gone(self) -> Proof:
        """Clients get answers again, and its peers have it among them."""
        answer = self._wait(
            lambda: self._witness.ask(self.node, as_client=True),
            until=self._as_before,
            within=HEALED_WITHIN,
            awaiting=f"clients of {self.target} to be served as before",
        )
        super()._gone()
        return Proof(f"{answer}, asked as clients ask",
                     {"answer_ms": answer.milliseconds})  # fmt: skip

    def _as_before(self, answer: Answer) -> bool:
        return answer.answered

    def _still_there(self) -> str:
        """That the node itself is well: it is the way to it that is broken.

        Raises:
            PremiseNotMet: it is not.
        """
        answer = self._witness.ask(self.node)
        if not answer.answered:
            raise PremiseNotMet(f"{self.target} itself does not answer", str(answer))
        return f"past the proxies it answers after {answer.seconds * 1000:.0f} ms"

    def _served(self, measure: Callable[[], float]) -> float:
        """What clients are served by before the fault."""
        return self._wait(
            measure,
            until=lambda _: True,
            within=FELT_WITHIN,
            awaiting=f"clients of {self.target} to be served before the {self.kind}",
        )

    @abstractmethod
    def _felt(self) -> Proof:
        """See `Fault`."""


class _Unreachable(ClientFault):
    """Clients get no answer; the node itself goes on."""

    def _felt(self) -> Proof:
        answer = self._wait(
            lambda: self._witness.ask(self.node, as_client=True),
            until=self._is_it,
            within=FELT_WITHIN,
            awaiting=f"clients of {self.target} to be without an answer",
        )
        return Proof(f"asked as clients ask, {answer}; {self._still_there()}",
                     {"waited_ms": answer.milliseconds})  # fmt: skip

    def _is_it(self, answer: Answer) -> bool:
        return not answer.answered


class ClientCut(_Unreachable):
    """Clients are cut off: connections stay, and nothing gets through."""

    kind: ClassVar[str] = "cut from clients"
    _action = CutClients()


class Reset(_Unreachable):
    """Each connection of a client ends with TCP's RST."""

    kind: ClassVar[str] = "reset"
    _action = ResetClients()

    def _is_it(self, answer: Answer) -> bool:
        return not answer.answered and "reset" in answer.problem


class Slow(ClientFault):
    """Every answer to a client comes later.

    Args:
        session: the scenario.
        service: its name, as the scenario knows it.
        node: the node's name.
        latency_ms: by how much, in milliseconds.
        jitter_ms: by up to how much more or less, in milliseconds.
    """

    kind: ClassVar[str] = "slow"
    serves = True

    def __init__(
        self,
        session: ScenarioSession,
        service: str,
        node: str,
        *,
        latency_ms: int = 300,
        jitter_ms: int = 50,
    ):
        super().__init__(session, service, node)
        self.latency_ms, self.jitter_ms = latency_ms, jitter_ms
        self._action = SlowClients(latency_ms, jitter_ms)

    def _round_trip(self) -> float:
        """Median of some requests' durations, in milliseconds."""
        answers = [
            self._witness.ask(self.node, as_client=True, within=_SLOW_WITHIN)
            for _ in range(_ROUND_TRIPS)
        ]
        if problem := next((str(a) for a in answers if not a.answered), ""):
            raise OSError(problem)
        return statistics.median(a.seconds for a in answers) * 1000

    def _before(self) -> None:
        self._usual = self._served(self._round_trip)

    def _felt(self) -> Proof:
        least = self.latency_ms - self.jitter_ms
        median = self._wait(
            self._round_trip,
            until=lambda ms: ms >= least,
            within=FELT_WITHIN,
            awaiting=f"answers of {self.target} to take {least} ms",
            describe=lambda ms: f"a median of {ms:.0f} ms",
        )
        return Proof(
            f"an answer takes {median:.0f} ms instead of {self._usual:.0f} ms; "
            f"{self._still_there()}",
            {"median_ms": round(median, 1), "before_ms": round(self._usual, 1)},
        )

    def _as_before(self, answer: Answer) -> bool:
        return answer.answered and answer.seconds * 1000 < self.latency_ms - self.jitter_ms


class VerySlow(Slow):
    """Later than a client may be willing to wait, and in time for the proof of it."""

    def __init__(self, session: ScenarioSession, service: str, node: str):
        super().__init__(session, service, node, latency_ms=1400, jitter_ms=0)


class Throttle(ClientFault):
    """Clients get only so many bytes a second through, each way.

    Args:
        session: the scenario.
        service: its name, as the scenario knows it.
        node: the node's name.
        kilobytes: a second.
    """

    kind: ClassVar[str] = "throttle"
    serves = True

    def __init__(self, session: ScenarioSession, service: str, node: str, *, kilobytes: int = 50):
        super().__init__(session, service, node)
        self.kilobytes = kilobytes
        self._action = ThrottleClients(kilobytes)

    def _rate(self) -> float:
        """Kilobytes a second of a request and a response of some size."""
        return self._witness.rate(self.node, _BULK, within=_BULK_WITHIN) / 1000

    def _before(self) -> None:
        self._usual = self._served(self._rate)

    def _felt(self) -> Proof:
        rate = self._wait(
            self._rate,
            until=lambda rate: rate <= self.kilobytes * _TOLERANCE,
            within=FELT_WITHIN,
            awaiting=f"clients of {self.target} to get {self.kilobytes} KB/s",
            describe=lambda rate: f"{rate:.0f} KB/s",
        )
        return Proof(
            f"clients get {rate:.0f} KB/s instead of {self._usual:.0f}; {self._still_there()}",
            {"kilobytes_a_second": round(rate, 1), "before": round(self._usual, 1)},
        )

    def _gone(self) -> Proof:
        rate = self._wait(
            self._rate,
            until=lambda rate: rate >= self.kilobytes * _QUICKER,
            within=HEALED_WITHIN,
            awaiting=f"clients of {self.target} to get more than {self.kilobytes} KB/s",
            describe=lambda rate: f"{rate:.0f} KB/s",
        )
        super()._gone()
        return Proof(f"clients get {rate:.0f} KB/s", {"kilobytes_a_second": round(rate, 1)})
