"""The chosen scenarios of a unit, found in their feature, which a worker parses anew."""

from __future__ import annotations

from typing import Any

from behave.model import Scenario, ScenarioOutline

from stackproof.errors import Trouble
from stackproof.session.workers import wire


def choose(feature: Any, unit: wire.Unit) -> dict[int, str]:
    """Put a feature into the unit's order; IDs of the chosen scenarios, by the object's ``id()``.

    Raises:
        Trouble: the feature is not what it was when the run was planned.
    """
    scenarios = feature.walk_scenarios()
    ids: dict[int, str] = {}
    for chosen in unit.scenarios:
        found = scenarios[chosen.index] if chosen.index < len(scenarios) else None
        if found is None or (found.line, found.name) != (chosen.line, chosen.name):
            raise Trouble(
                f"{unit.feature} has changed since the run began",
                f"{chosen.name!r} does not stand in line {chosen.line} any more",
                "run again",
            )
        ids[id(found)] = chosen.id
    _sort(feature, {scenario: place for place, scenario in enumerate(ids)})
    return ids


def _sort(container: Any, order: dict[int, int]) -> None:
    """Order a feature's items by the earliest chosen scenario in each; others keep their place."""
    last = len(order)

    def earliest(item: Any) -> int:
        if isinstance(item, ScenarioOutline):
            return min((order.get(id(s), last) for s in item.scenarios), default=last)
        if isinstance(item, Scenario):
            return order.get(id(item), last)
        return min((order.get(id(s), last) for s in item.walk_scenarios()), default=last)

    container.run_items.sort(key=earliest)
    for item in container.run_items:
        if isinstance(item, ScenarioOutline):
            item.scenarios.sort(key=lambda s: order.get(id(s), last))
        elif not isinstance(item, Scenario):
            _sort(item, order)
