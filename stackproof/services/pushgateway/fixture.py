"""One scenario's work with its Pushgateway: what its jobs push, and what is there."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from stackproof.errors import step_missing
from stackproof.history import Registers
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.exporting import SERVER
from stackproof.services.exposition import Series, family, measured
from stackproof.services.fixture import Scenario
from stackproof.services.pushgateway.client import OF_GATEWAY, Gateway
from stackproof.texts import counted

_SPACE = "pushed metrics"
_PATIENCE = 10.0


class PushFixture:
    """Groups of jobs of the scenario's own; they are deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "pushgateway"):
        self._scenario = scenario
        self._prefix = scenario.own("")
        self._there: dict[str, dict[str, str]] = defaultdict(dict)
        self._known: set[str] = set()
        self._gateway = Gateway(scenario.endpoint(endpoint), timeout=scenario.scaled(_PATIENCE))
        self.address = scenario.endpoint(endpoint).at(SERVER)
        scenario.add_cleanup(self._gateway.close)
        scenario.add_cleanup(lambda: self._gateway.drop(self._gateway.names(self._prefix)))

    def push(self, job: str, rows: Iterable[Mapping[str, str]], *, replace: bool = True) -> None:
        """Push metrics of a job.

        Args:
            job: as the scenario calls it.
            rows: see `stackproof.services.exposition.measured`.
            replace: instead of all that it has pushed before; else of metrics of the same names.
        """
        metrics = measured(rows)
        new = _contents(pair for one in metrics for pair in one.series())
        gone = [metric for metric in self._there[job] if metric not in new] if replace else []
        contents: dict[str, str | None] = {**dict.fromkeys(gone), **new}
        self._change(
            job, contents,
            lambda own: self._gateway.push(own, metrics, replace=replace),
        )  # fmt: skip

    def delete(self, job: str) -> None:
        """Delete all that a job has pushed."""
        self._change(
            job, dict.fromkeys(self._there[job]), lambda own: self._gateway.delete([{"job": own}])
        )

    def _change(
        self, job: str, contents: Mapping[str, str | None], change: Callable[[str], None]
    ) -> None:
        there = self._there[job]
        written = {f"{metric} of {job}": content for metric, content in contents.items()}
        self._known.update(written)
        with self._scenario.history.doing_all("write", written, client=job, space=_SPACE):
            change(self._scenario.own(job))
        there.update({metric: content for metric, content in contents.items() if content})
        for metric in [metric for metric, content in contents.items() if content is None]:
            del there[metric]

    def read(self) -> Registers:
        """Read all that is there; what is expected of it."""
        self._record(self._gateway.read, "reader")
        return Registers("what was pushed", _SPACE)

    def reach(self, told: Callable[[], Mapping[Series, float]], within: float) -> Registers:
        """Wait until somebody who scrapes the gateway has the last push of every job.

        Args:
            told: by that one, of all jobs of the scenario.
            within: seconds.
        """
        wanted = {key: content for key, content in self._contents().items() if content}

        def different() -> list[str]:
            found = self._record(told, "who scrapes")
            return sorted(k for k in wanted.keys() | found if wanted.get(k) != found.get(k))

        expected = Registers("what was scraped", _SPACE, consistency="eventual")
        try:
            poll(
                different, until=lambda left: not left, within=self._scenario.scaled(within),
                awaiting="the last push of every job to be scraped",
                describe=lambda left: f"{counted(len(left), 'metric')} differ: {', '.join(left)}",
            )  # fmt: skip
        except DeadlineExceeded as late:
            self._scenario.check_after(late, expected)
        return expected

    def _contents(self) -> dict[str, str | None]:
        """What each metric must be now; None: it was deleted."""
        if not self._known:
            raise step_missing("something that was pushed", "the batch job pushes these metrics")
        there = {f"{m} of {job}": c for job, of_it in self._there.items() for m, c in of_it.items()}
        return {**dict.fromkeys(self._known), **there}

    def _record(self, told: Callable[[], Mapping[Series, float]], client: str) -> dict[str, str]:
        """Read, and record what was read of each metric; its content by metric and job."""
        known, asked = self._contents(), time.time()
        families: dict[str, list[tuple[Series, float]]] = defaultdict(list)
        for one, value in told().items():
            job = dict(one.labels)["job"]
            if job.startswith(self._prefix) and one.name not in OF_GATEWAY:
                key = f"{family(one.name)} of {job.removeprefix(self._prefix)}"
                families[key].append((one.without("job", "instance"), value))
        found = {key: _content(of_it) for key, of_it in families.items()}
        for key in sorted(known.keys() | found):
            op = self._scenario.history.invoke(
                "read", client=client, space=_SPACE, key=key, at=asked
            )
            self._scenario.history.answered(op, "ok", value=found.get(key))
        return found


def _contents(pairs: Iterable[tuple[Series, float]]) -> dict[str, str]:
    """The content of each metric, as it is compared."""
    families: dict[str, list[tuple[Series, float]]] = defaultdict(list)
    for one, value in pairs:
        families[family(one.name)].append((one, value))
    return {name: _content(of_it) for name, of_it in families.items()}


def _content(of_it: Iterable[tuple[Series, float]]) -> str:
    return json.dumps({str(one): value for one, value in sorted(of_it)}, ensure_ascii=False)
