"""What a range query tells as files for plotting: CSV, JSON and a picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stackproof.services.exposition import Series, labels_of, series

#: Times (seconds since the Unix epoch) and values of each series.
Told = Mapping[Series, Sequence[tuple[float, float]]]
#: Seconds, labels and value, as features write them.
Point = tuple[str, str, str]
_COLUMNS = ("time", "labels", "value")
_SIZE = (8.0, 4.5)  # inches, of 100 points
_VIVID, _LEAST = 0.25, 50  # difference of colours, 0 to 1; points of a line


class Row(NamedTuple):
    """One point: seconds since the Unix epoch, labels, value."""

    at: float
    of: Series
    value: float


def as_csv(told: Told) -> str:
    """A line for each point."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_COLUMNS)
    lines.writerows(
        (f"{at:.3f}", _labels(of), repr(value)) for of in told for at, value in told[of]
    )
    return text.getvalue()


def read_csv(text: str) -> list[Row]:
    """The reverse.

    Raises:
        ValueError: it is none.
    """
    return [
        Row(float(line["time"]), series("", labels_of(line["labels"])), float(line["value"]))
        for line in csv.DictReader(io.StringIO(text))
    ]


def as_json(told: Told) -> str:
    """A list of series, each with its labels, times and values."""
    listed = []
    for of, points in told.items():
        times, values = [at for at, _ in points], [value for _, value in points]
        listed.append({"labels": dict(of.labels), "times": times, "values": values})
    return json.dumps(listed, ensure_ascii=False, indent=1)


def read_json(text: str) -> list[Row]:
    """The reverse.

    Raises:
        ValueError: it is none.
    """
    return [
        Row(at, series("", one["labels"]), value)
        for one in json.loads(text)
        for at, value in zip(one["times"], one["values"], strict=True)
    ]


def as_picture(told: Told, title: str) -> bytes:
    """A line for each series, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    end = max((at for points in told.values() for at, _ in points), default=0.0)
    for of, points in told.items():
        axes.plot([at - end for at, _ in points], [value for _, value in points], label=_labels(of))
    axes.set(title=title, xlabel="seconds to the end")
    if told:
        axes.legend()
    png = io.BytesIO()
    FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()


def lines_of(picture: bytes) -> int:
    """How many lines of different colours a picture shows."""
    from matplotlib.image import imread

    points = imread(io.BytesIO(picture))[..., :3].reshape(-1, 3)
    vivid = points[points.max(axis=1) - points.min(axis=1) > _VIVID]
    seen: dict[tuple[int, ...], int] = {}
    for colour in (vivid * 255).round().astype(int).tolist():
        seen[tuple(colour)] = seen.get(tuple(colour), 0) + 1
    return sum(count > _LEAST for count in seen.values())


def points_of(rows: Iterable[Row], end: float) -> set[Point]:
    """Rows as features write them, with seconds before ``end``."""
    return {_point(row.at - end, row.of, row.value) for row in rows}


def points(rows: Iterable[Mapping[str, str]]) -> set[Point]:
    """The points of a table: seconds, labels, value."""
    return {
        _point(float(row["seconds"]), series("", labels_of(row["labels"])), float(row["value"]))
        for row in rows
    }


def _point(seconds: float, of: Series, value: float) -> Point:
    return f"{seconds:g}", str(of), f"{value:g}"


def _labels(of: Series) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in of.labels)
