"""Metrics as text, as Prometheus reads them: written and read by its own Python client."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from stackproof.errors import Trouble

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

#: Of tables of metrics.
COLUMNS = ("metric", "type", "labels", "value", "buckets")
_TYPES = ("counter", "gauge", "histogram")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_BUCKETS = (0.1, 0.5, 1.0)


class Series(NamedTuple):
    """One value that changes with time.

    Attributes:
        name: of the metric, suffixes as ``_bucket`` included.
        labels: pairs, sorted.
    """

    name: str
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        pairs = ",".join(
            f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in self.labels
        )
        return f"{self.name}{{{pairs}}}"

    def without(self, *names: str) -> Series:
        """The same without these labels."""
        return Series(self.name, tuple(pair for pair in self.labels if pair[0] not in names))


def family(name: str) -> str:
    """The metric that a series belongs to: its name without what a histogram adds."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def series(name: str, labels: Mapping[str, str]) -> Series:
    """A series by its name and labels; the bound of a bucket as Prometheus writes it."""
    bound = {"le": _bound(labels["le"])} if "le" in labels else {}
    return Series(name, tuple(sorted({**labels, **bound}.items())))


def _bound(text: str) -> str:
    return text if text == "+Inf" else repr(float(text)).removesuffix(".0")


@dataclass(frozen=True)
class Measured:
    """What an application or a job has measured.

    Attributes:
        metric: its name; that of a counter ends in ``_total``.
        kind: "counter", "gauge" or "histogram".
        labels: by name.
        values: one number; of a histogram all that it has observed.
        buckets: upper bounds of a histogram, without infinity.
    """

    metric: str
    kind: str
    labels: Mapping[str, str]
    values: Sequence[float]
    buckets: Sequence[float] = field(default=_BUCKETS)

    def series(self) -> Iterator[tuple[Series, float]]:
        """The series that it is told by, with their values."""
        if self.kind != "histogram":
            yield series(self.metric, self.labels), self.values[-1]
            return
        for bound, count in self.counts():
            yield series(f"{self.metric}_bucket", {**self.labels, "le": bound}), count
        yield series(f"{self.metric}_sum", self.labels), float(sum(self.values))
        yield series(f"{self.metric}_count", self.labels), float(len(self.values))

    def counts(self) -> list[tuple[str, float]]:
        """How many values lie within each bucket's bound; they add up."""
        ordered = sorted(self.buckets)
        counts = [0] * (len(ordered) + 1)
        for value in self.values:
            counts[bisect_left(ordered, value)] += 1
        bounds = [*map(str, map(float, ordered)), "+Inf"]
        return [(bound, float(sum(counts[: n + 1]))) for n, bound in enumerate(bounds)]

    def _family(self) -> Metric:
        from prometheus_client import core

        names, values = [*self.labels], [*self.labels.values()]
        if self.kind == "histogram":
            histogram = core.HistogramMetricFamily(self.metric, self.metric, labels=names)
            histogram.add_metric(values, buckets=self.counts(), sum_value=sum(self.values))
            return histogram
        kinds = {"counter": core.CounterMetricFamily, "gauge": core.GaugeMetricFamily}
        made = kinds[self.kind](self.metric, self.metric, labels=names)
        made.add_metric(values, self.values[-1])
        return made


def measured(rows: Iterable[Mapping[str, str]]) -> list[Measured]:
    """Metrics from the rows of a table.

    Args:
        rows: of each metric, or of each combination of its labels: metric, type, labels
            (``stage="load", source="crm"``), value (several of a histogram, separated by commas),
            buckets.

    Raises:
        Trouble: a cell cannot be understood.
    """
    return [_measured(row) for row in rows]


def _measured(row: Mapping[str, str]) -> Measured:
    metric, kind = row["metric"], row.get("type") or "gauge"
    if kind not in _TYPES:
        raise _unclear(metric, f"its type is {kind!r}", f"the types are {', '.join(_TYPES)}")
    if not _NAME.fullmatch(metric):
        raise _unclear(metric, "it is no name of a metric", "use letters, digits, _ and : alone")
    if kind == "counter" and not metric.endswith("_total"):
        raise _unclear(metric, "a counter's name ends in _total", "call it so")
    values = _numbers(metric, row["value"])
    if len(values) != 1 and kind != "histogram":
        raise _unclear(metric, f"a {kind} has one value, not {len(values)}", "correct it")
    buckets = _numbers(metric, row.get("buckets", "")) or _BUCKETS
    labels = labels_of(row.get("labels", ""))
    if "job" in labels:  # the gateway would put the group's own in its place, and say nothing
        raise _unclear(metric, "it has a label job", "leave it out: the step says whose it is")
    return Measured(metric, kind, labels, values, buckets)


def labels_of(text: str) -> dict[str, str]:
    """Labels as features write them: ``stage="load", source="crm"``.

    Raises:
        Trouble: they cannot be understood.
    """
    from prometheus_client.parser import parse_labels

    try:
        return dict(parse_labels(text.strip())) if text.strip() else {}
    except ValueError as error:
        raise _unclear(text, str(error), 'write labels as stage="load", source="crm"') from error


def _numbers(metric: str, cell: str) -> list[float]:
    try:
        return [float(part) for part in cell.split(",") if part.strip()]
    except ValueError as error:
        raise _unclear(metric, str(error), "write numbers, separated by commas") from error


def _unclear(what: str, why: str, remedy: str) -> Trouble:
    return Trouble(f'the metric "{what}" cannot be understood', why, remedy)


def text_of(metrics: Iterable[Measured]) -> bytes:
    """What Prometheus reads: each metric once, with all combinations of its labels."""
    from prometheus_client import CollectorRegistry, generate_latest

    families: dict[str, Metric] = {}
    for one in metrics:
        family = one._family()
        known = families.setdefault(one.metric, family)
        if known is not family:
            known.samples += family.samples
    registry = CollectorRegistry()

    class Collected:
        def collect(self) -> Iterable[Metric]:
            return families.values()

    registry.register(Collected())
    return bytes(generate_latest(registry))


def read(text: str) -> dict[Series, float]:
    """Every series of such a text, with its value.

    Raises:
        ValueError: it is none.
    """
    from prometheus_client.parser import text_string_to_metric_families as parsed

    return {
        series(sample.name, sample.labels): float(sample.value)
        for family in parsed(text)
        for sample in family.samples
    }
