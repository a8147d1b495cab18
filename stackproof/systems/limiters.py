"""A rate limiter under test: who asks it, and what it permits."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING
from zlib import crc32

from stackproof.errors import step_missing
from stackproof.history import Limit
from stackproof.polling import poll
from stackproof.systems.components import ComponentError, Role, UnderTest
from stackproof.workloads import ClosedLoop

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

_WITHIN = 30.0
_SPACE = "requests"
LIMITED = "limited"


class RateLimiter(UnderTest):
    """A rate limiter, and clients that ask it whether requests are permitted.

    Attributes:
        permitted: how many requests were, by key.
    """

    role = Role({"allow": ("key",)}, {LIMITED: "RateLimitExceeded"})

    def __init__(self, session: ScenarioSession):
        super().__init__(session, "fixed-window-limiter")
        self.permitted: Counter[str] = Counter()
        self._most, self._window_ms = 0, 0

    def limit(self, name: str, limit: int, window: float) -> None:
        """Start one in two processes.

        Args:
            name: of its section.
            limit: requests of one key in a window.
            window: seconds.
        """
        self.name = name
        self._most, self._window_ms = limit, round(window * 1000)
        self.start(processes=2, limit=limit, window=window)

    def ask(self, key: str) -> bool:
        """Whether a request of a key is permitted now.

        Raises:
            ComponentError: the limiter answers with another error than that it is not.
        """
        began, client = time.time(), threading.current_thread().name
        try:
            permitted = bool(self.process(crc32(client.encode())).call("allow", key))
        except ComponentError as error:
            if error.kind != LIMITED:
                raise
            permitted = False
        op = self._session.history.invoke(
            "permit" if permitted else "refuse", client=client, space=_SPACE,
            key=key, at=began,
        )  # fmt: skip
        self._session.history.answered(op, "ok")
        self.permitted[key] += permitted
        return permitted

    def permitted_of(self, key: str) -> int:
        """How many requests of a key were permitted; `PremiseNotMet`: none was made."""
        if key not in self.permitted:
            before = f'20 clients make 300 requests for "{key}" at once'
            raise step_missing(f'requests for "{key}"', before)
        return self.permitted[key]

    def ask_together(self, key: str, clients: int, each: int) -> None:
        """Have so many clients ask so often each, all at once."""
        ClosedLoop(
            lambda _: self.ask(key), clients=clients, count=clients * each,
            name="client", owner=self._session,
        ).wait(within=self._session.scaled(_WITHIN))  # fmt: skip

    def ask_until(self, key: str, clients: int, count: int) -> None:
        """Have clients ask again and again until so many requests of a key were permitted."""
        with ClosedLoop(
            lambda _: self.ask(key), clients=clients, name="client", owner=self._session
        ):
            poll(
                lambda: self.permitted[key], until=lambda permitted: permitted >= count,
                within=self._session.scaled(_WITHIN), awaiting=f"{count} permitted requests",
            )  # fmt: skip

    def permits_within(self, key: str, seconds: float) -> bool:
        """Ask until a request is permitted.

        Raises:
            DeadlineExceeded: none is, in so many seconds.
        """
        return poll(
            lambda: self.ask(key), within=seconds, awaiting="a request to be permitted"
        )  # fmt: skip

    def expected(self) -> Limit:
        """Never more than the limit in a window, and none refused before that; of all keys."""
        if not self._most:
            raise step_missing(
                "a limit", f"the {self.name} is running with a limit of 10 requests in 1 second"
            )
        return Limit("permitted requests", _SPACE, most=self._most, window_ms=self._window_ms)
