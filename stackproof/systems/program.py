"""A program under test: launched with what its section names, or attached to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stackproof.session.places import NamedPlaces
from stackproof.systems.attached import AttachedSystem
from stackproof.systems.launching import RunningSystem, common_fields
from stackproof.systems.readiness import Members

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession
    from stackproof.settings import SystemSettings


class Program:
    """One that has no topics; see `Pipeline` for one that has.

    Attributes:
        settings: its section.
        instances: what runs of it.
    """

    def __init__(self, session: ScenarioSession, name: str):
        self.settings = session.settings.system(name)
        self.instances = instances_of(session, self.settings, {})

    def end_one(self, end: Callable[[Any], None]) -> None:
        """End the oldest instance."""
        end(self.instances)


def instances_of(
    session: ScenarioSession,
    settings: SystemSettings,
    fields: Mapping[str, str],
    members: Members = frozenset,
) -> RunningSystem | AttachedSystem:
    """The instances of a system within a scenario.

    Args:
        session: the scenario.
        settings: the system's section.
        fields: values for its ``{}`` fields, besides those of every system and of its services.
        members: of its consumer group.
    """
    of_services = session.use(NamedPlaces).fields(settings.services)
    kind = AttachedSystem if settings.attach else RunningSystem
    return kind(session, settings, {**common_fields(session), **of_services, **fields}, members)
