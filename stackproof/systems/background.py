"""Publishing while other things happen."""

from __future__ import annotations

import threading
from collections.abc import Callable

from stackproof.clients.kafka.messages import Message
from stackproof.errors import PremiseNotMet
from stackproof.polling import poll
from stackproof.texts import counted

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
    ):
        self.published = 0
        self._make, self._publish, self._out = make, publish, out
        self._at_least, self._ahead = at_least, ahead
        self._finishing = threading.Event()
        self._error: BaseException | None = None
        # A daemon: a worker that ends must not wait for it.
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            finishing = False
            while not (finishing and self.published >= self._at_least):
                finishing = self._finishing.is_set()
                # One more when it is to finish: something arrives after whatever has happened.
                if finishing or self._is_wanted():
                    messages = self._make(_PORTION)
                    self._publish(messages)
                    self.published += len(messages)
                else:
                    self._finishing.wait(_LOOKS_EVERY)
        except BaseException as error:
            self._error = error

    def goes_on(self) -> bool:
        """Whether more is being published, or about to be, without anything else happening."""
        return self._thread.is_alive() and (self._finishing.is_set() or self._is_wanted())

    def _is_wanted(self) -> bool:
        return self.published < max(self._at_least, self._out() + self._ahead)

    def go_on(self, *, within: float) -> None:
        """Return when at least one more portion is published, however far ahead that is.

        Raises:
            PremiseNotMet: none is.
        """
        before = self.published
        self._at_least = max(self._at_least, before + _PORTION)
        poll(
            lambda: self.published,
            until=lambda published: published > before or not self._thread.is_alive(),
            within=within,
            awaiting="more messages to be published",
        )
        if self.published == before:
            raise self._error or PremiseNotMet("no more messages were published meanwhile")

    def finish(self, *, within: float) -> None:
        """Publish a last portion, and return when all is published.

        Raises:
            PremiseNotMet: it was not in time, or something was not acknowledged.
        """
        self._finishing.set()
        self._thread.join(within)
        if self._error is not None:
            raise self._error
        if self._thread.is_alive():
            raise PremiseNotMet(
                f"publishing did not end within {within:g} s",
                f"published: {counted(self.published, 'message')}",
                "see how the broker is; a slow machine is granted more by --time-factor",
            )
