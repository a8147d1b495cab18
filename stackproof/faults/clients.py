"""Faults of the connections between clients and a broker; brokers reach each other as ever."""

from __future__ import annotations

import statistics
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from stackproof.actions import (
    Action,
    ClearClients,
    CutClients,
    ResetClients,
    SlowClients,
    ThrottleClients,
)
from stackproof.faults.fault import FELT_WITHIN, HEALED_WITHIN, Proof
from stackproof.faults.processes import BrokerFault

if TYPE_CHECKING:
    from stackproof.clients.kafka.direct import Answer
    from stackproof.session.scenario import ScenarioSession

_ROUND_TRIPS = 5
#: Bytes each way to measure a rate by, and seconds that may take when throttled.
_BULK = 60_000
_BULK_WITHIN = 30.0
#: A throttled connection may be measured as that much quicker: the first bytes are free.
_TOLERANCE = 1.5
#: Without a throttle a loopback connection is at least so many times quicker.
_QUICKER = 3.0


class ClientFault(BrokerFault):
    """Needs the option ``proxied``: clients come by proxies, the witness past them, too."""

    _action: Action

    def _inject(self) -> None:
        self._act(self._action)

    def _mend(self) -> None:
        self._act(ClearClients())

    def _gone(self) -> Proof:
        """Clients get answers again, and the broker is in sync."""
        answer = self._wait(
            lambda: self._witness.ask(self.broker, as_client=True),
            until=self._as_before,
            within=HEALED_WITHIN,
            awaiting=f"clients of broker {self.broker} to be served as before",
        )
        super()._gone()
        return Proof(f"{answer}, asked as clients ask",
                     {"answer_ms": round(answer.seconds * 1000, 1)})  # fmt: skip

    def _as_before(self, answer: Answer) -> bool:
        return answer.answered

    def _still_there(self) -> str:
        """That the broker itself is well: it is the way to it that is broken.

        Raises:
            OSError: it is not.
        """
        answer = self._witness.ask(self.broker)
        if not answer.answered:
            raise OSError(f"the broker itself does not answer: {answer}")
        return f"past the proxies it answers after {answer.seconds * 1000:.0f} ms"

    @abstractmethod
    def _felt(self) -> Proof:
        """See `Fault`."""


class _Unreachable(ClientFault):
    """Clients get no answer; the broker itself goes on."""

    def _felt(self) -> Proof:
        answer = self._wait(
            lambda: self._witness.ask(self.broker, as_client=True),
            until=self._is_it,
            within=FELT_WITHIN,
            awaiting=f"clients of broker {self.broker} to be without an answer",
        )
        return Proof(f"asked as clients ask, {answer}; {self._still_there()}",
                     {"waited_ms": round(answer.seconds * 1000, 1)})  # fmt: skip

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
        broker: its ID.
        latency_ms: by how much, in milliseconds.
        jitter_ms: by up to how much more or less, in milliseconds.
    """

    kind: ClassVar[str] = "slow"

    def __init__(
        self, session: ScenarioSession, broker: int, latency_ms: int = 300, jitter_ms: int = 50
    ):
        super().__init__(session, broker)
        self.latency_ms, self.jitter_ms = latency_ms, jitter_ms
        self._action = SlowClients(latency_ms, jitter_ms)

    def _round_trip(self) -> float:
        """Median of some requests' durations, in milliseconds."""
        answers = [self._witness.ask(self.broker, as_client=True) for _ in range(_ROUND_TRIPS)]
        if problem := next((str(a) for a in answers if not a.answered), ""):
            raise OSError(problem)
        return statistics.median(a.seconds for a in answers) * 1000

    def _before(self) -> None:
        self._usual = self._round_trip()

    def _felt(self) -> Proof:
        least = self.latency_ms - self.jitter_ms
        median = self._wait(
            self._round_trip,
            until=lambda ms: ms >= least,
            within=FELT_WITHIN,
            awaiting=f"answers of broker {self.broker} to take {least} ms",
            describe=lambda ms: f"a median of {ms:.0f} ms",
        )
        return Proof(
            f"an answer takes {median:.0f} ms instead of {self._usual:.0f} ms; "
            f"{self._still_there()}",
            {"median_ms": round(median, 1), "before_ms": round(self._usual, 1)},
        )

    def _as_before(self, answer: Answer) -> bool:
        return answer.answered and answer.seconds * 1000 < self.latency_ms - self.jitter_ms


class Throttle(ClientFault):
    """Clients get only so many bytes a second through, each way.

    Args:
        session: the scenario.
        broker: its ID.
        kilobytes: a second.
    """

    kind: ClassVar[str] = "throttle"

    def __init__(self, session: ScenarioSession, broker: int, kilobytes: int = 50):
        super().__init__(session, broker)
        self.kilobytes = kilobytes
        self._action = ThrottleClients(kilobytes)

    def _rate(self) -> float:
        """Kilobytes a second of a request and a response of some size."""
        within = self._session.scaled(_BULK_WITHIN)
        return self._witness.as_client(self.broker).bytes_a_second(_BULK, timeout=within) / 1000

    def _before(self) -> None:
        self._usual = self._rate()

    def _felt(self) -> Proof:
        rate = self._wait(
            self._rate,
            until=lambda rate: rate <= self.kilobytes * _TOLERANCE,
            within=FELT_WITHIN,
            awaiting=f"clients of broker {self.broker} to get {self.kilobytes} KB/s",
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
            awaiting=f"clients of broker {self.broker} to get more than {self.kilobytes} KB/s",
            describe=lambda rate: f"{rate:.0f} KB/s",
        )
        super()._gone()
        return Proof(f"clients get {rate:.0f} KB/s", {"kilobytes_a_second": round(rate, 1)})
