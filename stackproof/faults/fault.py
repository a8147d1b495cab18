"""What every fault has in common: begun, proved, healed, proved, recorded.

The injector's word counts for nothing here: an independent client of the service must see
that the fault is there, and that it has gone. What it saw stands in the scenario's history.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from stackproof.errors import and_then, no_effect, step_missing
from stackproof.polling import DeadlineExceeded, poll

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

T = TypeVar("T")
#: Seconds for a fault to be felt; longer than a cluster needs to shut a broker out.
FELT_WITHIN = 20.0
#: Seconds from the healing until a client finds everything as before the fault.
HEALED_WITHIN = 60.0


class NotHealed(AssertionError):  # noqa: N818 -- read as a sentence
    """The healing was done, and an independent client still finds the fault, or its traces."""


@dataclass(frozen=True)
class Proof:
    """What an independent client saw.

    Attributes:
        text: in words, completes "proof: ...".
        values: what was measured, unit in the name; anything JSON can hold.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Fault(ABC):
    """Something that is broken on purpose for a while; a context manager.

    Its healing is registered with the scenario before anything is broken: what a scenario
    leaves broken is healed at its end. A fault can be had once.

    Args:
        session: the scenario; the cluster that is broken must be its own.
    """

    #: What it is called in histories and reports, e.g. "pause".
    kind: ClassVar[str]

    def __init__(self, session: ScenarioSession):
        self._session = session
        self._began = 0.0
        #: When its healing began, seconds since the Unix epoch.
        self.mended = 0.0
        self._state = "new"

    # -- what a kind of fault says -------------------------------------------
    @property
    @abstractmethod
    def target(self) -> str:
        """What is broken, for people."""

    @abstractmethod
    def _inject(self) -> None:
        """Break it."""

    @abstractmethod
    def _mend(self) -> None:
        """Undo it; called once, also when `_inject` has failed half-way."""

    @abstractmethod
    def _felt(self) -> Proof:
        """Wait until an independent client feels it.

        Raises:
            DeadlineExceeded: it felt nothing.
        """

    @abstractmethod
    def _gone(self) -> Proof:
        """Wait until an independent client finds everything as before.

        Raises:
            DeadlineExceeded: it does not.
        """

    def _before(self) -> None:  # noqa: B027 -- most kinds compare with nothing
        """Measure what `_felt` compares with."""

    # -- life cycle ----------------------------------------------------------
    @property
    def active(self) -> bool:
        """Whether it is there now."""
        return self._state == "active"

    def begin(self) -> Self:
        """Break it and prove it.

        Raises:
            NoEffect: an independent client noticed nothing.
            Trouble: it cannot be broken; `NotSupported` where this machine never can.
        """
        if self._state != "new":
            raise ValueError(f"the {self.kind} of {self.target} has been begun before")
        self._before()
        self._session.add_cleanup(self._heal_at_end)
        self._state = "active"
        self._began = time.time()
        self._inject()
        try:
            proof = self._felt()
        except DeadlineExceeded as late:
            text = f"{self.kind} of {self.target}: the fault had no effect"
            self._session.history.event("fault", text, at=self._began)
            raise no_effect(f"{self.kind} of {self.target}", late) from late
        self._record("effect", proof, since=self._began)
        return self

    def heal(self) -> None:
        """Undo it and prove that it has gone; nothing to do when that has been done.

        Raises:
            NotHealed: an independent client still finds traces of it.
            Trouble: it cannot be undone.
        """
        self.mend()
        self.prove_healed()

    def mend(self) -> None:
        """Undo it; `prove_healed` is to follow. Nothing to do when that has been done.

        Raises:
            Trouble: it cannot be undone.
        """
        if self._state != "active":
            return
        self._state = "mended"
        self.mended = time.time()
        try:
            self._mend()
        except BaseException:
            self._never_healed()
            raise

    def prove_healed(self) -> None:
        """Prove that it has gone; nothing to do when that has been done.

        Raises:
            NotHealed: an independent client still finds traces of it.
        """
        if self._state != "mended":
            return
        self._state = "healed"
        text = f"{self.kind} of {self.target}"
        try:
            proof = self._gone()
        except DeadlineExceeded as late:
            self._never_healed()
            raise NotHealed(f"{text}: the healing never came\n{late}") from late
        except BaseException:
            self._never_healed()
            raise
        self._session.history.event("fault", text, at=self._began, until=self.mended)
        self._record("healing", proof, since=self.mended)

    def _never_healed(self) -> None:
        text = f"{self.kind} of {self.target}: never healed"
        self._session.history.event("fault", text, at=self._began)

    def _heal_at_end(self) -> None:
        if self.active:
            self._session.history.event(
                "note", f"{self.kind} of {self.target}: healed only by the scenario's end"
            )
            self.heal()

    def _record(self, of: str, proof: Proof, *, since: float) -> None:
        now = time.time()
        self._session.history.event(
            of,
            f"{self.kind} of {self.target}: {proof.text}",
            at=now,
            seconds=round(now - since, 3),
            **proof.values,
        )
        what = "felt" if of == "effect" else "healed"
        self._session.figure(f"{self.kind} of {self.target} {what} after", f"{now - since:.1f} s")

    def __enter__(self) -> Self:
        return self.begin() if self._state == "new" else self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.heal()
        except Exception as unhealed:
            if error is None:
                raise
            and_then(error, unhealed)

    # -- for kinds of faults -------------------------------------------------
    def _wait(
        self,
        attempt: Callable[[], T],
        *,
        until: Callable[[T], bool],
        awaiting: str,
        within: float,
        describe: Callable[[T], str] = str,
    ) -> T:
        return poll(
            attempt,
            until=until,
            within=self._session.scaled(within),
            awaiting=awaiting,
            describe=describe,
            retry_on=(OSError,),
        )


Kind = TypeVar("Kind", bound=Fault)


class Begun(Generic[Kind]):
    """What a scenario has begun to break, and heals by name."""

    def __init__(self) -> None:
        self._faults: list[Kind] = []

    def begin(self, fault: Kind) -> Kind:
        """Begin a fault; healed by `heal`, or at the scenario's end."""
        self._faults.append(fault)
        return fault.begin()

    def heal(self, target: str) -> None:
        """Heal all that ails something, the last fault first.

        All is undone before anything is proved: what is cut off cannot come back.

        Raises:
            PremiseNotMet: nothing does.
        """
        ailing = [fault for fault in reversed(self.active) if fault.target == target]
        if not ailing:
            raise step_missing(f"a {target} that ails", f"{target} has crashed")
        for fault in ailing:
            fault.mend()
        for fault in ailing:
            fault.prove_healed()

    @property
    def active(self) -> list[Kind]:
        """Faults that are there now, in the order in which they were begun."""
        return [fault for fault in self._faults if fault.active]
