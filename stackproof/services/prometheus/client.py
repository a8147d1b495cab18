"""Asking Prometheus by HTTP, and writing series to it by its protocol of remote writing."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from stackproof.services.base import Endpoint
from stackproof.services.exporting import SERVER, reload
from stackproof.services.exposition import Series, series
from stackproof.services.web import Web

_KEPT = "stackproof_kept"
#: A number of names in one selector.
_AT_ONCE = 100


class Sample(NamedTuple):
    """A value of a series at a time, in seconds since the Unix epoch."""

    of: Series
    at: float
    value: float


class Prometheus:
    """Asks one server."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = 10.0):
        self._web = Web(endpoint.at(SERVER), endpoint.access, timeout=timeout)

    def query(self, query: str, at: float | None = None) -> dict[Series, float]:
        """The value of each series that a query tells; of a number, a series without a name.

        Args:
            query: in PromQL.
            at: seconds since the Unix epoch; None: now.

        Raises:
            requests.HTTPError: the query is wrong, or cannot be answered.
        """
        asked = {"query": query, **({} if at is None else {"time": f"{at:.3f}"})}
        data = self._get("/api/v1/query", asked)
        if data["resultType"] in ("scalar", "string"):
            return {series("", {}): float(data["result"][1])}
        return {_series(one["metric"]): float(one["value"][1]) for one in data["result"]}

    def range(
        self, query: str, start: float, end: float, step: float
    ) -> dict[Series, list[tuple[float, float]]]:
        """Times and values of each series, every ``step`` seconds from ``start`` to ``end``."""
        asked = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        data = self._get("/api/v1/query_range", asked)
        return {
            _series(one["metric"]): [(float(at), float(value)) for at, value in one["values"]]
            for one in data["result"]
        }

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that are pending or firing: labels, annotations, state."""
        return list(self._get("/api/v1/alerts", {})["alerts"])

    def alertmanagers(self) -> list[str]:
        """URLs of where it sends alerts."""
        return [one["url"] for one in self._get("/api/v1/alertmanagers", {})["activeAlertmanagers"]]

    def rules(self) -> list[dict[str, Any]]:
        """The groups of rules: name, file, rules."""
        return list(self._get("/api/v1/rules", {})["groups"])

    def targets(self) -> list[dict[str, Any]]:
        """The targets that it scrapes: labels, health, lastError."""
        return list(self._get("/api/v1/targets", {"state": "active"})["activeTargets"])

    def reload(self) -> None:
        """Read configuration and rules anew; see `stackproof.services.exporting.reload`."""
        reload(self._web, "these rules")

    def write(self, samples: Iterable[Sample]) -> None:
        """Write samples; of each series in the order of time.

        Raises:
            requests.HTTPError: it takes none, or not these.
        """
        import snappy

        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
                   "X-Prometheus-Remote-Write-Version": "0.1.0"}  # fmt: skip
        self._web.ask(
            "POST", "/api/v1/write", data=snappy.compress(_message(samples)), headers=headers
        )

    def forget(self, selector: str) -> None:
        """Delete series, where that is allowed; else they stay as long as everything does."""
        with suppress(OSError):
            self.delete(selector)

    def delete(self, selector: str) -> None:
        """Delete series.

        Raises:
            requests.HTTPError: nobody may.
        """
        self._web.ask("POST", "/api/v1/admin/tsdb/delete_series", data={"match[]": selector})

    def _get(self, path: str, asked: dict[str, str]) -> Any:
        if "query" in path:  # too long for a URL, perhaps
            return self._web.json("POST", path, data=asked)["data"]
        return self._web.json("GET", path, params=asked)["data"]

    def close(self) -> None:
        """Connections of HTTP."""
        self._web.close()


class SeriesKeeper(Prometheus):
    """See `stackproof.services.keeping.Keeper`: each name and content are a series."""

    def answers(self) -> None:
        """It answers a query."""
        self.query("vector(1)")

    def put(self, name: str, content: str) -> None:
        """Write a sample of it."""
        self.write([Sample(series(_KEPT, {"name": name, "content": content}), time.time(), 1.0)])

    def get(self, name: str) -> str | None:
        """The label of the series."""
        return next((content for _, content in self._kept("=", name)), None)

    def names(self, prefix: str) -> list[str]:
        """Each as often as it has a series."""
        return [name for name, _ in self._kept("=~", pattern(prefix) + ".*")]

    def contents(self, prefix: str) -> list[str]:
        """See `stackproof.services.keeping.TellsAll`."""
        return [content for _, content in self._kept("=~", pattern(prefix) + ".*")]

    def _kept(self, how: str, name: str) -> Iterator[tuple[str, str]]:
        selector = f"{_KEPT}{{name{how}{quoted(name)}}}"
        for found in self.query(f"last_over_time({selector}[1d])", time.time() + 1):
            labels = dict(found.labels)
            yield labels["name"], labels["content"]

    def drop(self, names: Sequence[str]) -> None:
        """Delete their series."""
        distinct = sorted(set(names))
        for first in range(0, len(distinct), _AT_ONCE):
            any_of_them = "|".join(map(pattern, distinct[first : first + _AT_ONCE]))
            match = f"{_KEPT}{{name=~{quoted(any_of_them)}}}"
            self.delete(match)


def _series(metric: dict[str, str]) -> Series:
    labels = dict(metric)
    return series(labels.pop("__name__", ""), labels)


def quoted(text: str) -> str:
    """A text in PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def pattern(text: str) -> str:
    """What matches this text alone, in RE2."""
    return "".join(c if c.isalnum() or c in "-_" else f"\\x{{{ord(c):x}}}" for c in text)


# -- the message of remote writing, in protobuf -----------------------------------
def _message(samples: Iterable[Sample]) -> bytes:
    by_series: dict[Series, list[Sample]] = {}
    for sample in samples:
        by_series.setdefault(sample.of, []).append(sample)
    return b"".join(_bytes(1, _time_series(of, points)) for of, points in by_series.items())


def _time_series(of: Series, points: Sequence[Sample]) -> bytes:
    labels = sorted([("__name__", of.name), *of.labels])
    named = (_bytes(1, _bytes(1, k.encode()) + _bytes(2, v.encode())) for k, v in labels)
    valued = (
        _bytes(2, b"\x09" + struct.pack("<d", point.value) + b"\x10" + _varint(_ms(point.at)))
        for point in points
    )
    return b"".join([*named, *valued])


def _ms(seconds: float) -> int:
    return math.floor(seconds * 1000)


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    told = bytearray()
    while number > 0x7F:
        told.append(number & 0x7F | 0x80)
        number >>= 7
    told.append(number)
    return bytes(told)
