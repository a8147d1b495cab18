"""Metrics as text: what is written is read, and what cannot be is refused."""

from __future__ import annotations

import math

import pytest

from stackproof.errors import Trouble
from stackproof.services.exposition import family, labels_of, measured, read, series, text_of


def test_what_is_written_is_read() -> None:
    metrics = measured([
        {"metric": "a_total", "type": "counter", "labels": 'x="1"', "value": "3"},
        {"metric": "a_total", "type": "counter", "labels": r'x="a \"b\", ü"', "value": "1e9"},
        {"metric": "b", "type": "gauge", "labels": "", "value": "-0.5"},
        {"metric": "h", "type": "histogram", "labels": "", "value": "1, 1.5, 20", "buckets": "1,2"},
    ])  # fmt: skip
    told = read(text_of(metrics).decode())
    assert told == dict(pair for one in metrics for pair in one.series())
    assert told[series("a_total", {"x": 'a "b", ü'})] == 1e9
    assert told[series("h_bucket", {"le": "1.0"})] == 1  # a bound belongs to its bucket
    assert told[series("h_bucket", {"le": "2"})] == 2
    assert told[series("h_bucket", {"le": "+Inf"})] == told[series("h_count", {})] == 3
    assert math.isclose(told[series("h_sum", {})], 22.5)


def test_a_histogram_is_one_metric() -> None:
    assert {family(name) for name in ("h", "h_bucket", "h_sum", "h_count")} == {"h"}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"metric": "a", "type": "counter", "value": "1"}, "_total"),
        ({"metric": "a", "type": "meter", "value": "1"}, "counter, gauge"),
        ({"metric": "a", "type": "gauge", "value": "many"}, "many"),
        ({"metric": "a", "type": "gauge", "value": "1, 2"}, "one value"),
        ({"metric": "a", "type": "gauge", "value": "1", "labels": "x=1"}, "labels"),
        ({"metric": "a-b", "type": "gauge", "value": "1"}, "no name of a metric"),
        ({"metric": "1a", "type": "gauge", "value": "1"}, "no name of a metric"),
        ({"metric": "a", "type": "gauge", "value": "1", "labels": 'job="x"'}, "a label job"),
    ],
)
def test_nonsense_is_refused(row: dict[str, str], told: str) -> None:
    with pytest.raises(Trouble, match=told):
        measured([row])


def test_labels_keep_their_commas() -> None:
    assert labels_of('a="x, y=\\"z\\"", b=""') == {"a": 'x, y="z"', "b": ""}
