"""Obtaining and starting what scenarios need, while those that need none of it already run."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Collection, Hashable, Iterable
from functools import partial

from stackproof.errors import Trouble, reason_of
from stackproof.obtain import Artifact, Cache, Say
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services import service
from stackproof.services.base import Requirement
from stackproof.session.plan import Plan, ScenarioPlan
from stackproof.stack.stack import Stack

log = logging.getLogger(__name__)


class Supply:
    """What the scenarios of a plan need: not there yet, there, or not to be had.

    Args:
        plan: what is needed.
        stack: obtains and starts services.
        cache: what steps use besides services is obtained into it.
        say: receives lines of progress, and each trouble once.
        changed: called, in any thread, when more is there, or is known not to come.
        failed: hears of defects.

    Attributes:
        complete_after: seconds until all of it was there or known not to come; None before.
    """

    def __init__(
        self,
        plan: Plan,
        stack: Stack,
        cache: Cache,
        say: Say,
        *,
        changed: Callable[[], None],
        failed: Callable[[str], None],
    ):
        self._plan = plan
        self._stack = stack
        self._cache = cache
        self._say = say
        self._changed = changed
        self._failed = failed
        self._began = time.monotonic()
        self._requirements = plan.shared() | set(plan.dedicated())
        self._awaited: set[Hashable] = {*self._requirements, *plan.artifacts}
        self._troubles: dict[Hashable, Trouble] = {}
        self._told: set[str] = set()
        self._under_way = 0
        self._closed = False
        self._lock = threading.Lock()
        self.complete_after: float | None = None if self._awaited else 0.0

    def begin(self) -> None:
        """Obtain and start everything, side by side; does not wait."""
        if shared := self._plan.shared():
            self._say(f"starting {', '.join(sorted(map(str, shared)))}")
        for name in self._plan.services():
            own = [r for r in self._requirements if r.service == name]
            self._in_thread(own, partial(self._obtain, name, own))
        for key, artifact in self._plan.artifacts.items():
            self._in_thread([key], partial(self._ensure, artifact))

    def ready(self, planned: ScenarioPlan) -> bool:
        """Whether all that a scenario needs is there, or is known not to come.

        One that runs alone waits for what others need, too.
        """
        if planned.alone:  # what is starting would disturb it
            return not self._awaited
        return self._awaited.isdisjoint(_needs(planned))

    def trouble(self, planned: ScenarioPlan) -> Trouble | None:
        """Why a scenario will never have what it needs."""
        found = (self._troubles.get(need) for need in _needs(planned))
        return next((trouble for trouble in found if trouble is not None), None)

    def close(self) -> None:
        """The run is ending: what fails from now on fails because of that."""
        self._closed = True

    def settle(self, within: float) -> None:
        """Wait until nothing is being obtained or started any more."""
        try:
            poll(lambda: self._under_way, until=lambda count: count == 0, within=within,
                 awaiting="services to start or to be given up")  # fmt: skip
        except DeadlineExceeded as late:
            log.warning("%s", late)

    # -- the work ------------------------------------------------------------
    def _obtain(self, name: str, requirements: Iterable[Requirement]) -> None:
        self._stack.obtain([name])
        for requirement in requirements:
            self._in_thread([requirement], partial(self._start, requirement))

    def _start(self, requirement: Requirement) -> None:
        self._stack.obtain_for(requirement)
        if not requirement.dedicated:
            began = time.monotonic()
            if self._stack.share(requirement) is not None:
                self._say(f"{requirement}: up after {time.monotonic() - began:.1f} s")
        self._settled([requirement])

    def _ensure(self, artifact: Artifact) -> None:
        try:
            self._cache.ensure(artifact, self._say)
        except Trouble as trouble:  # told to those that use it, when they do
            log.info("%s", trouble)
        self._settled([artifact.key])

    def _in_thread(self, needs: Collection[Hashable], work: Callable[[], None]) -> None:
        def do() -> None:
            try:
                work()
            except Exception as error:
                self._cannot(needs, error)
            finally:
                with self._lock:
                    self._under_way -= 1

        with self._lock:
            self._under_way += 1
        threading.Thread(target=do, daemon=True).start()

    def _cannot(self, needs: Collection[Hashable], error: Exception) -> None:
        trouble = self._trouble_of(needs, error)
        with self._lock:
            self._troubles |= dict.fromkeys(needs, trouble)
            new = str(trouble) not in self._told and not self._closed
            self._told.add(str(trouble))
        if new:
            count = sum(not set(needs).isdisjoint(_needs(p)) for p in self._plan.scenarios)
            scenarios = "1 scenario needs" if count == 1 else f"{count} scenarios need"
            others = len(self._plan.scenarios) - count
            rest = "; the others are run" if others else ", which is all that was selected"
            self._say(f"\nstackproof: {trouble}\n  {scenarios} this{rest}\n")
        self._settled(needs)

    def _trouble_of(self, needs: Collection[Hashable], error: Exception) -> Trouble:
        if isinstance(error, Trouble):
            return error
        names = sorted({service(n.service).title for n in needs if isinstance(n, Requirement)})
        what = f"{', '.join(names) or 'a program'} cannot be had"
        if isinstance(error, OSError):
            return Trouble(what, reason_of(error))
        self._failed("".join(traceback.format_exception(error)))
        return Trouble(what, f"a defect of the suite: {type(error).__name__}: {error}")

    def _settled(self, needs: Collection[Hashable]) -> None:
        with self._lock:
            self._awaited = self._awaited - set(needs)
            if not self._awaited and self.complete_after is None:
                self.complete_after = time.monotonic() - self._began
        self._changed()


def _needs(planned: ScenarioPlan) -> set[Hashable]:
    return {*planned.requirements.values(), *planned.artifacts}
