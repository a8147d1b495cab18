"""A store of metrics under test: counters, top lists, and measurements by their time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from stackproof.errors import step_missing
from stackproof.systems.components import Role, UnderTest

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

T = TypeVar("T")
_MEMBERS = 40


class MetricsStore(UnderTest):
    """A store in two processes, its clients, and what the scenario itself has counted."""

    role = Role({
        "count": ("name",), "score": ("board", "member", "points"), "top": ("board", "count"),
        "measure": ("series", "second", "value"), "between": ("series", "first", "last"),
        "drop": ("series", "before"),
    })  # fmt: skip

    def __init__(self, session: ScenarioSession):
        super().__init__(session, "metrics-store")
        self._scores: Counter[str] = Counter()
        self._measured: dict[int, int] = {}
        session.parameters["seed"] = str(session.seed)

    def run(self) -> None:
        """Start it in two processes."""
        self.start(processes=2)

    def _at_once(self, clients: int, each: int, work: Callable[[str, int], T]) -> list[T]:
        """What each of several clients does, by its name and a number that goes up."""
        with ThreadPoolExecutor(clients) as threads:
            numbers = range(clients * each)
            return list(threads.map(lambda n: work(f"client {n % clients + 1}", n), numbers))

    def increment(self, name: str, clients: int, each: int) -> list[int]:
        """Have clients increment a counter at once; all answers, in order of size."""

        def one(client: str, number: int) -> int:
            with self._session.history.doing(
                "write", client=client, space="counters", key=name
            ) as answer:  # fmt: skip
                found = int(self.process(number).call("count", name))
                answer.value = str(found)
            return found

        return sorted(self._at_once(clients, each, one))

    def score(self, board: str, clients: int, each: int) -> None:
        """Have clients give points to members of a top list at once."""

        def one(client: str, number: int) -> tuple[str, int]:
            choice = random.Random(f"{self._session.seed} {number}")
            member, points = f"member {choice.randrange(_MEMBERS)}", choice.randrange(1, 50)
            with self._session.history.doing(
                "write", client=client, space=board, key=member
            ) as answer:  # fmt: skip
                answer.value = str(self.process(number).call("score", board, member, points))
            return member, points

        for member, points in self._at_once(clients, each, one):
            self._scores[member] += points

    def misplaced(self, board: str, count: int) -> list[str]:
        """What is wrong with the first of a top list; of equal points any order is right.

        Raises:
            PremiseNotMet: nobody has been given any.
        """
        if not self._scores:
            scored = '4 clients each give points 100 times in the top list "scores" at once'
            raise step_missing("a top list", scored)
        told = [(str(m), int(points)) for m, points in self.process().call("top", board, count)]
        wanted = sorted(self._scores.values(), reverse=True)[:count]
        wrong = [
            f"{member} has {self._scores[member]} points, not {points}"
            for member, points in told
            if self._scores[member] != points
        ]
        if [points for _, points in told] != wanted or len(dict(told)) != len(told):
            wrong.append(f"{told} instead of those with {wanted} points")
        return wrong

    def measure(self, series: str, count: int) -> None:
        """Keep a measurement for each of so many seconds, in any order; some values are equal."""
        seconds = list(range(count))
        random.Random(self._session.seed).shuffle(seconds)
        for second in seconds:
            value = self._measured[second] = second * 7 % 100
            with self._session.history.doing(
                "add", client="sensor", space=series, key=str(second), value=str(value)
            ):  # fmt: skip
                self.process(second).call("measure", series, second, value)

    def drop_before(self, series: str, second: int) -> None:
        """Have measurements from before a second forgotten."""
        self.process().call("drop", series, second)
        self._measured = {at: value for at, value in self._measured.items() if at >= second}

    def between(
        self, series: str, first: int, last: int
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Second and value of measurements of a time: as the store has them, as they must be.

        Raises:
            PremiseNotMet: none were kept.
        """
        if not self._measured:
            kept = 'a measurement for each of 200 seconds is kept in "load", in any order'
            raise step_missing("measurements", kept)
        told = [(int(at), int(v)) for at, v in self.process().call("between", series, first, last)]
        wanted = sorted((at, v) for at, v in self._measured.items() if first <= at <= last)
        return told, wanted
