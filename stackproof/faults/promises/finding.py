"""What the checker has found, as a figure of the scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackproof.history import FlowVerdict
    from stackproof.session.scenario import ScenarioSession


def show_found(session: ScenarioSession, verdict: FlowVerdict) -> None:
    """Show how many anomalies were found under each name."""
    found = (f"{count} {name}" for name, count in verdict.figures.found.items())
    session.figure("found", ", ".join(found))
