"""One scenario's work with its Prometheus: what it scrapes, its rules, and what it answers."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stackproof.errors import NotSupported, step_missing
from stackproof.history import Registers
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.exporting import directory_of
from stackproof.services.exposition import Series, labels_of, series
from stackproof.services.fixture import Scenario
from stackproof.services.prometheus import export
from stackproof.services.prometheus.client import Prometheus, Sample, pattern, quoted
from stackproof.services.prometheus.known import ALERTMANAGERS, GATEWAYS, RULES, TARGETS

_PATIENCE = 10.0
#: It looks for new targets every 5 s, and hands them on to what scrapes every 5 s.
_FOUND_WITHIN = 30.0
#: A matcher of jobs, in each kind of quotes that PromQL has.
_JOB = re.compile(r"""\b(job\s*(=~|!~|!=|=)\s*)(["'`])(.*?)(?<!\\)\3""")
#: Close enough for sums of decimal fractions.
_TOLERANCE = 1e-9
NOTHING = "nothing"
_SPACE = "samples"


if TYPE_CHECKING:
    from stackproof.history import Answer


class PrometheusFixture:
    """Targets, rules and series of jobs of the scenario's own."""

    def __init__(self, scenario: Scenario, endpoint: str = "prometheus"):
        self._scenario = scenario
        self._endpoint = scenario.endpoint(endpoint)
        self.client = Prometheus(self._endpoint, timeout=scenario.scaled(_PATIENCE))
        self.prefix = scenario.own("")
        self.picture = b""
        self._written: list[Sample] = []
        self._as_of: float | None = None
        self._exports: tuple[str, str] | None = None
        scenario.add_cleanup(self.client.close)

    # -- what it reads while it runs -------------------------------------------
    def scrape(self, urls: Sequence[str], job: str) -> None:
        """Have it scrape targets until it does; ``job``: as the scenario calls it.

        Raises:
            NotSupported: a target tells no metrics, or nobody may say what is scraped.
        """
        if not all(urls):
            raise NotSupported("the system tells nobody its metrics", "its settings say no address",
                               "set url in its section `metrics`")  # fmt: skip
        for url in urls:
            parts = urlsplit(url)
            labels = {"job": self._scenario.own(job), "__metrics_path__": parts.path or "/metrics",
                      "__scheme__": parts.scheme}  # fmt: skip
            self._put(f"{parts.netloc}{TARGETS}", _targets(parts.netloc, labels))
        for url in urls:
            self.await_target(urlsplit(url).netloc, "up")

    def scrape_gateway(self, address: str) -> None:
        """Have it scrape a Pushgateway, whose groups keep their labels."""
        self._put(f"{address}{GATEWAYS}", _targets(address, {}), shared=True)
        self.await_target(address, "up")

    def send_alerts_to(self, address: str) -> None:
        """Have it send alerts to an Alertmanager."""
        self._put(f"{address}{ALERTMANAGERS}", _targets(address, {}))
        poll(
            self.client.alertmanagers,
            until=lambda urls: any(address in url for url in urls),
            within=self._scenario.scaled(_FOUND_WITHIN),
            awaiting=f"Prometheus to find the Alertmanager at {address}",
        )

    def evaluate(self, rules: Path) -> None:
        """Have it evaluate the rules of a file, in which jobs are called as in the scenario."""
        text = self.in_own_names(rules.read_text(encoding="utf-8"))
        if not self._endpoint.ours:  # after its file is removed, for cleanups are done in reverse
            self._scenario.add_cleanup(self.client.reload)
        self._put(f"{rules.stem}{RULES}", text)
        self.client.reload()

    def _put(self, name: str, text: str, *, shared: bool = False) -> None:
        place = directory_of(self._endpoint, "what to scrape and to evaluate", "files of scenarios")
        # A target that scenarios of a server of the suite's share need not be found anew.
        kept = shared and self._endpoint.ours
        file = place / (name if kept else f"{self.prefix}{name}").replace(":", "_")
        if not kept:
            self._scenario.add_cleanup(lambda: file.unlink(missing_ok=True))
        beside = file.with_name(f"{self._scenario.id}.new")
        beside.write_text(text, encoding="utf-8")
        beside.chmod(0o644)  # whatever the umask says: in a container it is another user
        beside.replace(file)

    def await_target(self, address: str, health: str, within: float = _FOUND_WITHIN) -> None:
        """Wait until it has scraped a target, or failed to.

        Args:
            address: ``host:port``.
            health: "up" or "down".
            within: seconds.
        """

        def told() -> str:
            there = (t for t in self.client.targets() if t["labels"]["instance"] == address)
            return next((t["health"] for t in there), "not found yet")

        poll(told, until=lambda found: found == health, within=self._scenario.scaled(within),
             awaiting=f"Prometheus to find {address} {health}")  # fmt: skip

    # -- what is written to it ---------------------------------------------------
    def write(self, job: str, rows: Sequence[Mapping[str, str]], every: float) -> None:
        """Write values of a job that lie in the past; queries are asked as of the last one.

        Args:
            job: as the scenario calls it.
            rows: metric, labels, and values, separated by commas, of each series.
            every: seconds between two values.
        """
        end = float(int(time.time()))
        with ExitStack() as operations:
            samples: list[Sample] = []
            for row in rows:
                labels = labels_of(row["labels"])
                values = [float(value) for value in row["values"].split(",")]
                of = series(row["metric"], {**labels, "job": self._scenario.own(job)})
                begin = end - (len(values) - 1) * every
                samples += [Sample(of, begin + n * every, v) for n, v in enumerate(values)]
            for sample in samples:
                operations.enter_context(self._doing("write", job, sample, str(sample.value)))
            self.client.write(samples)
        if not self._endpoint.ours:
            self._scenario.add_cleanup(lambda: self.client.forget(self._own_jobs))
        self._written += samples
        self._as_of = end

    def _doing(
        self, action: str, client: str, sample: Sample, value: str | None = None
    ) -> AbstractContextManager[Answer]:
        key = f"{sample.of.without('job')} at {sample.at:.0f}"
        return self._scenario.history.doing(
            action, client=client, space=_SPACE, key=key, value=value
        )

    def read_back(self) -> Registers:
        """Read every value that was written, at its time; what is expected of that."""
        if not self._written:
            raise step_missing("values that were written", "an application has had these values")
        for sample in self._written:
            with self._doing("read", "reader", sample) as answer:
                pairs = ", ".join(f"{name}={quoted(value)}" for name, value in sample.of.labels)
                told = self.client.query(f"{sample.of.name}{{{pairs}}}", sample.at)
                answer.value = str(told[sample.of]) if sample.of in told else None
        return Registers("what was written", _SPACE)

    # -- exports -----------------------------------------------------------------
    def export(self, query: str, over: float, every: float) -> None:
        """Keep what a query tells of a span of time as CSV, JSON and a picture.

        Args:
            query: in PromQL.
            over: seconds until now, or until the last value that was written.
            every: seconds between two points.
        """
        end = self._as_of or time.time()
        found = self.client.range(self.in_own_names(query), end - over, end, every)
        told = {self._plain(of): points for of, points in sorted(found.items())}
        self._exports = export.as_csv(told), export.as_json(told)
        self._scenario.attach("range.csv", self._exports[0], "text/csv")
        self._scenario.attach("range.json", self._exports[1], "application/json")
        self.picture = export.as_picture(told, query)
        self._scenario.attach_file("range.png", self.picture, "image/png")

    def exported(self) -> tuple[set[tuple[str, str, str]], set[tuple[str, str, str]]]:
        """Of CSV and of JSON: seconds before the end, labels and value of each row."""
        if not self._exports:
            raise step_missing("an export", "the query is exported")
        of_csv, of_json = export.read_csv(self._exports[0]), export.read_json(self._exports[1])
        end = self._as_of or max(row.at for row in (*of_csv, *of_json))
        return export.points_of(of_csv, end), export.points_of(of_json, end)

    # -- what it answers -------------------------------------------------------
    def in_own_names(self, query: str) -> str:
        """A query, or rules, with the scenario's own names of jobs."""
        return _JOB.sub(self._own_job, query)

    def _own_job(self, found: re.Match[str]) -> str:
        before, how, quote, job = found.groups()
        if not job:  # without a job
            return found[0]
        own = f"{self.prefix}(?:{job})" if "~" in how else self._scenario.own(job)
        return f"{before}{quote}{own}{quote}"

    def jobs(self) -> dict[Series, float]:
        """All series of the scenario's jobs."""
        return self.client.query(self._own_jobs)

    @property
    def _own_jobs(self) -> str:
        return f"{{job=~{quoted(pattern(self.prefix) + '.*')}}}"

    def value(self, query: str) -> float | str:
        """The one value of a query: a number, or NOTHING.

        Raises:
            AssertionError: it tells several.
        """
        told = self.client.query(self.in_own_names(query), self._as_of)
        if len(told) > 1:
            some = ", ".join(sorted(map(str, told))[:5])
            raise AssertionError(f"{query} tells {len(told)} series, not one: {some}")
        return next(iter(told.values()), NOTHING)

    def answers(self, rows: Sequence[Mapping[str, str]], within: float) -> None:
        """Wait until all queries answer at the same time what they should.

        Args:
            rows: query, and what it is: a number, "> 5", "< 5", or NOTHING.
            within: seconds.
        """

        def wrong() -> list[str]:
            told = [(row["query"], self.value(row["query"]), row["is"]) for row in rows]
            return [f"{query} is {value}, not {wanted}" for query, value, wanted in told
                    if not same(value, wanted)]  # fmt: skip

        poll(wrong, until=lambda left: not left, within=self._scenario.scaled(within),
             awaiting="all queries to answer as expected",
             describe="; ".join, retry_on=(AssertionError,))  # fmt: skip

    def labelled(self, query: str) -> dict[Series, float]:
        """What a query tells by labels, without its name; jobs as the scenario calls them."""
        return {
            self._plain(one): value
            for one, value in self.client.query(self.in_own_names(query), self._as_of).items()
        }

    def _plain(self, of: Series) -> Series:
        return series("", {k: v.removeprefix(self.prefix) for k, v in of.labels})

    def tells(self, query: str, rows: Sequence[Mapping[str, str]], within: float) -> None:
        """Wait until a query tells exactly these series.

        Args:
            query: in PromQL.
            rows: labels and value of each.
            within: seconds.
        """
        wanted = {series("", labels_of(row["labels"])): row["is"] for row in rows}

        def differences() -> list[str]:
            told = self.labelled(query)
            return [
                f"{one} is {told.get(one, NOTHING)}, not {wanted.get(one, NOTHING)}"
                for one in sorted(wanted.keys() | told.keys())
                if not same(told.get(one, NOTHING), wanted.get(one, NOTHING))
            ]

        poll(differences, until=lambda left: not left, within=self._scenario.scaled(within),
             awaiting=f"{query} to tell {len(wanted)} series", describe="; ".join)  # fmt: skip

    # -- alerts ------------------------------------------------------------------
    def firing(self, name: str) -> set[Series]:
        """The labels of all alerts of this name that fire; jobs as the scenario calls them."""
        return {
            series("", {k: v.removeprefix(self.prefix) for k, v in labels.items()})
            for alert in self.client.alerts()
            if alert["state"] == "firing"
            and (labels := dict(alert["labels"])).pop("alertname") == name
        }

    def fires(
        self, name: str, rows: Sequence[Mapping[str, str]], seconds: float, *, throughout: bool
    ) -> None:
        """Wait until an alert fires for exactly these series; or see that it always does.

        Args:
            name: of the alert.
            rows: labels of each.
            seconds: how long.
            throughout: it does so at each look until then.

        Raises:
            AssertionError: it does not.
        """
        wanted = {series("", labels_of(row["labels"])) for row in rows}

        def differences() -> str:
            told = self.firing(name)
            missing, more = sorted(wanted - told), sorted(told - wanted)
            return "; ".join([f"it does not fire for {one}" for one in missing]
                             + [f"it fires for {one}" for one in more])  # fmt: skip

        what, within = (
            f"the alert {name} to fire for {len(wanted)} series",
            self._scenario.scaled(seconds),
        )
        if not throughout:
            poll(differences, until=lambda left: not left, within=within, awaiting=what,
                 describe=str)  # fmt: skip
            return
        try:
            left = poll(differences, until=bool, within=within, awaiting=what, describe=str)
        except DeadlineExceeded:
            return
        raise AssertionError(f"the alert {name} was to fire for {len(wanted)} series: {left}")


def same(told: float | str, wanted: str) -> bool:
    """Whether a value is the one that a feature names."""
    if isinstance(told, str) or wanted == NOTHING:
        return told == wanted
    if wanted.startswith((">", "<")):
        bound = float(wanted[1:])
        return told > bound if wanted.startswith(">") else told < bound
    number = float(wanted)
    if math.isnan(number):
        return math.isnan(told)
    if math.isinf(number):
        return told == number
    return abs(told - number) <= _TOLERANCE * max(1.0, abs(number))


def _targets(address: str, labels: Mapping[str, str]) -> str:
    return json.dumps([{"targets": [address], "labels": dict(labels)}])
