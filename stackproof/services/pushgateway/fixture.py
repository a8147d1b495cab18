"""One scenario's work with its Pushgateway: what its jobs push, and what is there."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack

from stackproof.errors import step_missing
from stackproof.history import Registers
from stackproof.services.exposition import Series, family, measured
from stackproof.services.fixture import Scenario
from stackproof.services.pushgateway.client import Gateway

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
        history, there = self._scenario.history, self._there[job]
        with ExitStack() as operations:
            for metric, content in contents.items():
                self._known.add(key := f"{metric} of {job}")
                operations.enter_context(
                    history.doing("write", client=job, space=_SPACE, key=key, value=content)
                )
            change(self._scenario.own(job))
        there.update({metric: content for metric, content in contents.items() if content})
        for metric in [metric for metric, content in contents.items() if content is None]:
            del there[metric]

    def read(self) -> Registers:
        """Read all that is there; what is expected of it."""
        if not self._known:
            raise step_missing("something that was pushed", "the batch job pushes these metrics")
        history = self._scenario.history
        asked = time.time()
        found: dict[str, list[tuple[Series, float]]] = defaultdict(list)
        for one, value in self._gateway.read().items():
            job = dict(one.labels)["job"]
            if job.startswith(self._prefix):
                key = f"{family(one.name)} of {job.removeprefix(self._prefix)}"
                found[key].append((one.without("job", "instance"), value))
        for key in sorted(self._known | set(found)):
            told = _content(found[key]) if key in found else None
            op = history.invoke("read", client="reader", space=_SPACE, key=key, at=asked)
            history.answered(op, "ok", value=told)
        return Registers("what was pushed", _SPACE)


def _contents(pairs: Iterable[tuple[Series, float]]) -> dict[str, str]:
    """The content of each metric, as it is compared."""
    families: dict[str, list[tuple[Series, float]]] = defaultdict(list)
    for one, value in pairs:
        families[family(one.name)].append((one, value))
    return {name: _content(of_it) for name, of_it in families.items()}


def _content(of_it: Iterable[tuple[Series, float]]) -> str:
    return json.dumps({str(one): value for one, value in sorted(of_it)}, ensure_ascii=False)
