"""A pool of database connections under test: clients that share it, and what they were told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from typing import TYPE_CHECKING, Any

from stackproof.errors import step_missing
from stackproof.polling import DeadlineExceeded, poll
from stackproof.systems.components import ComponentError, Role, UnderTest

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

#: What the pool says of itself; other errors are the server's.
EXHAUSTED = "exhausted"
ROLE = Role(
    {"query": ("text",), "take": (), "give_back": ("token",)}, {EXHAUSTED: "PoolExhaustedError"}
)


class Pool(UnderTest):
    """A pool and the clients that share it.

    Args:
        session: the scenario.
        url: of the database, for the field ``{postgresql_url}``.
    """

    role = ROLE

    def __init__(self, session: ScenarioSession, url: str):
        super().__init__(session, "connection-pool")
        self._fields = {"postgresql_url": url}
        self._asking: Future[Any] | None = None
        self._taken: list[str] = []
        self.answers: list[tuple[int, Any]] = []
        self.refusals: list[ComponentError] = []

    def run(self, **options: Any) -> None:
        """Start it; options override those of its section."""
        self.start(fields=self._fields, **options)

    def share(self, clients: int, queries: int) -> float:
        """Have so many clients run queries at once; seconds that a query took, on average.

        Raises:
            ComponentError: a query failed.
        """
        self.answers = []

        def one(client: int) -> list[tuple[int, Any, float]]:
            found = []
            for number in range(client * queries, (client + 1) * queries):
                began = time.perf_counter()
                rows = self.process().call("query", f"SELECT {number}")
                found.append((number, rows, time.perf_counter() - began))
            return found

        with ThreadPoolExecutor(clients) as threads:
            done = [row for rows in threads.map(one, range(clients)) for row in rows]
        self.answers = [(number, rows) for number, rows, _ in done]
        return sum(took for *_, took in done) / len(done)

    def wrong_answers(self) -> list[str]:
        """Queries that were answered with something else than they asked for."""
        return [f"SELECT {n}: {rows}" for n, rows in self.answers if rows != [[n]]]

    def take(self, count: int) -> int:
        """Take so many connections; how many there were."""
        found = [self.process().begin("take") for _ in range(count)]
        within = self._session.scaled(30)
        self._taken += [answer.result(within) for answer in found]
        return len(found)

    def give_back(self, count: int = 1) -> None:
        """Give back connections that were taken."""
        for _ in range(count):
            self.process().call("give_back", self._taken.pop())

    def ask(self) -> None:
        """Ask for one more, without waiting for the answer."""
        self._asking = self.process().begin("take")

    def told(self, within: float) -> str:
        """What the one that asked was told: the error's kind, or empty: it has got one.

        Raises:
            DeadlineExceeded: nothing, in ``within`` seconds.
        """
        if self._asking is None:
            raise step_missing("a client that asks", "a client asks the pool for one more")
        try:
            self._taken.append(self._asking.result(within))
        except NoAnswer as late:
            raise DeadlineExceeded(f"waited for the pool for {within:g} s", None) from late
        except ComponentError as error:
            return error.kind
        return ""

    def fail(self, count: int) -> None:
        """Run queries that the server refuses; the first refusal of the pool's own ends that."""
        self.refusals = []
        for _ in range(count):
            try:
                self.process().call("query", "SELECT no_such_column")
            except ComponentError as error:
                self.refusals.append(error)
                if error.kind == EXHAUSTED:
                    return

    def own_refusals(self) -> Sequence[str]:
        """Of the refusals those that the pool made up itself."""
        return [str(error) for error in self.refusals if error.kind == EXHAUSTED]

    def answers_within(self, seconds: float) -> Any:
        """Query until it is answered; the rows.

        Raises:
            DeadlineExceeded: in ``seconds`` it was not.
        """
        return poll(
            lambda: self.process().call("query", "SELECT 1"), within=seconds,
            awaiting="a query through the pool to be answered", retry_on=(ComponentError,),
        )  # fmt: skip
