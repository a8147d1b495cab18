"""A pool of database connections under test: clients that share it, and what they were told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from typing import TYPE_CHECKING, Any

from stackproof.errors import step_missing
from stackproof.history import Locks, Queue
from stackproof.polling import DeadlineExceeded, poll
from stackproof.systems.components import ComponentError, Role, UnderTest
from stackproof.workloads import Latencies

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

#: What the pool says of itself; other errors are the server's.
EXHAUSTED = "exhausted"
_QUERIES, _CONNECTIONS = "queries", "connections"
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
        self._asked_at = 0.0
        self._taken: list[str] = []
        self.asked = 0
        self.refusals: list[ComponentError] = []

    def run(self, **options: Any) -> None:
        """Start it; options override those of its section."""
        self.start(fields=self._fields, **options)

    def share(self, clients: int, queries: int) -> dict[str, Latencies]:
        """Have so many clients run queries at once; how long each query took.

        Raises:
            ComponentError: a query failed.
        """
        first, history = self.asked, self._session.history
        self.asked += clients * queries

        def one(client: int) -> list[float]:
            took, name = [], f"client {client + 1}"
            for number in range(first + client * queries, first + (client + 1) * queries):
                query = f"SELECT {number}"
                with history.doing("put", client=name, space=_QUERIES, key=query,
                                   value=str([[number]])):  # fmt: skip
                    began = time.perf_counter()
                with history.doing("take", client=name, space=_QUERIES, key=query) as answer:
                    answer.value = str(self.process().call("query", query))
                    took.append(time.perf_counter() - began)
            return took

        with ThreadPoolExecutor(clients) as threads:
            done = threads.map(one, range(clients))
            return {"query": Latencies(seconds for took in done for seconds in took)}

    def each_answered(self) -> Queue:
        """Each query is answered once, with its own rows."""
        return Queue("the answers to the queries", _QUERIES)

    def held_by_one(self) -> Locks:
        """No connection is taken by two clients at once."""
        return Locks("the pool's connections", _CONNECTIONS)

    def take(self, count: int) -> int:
        """Take so many connections; how many there were."""
        began = time.time()
        found = [self.process().begin("take") for _ in range(count)]
        within = self._session.scaled(30)
        for answer in found:
            self._had(answer.result(within), began)
        return len(found)

    def _had(self, token: str, began: float) -> None:
        """Note that a connection was taken."""
        op = self._session.history.invoke("acquire", client="the clients", space=_CONNECTIONS,
                                          key=token, at=began)  # fmt: skip
        self._session.history.answered(op, "ok")
        self._taken.append(token)

    def give_back(self, count: int = 1) -> None:
        """Give back connections that were taken."""
        for _ in range(count):
            token = self._taken.pop()
            with self._session.history.doing("release", client="the clients",
                                             space=_CONNECTIONS, key=token):  # fmt: skip
                self.process().call("give_back", token)

    def ask(self) -> None:
        """Ask for one more, without waiting for the answer."""
        self._asked_at = time.time()
        self._asking = self.process().begin("take")

    def told(self, within: float) -> str:
        """What the one that asked was told: the error's kind, or empty: it has got one.

        Raises:
            DeadlineExceeded: nothing, in ``within`` seconds.
        """
        if self._asking is None:
            raise step_missing(
                "a client that asks", "another client asks the pool for a connection"
            )
        try:
            self._had(self._asking.result(within), self._asked_at)
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
