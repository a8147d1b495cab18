"""What Prometheus tells: compared, exported and read again; no server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from stackproof.services.base import Endpoint
from stackproof.services.exposition import series
from stackproof.services.prometheus import export
from stackproof.services.prometheus.client import pattern, quoted
from stackproof.services.prometheus.fixture import NOTHING, PrometheusFixture, same

TOLD = {
    series("", {"path": "/", "who": 'a "b", ü'}): [(1000.0, 0.1 + 0.2), (1015.0, 1e9)],
    series("", {"path": "/cart"}): [(1000.0, 5.0), (1015.0, float("inf"))],
}


def test_exports_are_read_as_they_were_told() -> None:
    rows = [(at, of, value) for of, points in TOLD.items() for at, value in points]
    assert [tuple(row) for row in export.read_csv(export.as_csv(TOLD))] == rows
    assert [tuple(row) for row in export.read_json(export.as_json(TOLD))] == rows


def test_points_are_those_of_a_table() -> None:
    rows = [{"seconds": "-15", "labels": 'path="/cart"', "value": "5"},
            {"seconds": "0", "labels": 'path="/cart"', "value": "+Inf"}]  # fmt: skip
    of_cart = [
        row for row in export.read_csv(export.as_csv(TOLD)) if row.of.labels[0][1] == "/cart"
    ]
    assert export.points_of(of_cart, 1015.0) == export.points(rows)


def test_a_picture_shows_its_lines() -> None:
    finite = {of: [(at, min(value, 1e3)) for at, value in points] for of, points in TOLD.items()}
    assert export.lines_of(export.as_picture(finite, "two")) == 2
    assert export.lines_of(export.as_picture({}, "none")) == 0


@pytest.mark.parametrize(
    ("told", "wanted", "fits"),
    [
        (0.1 + 0.2, "0.3", True), (1.0, "1.001", False), (5.0, "> 4", True), (5.0, "> 5", False),
        (5.0, "< 5", False), (4.9, "< 5", True), (NOTHING, NOTHING, True), (0.0, NOTHING, False),
        (NOTHING, "0", False), (NOTHING, "< 5", False), (float("nan"), "NaN", True),
        (1.0, "NaN", False), (float("nan"), "1", False), (float("inf"), "+Inf", True),
        (1e300, "+Inf", False),
    ],
)  # fmt: skip
def test_values_are_compared(told: float | str, wanted: str, fits: bool) -> None:
    assert same(told, wanted) is fits


def test_texts_in_queries() -> None:
    assert quoted('a "b"\\\n') == '"a \\"b\\"\\\\\\n"'
    assert pattern("a.b+ü") == "a\\x{2e}b\\x{2b}ü"


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ('up{job="shop"}', 'up{job="own-shop"}'),
        ("up{job='shop'}", "up{job='own-shop'}"),
        ("up{job=`shop`}", "up{job=`own-shop`}"),
        ('up{a="b", job != "shop"}', 'up{a="b", job != "own-shop"}'),
        ('up{job=~"shop|cart.*"}', 'up{job=~"own-(?:shop|cart.*)"}'),
        ('up{job!~"shop", a="b"}', 'up{job!~"own-(?:shop)", a="b"}'),
        ('up{job=~".+"}', 'up{job=~"own-(?:.+)"}'),
        ('up{job="a \\"b\\""}', 'up{job="own-a \\"b\\""}'),
        ('up{job=""} + up{job="x"}', 'up{job=""} + up{job="own-x"}'),
        ('up{exported_job="shop"}', 'up{exported_job="shop"}'),
        ("sum by (job) (up)", "sum by (job) (up)"),
    ],
)
def test_jobs_are_those_of_the_scenario_however_they_are_asked_for(
    written: str, asked: str
) -> None:
    scenario = SimpleNamespace(
        endpoint=lambda _: Endpoint("prometheus", "p", "", {"server": "127.0.0.1:9"}),
        scaled=lambda seconds: seconds,
        own=lambda name: f"own-{name}",
        add_cleanup=lambda _: None,
    )
    assert PrometheusFixture(cast(Any, scenario)).in_own_names(written) == asked
