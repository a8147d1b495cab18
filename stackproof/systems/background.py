"""Publishing while other things happen."""

from __future__ import annotations

from collections.abc import Callable

from stackproof.errors import PremiseNotMet
from stackproof.polling import DeadlineExceeded
from stackproof.services.kafka.client.messages import Message
from stackproof.texts import counted
from stackproof.workloads import Owner, Task

#: Seconds for what a scenario puts in to be acknowledged.
PUBLISHED_WITHIN = 30.0
_PORTION = 100
_LOOKS_EVERY = 0.02


class Background:
    """Publishes messages in portions from a thread of its own, until it is told to finish.

    However fast the system is, it never runs out of work; and however slow, it is not flooded.

    Args:
        make: makes so many messages.
        publish: publishes one portion; raises when it fails.
        out: how many have come out of the system so far.
        at_least: so many are published in any case, as fast as it goes.
        ahead: beyond these, at most so many more than have come out.
        owner: the scenario, with which it ends at the latest.

    Attributes:
        published: how many are published so far.
    """

    def __init__(
        self,
        make: Callable[[int], list[Message]],
        publish: Callable[[list[Message]], None],
        *,
        out: Callable[[], int],
        at_least: int,
        ahead: int,
        owner: Owner | None = None,
    ):
        self.published = 0
        self._make, self._publish, self._out = make, publish, out
        self._at_least, self._ahead = at_least, ahead
        self._task = Task(self._run, name="publishing", owner=owner)

    def _run(self, task: Task) -> None:
        finishing = False
        while not (finishing and self.published >= self._at_least):
            finishing = task.stopping
            # One more when it is to finish: something arrives after whatever has happened.
            if finishing or self._is_wanted():
                messages = self._make(_PORTION)
                self._publish(messages)
                self.published += len(messages)
            else:
                task.pause(_LOOKS_EVERY)

    def goes_on(self) -> bool:
        """Whether more is being published, or about to be, without anything else happening."""
        return self._task.running and (self._task.stopping or self._is_wanted())

    def _is_wanted(self) -> bool:
        return self.published < max(self._at_least, self._out() + self._ahead)

    def go_on(self, *, within: float) -> None:
        """Return when at least one more portion is published, however far ahead that is.

        Raises:
            DeadlineExceeded: none is.
            PremiseNotMet: something was not acknowledged.
        """
        before = self.published
        self._at_least = max(self._at_least, before + _PORTION)
        self._task.await_(
            lambda: self.published,
            until=lambda published: published > before,
            within=within,
            awaiting="more messages to be published",
        )

    def finish(self, *, within: float) -> None:
        """Publish a last portion, and return when all is published.

        Raises:
            PremiseNotMet: it was not in time, or something was not acknowledged.
        """
        try:
            self._task.end(within=within)
        except DeadlineExceeded as late:
            if not self._task.running:
                raise
            raise PremiseNotMet(
                f"publishing did not end within {within:g} s",
                f"published: {counted(self.published, 'message')}",
                "see how the broker is; a slow machine is granted more by --time-factor",
            ) from late
