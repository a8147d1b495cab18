"""Percentiles: values that were measured, and honest about how many there were."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.workloads import Latencies


@given(
    st.lists(st.floats(min_value=1e-4, max_value=1000), min_size=1, max_size=120),
    st.sampled_from([1.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0]),
)
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(
    values: list[float], q: float
) -> None:
    exact = sorted(values)[max(1, math.ceil(q * len(values) / 100)) - 1]
    assert Latencies(values).percentile(q) == pytest.approx(exact, rel=0.002, abs=2e-6)


def test_the_99th_percentile_of_20_is_told_as_the_worst_of_them() -> None:
    told = Latencies([0.001] * 19 + [0.25]).told()
    assert told == ("median 1 ms, 95 % within 1 ms, 99 % within 250 ms (worst of 20), worst 250 ms")


def test_of_many_a_percentile_is_not_the_worst() -> None:
    told = Latencies([0.001] * 199 + [0.25]).told((99.0, 99.9))
    assert told == "99 % within 1 ms, 99.9 % within 250 ms (worst of 200)"


@pytest.mark.parametrize("count", [55, 120, 130, 149])
def test_the_rank_is_never_rounded_down(count: int) -> None:
    """The library's own would leave 2 of 55 beyond its 99th percentile."""
    latencies = Latencies([0.001] * (count - 2) + [0.1, 0.2])
    beyond = sum(v > latencies.percentile(99) * 1.001 for v in (0.1, 0.2))
    assert beyond <= count / 100


def test_the_worst_is_never_beyond_what_was_measured() -> None:
    assert Latencies([1.234567]).worst == 1.234567


@pytest.mark.parametrize("seconds", [-0.001, 90_000.0, math.nan])
def test_what_cannot_be_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="cannot take"):
        Latencies([seconds])


def test_nothing_measured_is_told() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Latencies().told()
