"""What a node exporter tells is compared with what the kernel says; no server."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stackproof.polling import DeadlineExceeded
from stackproof.services.node_exporter import fixture
from stackproof.services.node_exporter.fixture import HostFixture

STAYS, OTHER = 'node_bytes{device="eth0"}', 'node_bytes{device="veth1"}'


@pytest.fixture
def host() -> HostFixture:
    scenario = SimpleNamespace(
        endpoint=lambda _: SimpleNamespace(ours=True), scaled=lambda seconds: seconds / 100
    )
    return HostFixture(cast(Any, scenario))


def says(monkeypatch: pytest.MonkeyPatch, *looks: dict[str, float]) -> None:
    """What the kernel says, look by look; the last one again and again."""
    left = list(looks)
    monkeypatch.setattr(fixture, "_counters", lambda: left.pop(0) if len(left) > 1 else left[0])


def answers(**values: float) -> Callable[[str], float | str]:
    return lambda query: values["stays" if query == STAYS else "other"]


@pytest.mark.parametrize("later", [{}, {OTHER: 5.0}])
def test_a_device_that_is_gone_or_another_one_says_nothing(
    host: HostFixture, monkeypatch: pytest.MonkeyPatch, later: dict[str, float]
) -> None:
    says(monkeypatch, {STAYS: 10.0, OTHER: 20.0}, {STAYS: 12.0, **later})
    host.agree(answers(stays=11.0, other=3.0), within=1)


@pytest.mark.parametrize(("stays", "other"), [(9.0, 21.0), (13.0, 21.0), (11.0, 23.0)])
def test_what_differs_is_told(
    host: HostFixture, monkeypatch: pytest.MonkeyPatch, stays: float, other: float
) -> None:
    says(monkeypatch, {STAYS: 10.0, OTHER: 20.0}, {STAYS: 12.0, OTHER: 22.0})
    with pytest.raises(DeadlineExceeded, match="not from"):
        host.agree(answers(stays=stays, other=other), within=1)
