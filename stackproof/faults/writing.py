"""A client that goes on writing while a node is broken, and what became of all that it wrote."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from stackproof.errors import NotSupported, PremiseNotMet
from stackproof.faults.restarts import restart
from stackproof.faults.witness import Witness
from stackproof.history import Members
from stackproof.polling import poll
from stackproof.services import service
from stackproof.services.nodes import Service
from stackproof.session.scenario import Kept
from stackproof.texts import counted
from stackproof.workloads import Task

if TYPE_CHECKING:
    from stackproof.faults.processes import NodeFault
    from stackproof.faults.words import Workload
    from stackproof.history import Verdict
    from stackproof.session.scenario import ScenarioSession

#: Seconds between two writes, and those in which one is answered or given up.
_PACE, _ANSWERED_WITHIN = 0.004, 2.0
#: Writes that must be acknowledged before the fault, while it is there, and after the healing.
_BEFORE, _MEANWHILE, _AFTERWARDS = 50, 10, 50
_SERVED_WITHIN = 60.0
_WRITER, _READER = "writer", "reader"
_LOST = "lost"


class Writing:
    """Writes distinct texts to a service, one after the other, until it is told to stop.

    The history has them as members of a set: each is an adding, what is there in the end a listing.

    Args:
        session: the scenario.
        workload: its service, which must be dedicated, and what it writes to.

    Raises:
        NotSupported: nobody has said how to write to it.
    """

    def __init__(self, session: ScenarioSession, workload: Workload):
        self._session = session
        self._name = name = workload.service
        kind = service(name)
        if not isinstance(kind, Service):
            raise NotSupported(f"nobody has said how to write to {kind.title} while it is broken")
        self._unready = kind.unready
        self._place = session.own("written")
        self._writer = kind.writer(
            session.endpoint(name), self._place, timeout=session.scaled(_ANSWERED_WITHIN)
        )
        session.add_cleanup(self._writer.close)
        if workload.old:
            restart(session, name, "stop")
        #: When each was acknowledged (seconds since the Unix epoch), and its text.
        self.acknowledged: list[tuple[float, str]] = []
        self.tried = 0
        self.healed: list[float] = []
        self._began = 0.0
        self._task = Task(self._write, name="writing", owner=session)

    def _write(self, task: Task) -> None:
        history = self._session.history
        for number in itertools.count(1):
            if not task.pause(_PACE):
                return
            text = f"text-{number:06d}"
            self.tried += 1
            # Without an answer it may have been written all the same.
            with (
                suppress(*self._unready),
                history.doing("add", client=_WRITER, space=self._place, key=text, value=text),
            ):
                self._writer.write(text)
                self.acknowledged.append((time.time(), text))

    # -- while something is broken -----------------------------------------------
    def while_broken(self, fault: NodeFault, *, replaced: bool = False) -> None:
        """Write before, while and after a node is broken.

        Meanwhile some must be acknowledged; where the node is the one that is written to, and
        serves nobody, one must be tried.

        Args:
            fault: not begun.
            replaced: another node must have taken over before it is healed.

        Raises:
            NoEffect, NotHealed: see `Fault`.
            DeadlineExceeded: nothing was acknowledged when it had to be, or nobody took over.
        """
        self._begin()
        with fault:
            if replaced:
                poll(
                    lambda: Witness(self._session, self._name).replaced(fault.node),
                    within=self._session.scaled(_SERVED_WITHIN),
                    awaiting=f"another node to take over from {fault.target}",
                )
            if fault.serves or fault.node != self._writer.through:
                self._await_acknowledged(_MEANWHILE, f"during the {fault.kind}")
            else:
                self._await(lambda: self.tried, 1, "write to be tried", f"during the {fault.kind}")
        self._healed([fault])

    def while_restarted(self, restart: Callable[[], Sequence[NodeFault]]) -> None:
        """Write before, while and after all nodes are restarted; see `rolling_restart`."""
        self._begin()
        self._healed(restart())

    def _begin(self) -> None:
        self._await_acknowledged(_BEFORE, "before the fault")
        self._began = time.time()

    def _healed(self, faults: Sequence[NodeFault]) -> None:
        self.healed = [fault.mended for fault in faults]
        self._await_acknowledged(_AFTERWARDS, "after the healing")

    def _await_acknowledged(self, count: int, while_: str) -> None:
        self._await(lambda: len(self.acknowledged), count, "more writes to be acknowledged", while_)

    def _await(self, now: Callable[[], int], count: int, what: str, while_: str) -> None:
        before = now()
        self._task.await_(
            lambda: now() - before,
            until=lambda more: more >= count,
            within=self._session.scaled(_SERVED_WITHIN),
            awaiting=f"{count} {what} {while_}",
            describe=lambda more: f"{more} of them; {self.tried} tried in all",
        )

    # -- what came of it -----------------------------------------------------------
    @property
    def recovery(self) -> float:
        """Seconds from a healing to the first acknowledgement after it; the longest of several."""
        times = [at for at, _ in self.acknowledged]
        return max(min(at for at in times if at >= healed) - healed for healed in self.healed)

    @property
    def outage(self) -> tuple[float, float]:
        """The longest time without an acknowledgement since the fault; its beginning and its end.

        Both in seconds since the Unix epoch.
        """
        times = [self._began, *(at for at, _ in self.acknowledged if at >= self._began)]
        return max(pairwise(times), key=lambda gap: gap[1] - gap[0])

    def finish(self) -> list[str]:
        """Write nothing more, and read all that is there; it is recorded."""
        self._task.end(within=self._session.scaled(_SERVED_WITHIN))
        kept = poll(
            self._kept,
            until=lambda _: True,
            within=self._session.scaled(_SERVED_WITHIN),
            awaiting="what was written to be read",
            retry_on=self._unready,
        )
        self._session.figure("acknowledged writes", counted(len(self.acknowledged), "write"))
        self._session.figure("served again after", f"{self.recovery:.2f} s")
        return kept

    def _kept(self) -> list[str]:
        with self._session.history.listing(client=_READER, space=self._place) as found:
            found += [(text, text) for text in self._writer.kept()]
        return [text for text, _ in found]

    def assert_kept(self) -> Verdict:
        """Check that all that was acknowledged is there, once, and nothing that nobody wrote.

        Raises:
            AssertionError: something is lost, twice or altered.
        """
        self.finish()
        return self._check()

    def _check(self, **loss: Any) -> Verdict:
        return self._session.assert_history(
            Members(f"what was written to {self._name}", self._place, visible="at last", **loss)
        )

    def assert_lost(self) -> Verdict:
        """Check that something is lost that was acknowledged, and nothing twice or altered.

        Raises:
            PremiseNotMet: nothing is lost.
        """
        self._tell_lost(self.finish())
        return self._check(expected=(_LOST,))

    def lost(self, within: float) -> list[str]:
        """What was acknowledged and is not there, those left out that came right before an outage.

        Args:
            within: seconds before it in which a write may be lost.

        Raises:
            AssertionError: something is there twice or altered.
        """
        lost, (began, _) = self._tell_lost(self.finish()), self.outage
        self._check(allowed=(_LOST,))
        return sorted(text for text, at in lost.items() if not began - within <= at <= began)

    def _tell_lost(self, kept: Sequence[str]) -> dict[str, float]:
        """What was acknowledged and is not there, and when it was acknowledged."""
        there = set(kept)
        lost = {text: at for at, text in self.acknowledged if text not in there}
        self._session.figure("acknowledged and lost", counted(len(lost), "write"))
        if lost:
            seconds = self.outage[0] - min(lost.values())
            self._session.figure("lost are", f"{min(lost)} to {max(lost)}")
            self._session.figure("the first of them before the outage", f"{seconds:.2f} s")
        return lost

    def still_there(self) -> list[str]:
        """What is there of all that was acknowledged before the fault.

        Raises:
            AssertionError: something is lost that was acknowledged after the healing.
        """
        kept = set(self.finish())
        after = {text for at, text in self.acknowledged if at >= max(self.healed)}
        if lost := sorted(after - kept):
            raise AssertionError(
                f"{counted(len(lost), 'write')} acknowledged after the healing are lost: {lost[:5]}"
            )
        before = {text for at, text in self.acknowledged if at < self._began}
        if not before:
            raise PremiseNotMet("nothing was acknowledged before the fault")
        return sorted(before & kept)


#: Later steps ask what became of it.
WRITING = Kept[Writing](
    "writes that go on while something is broken", "keys are set while the server has crashed"
)
