"""Declaring next to a step what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from stackproof.obtain import Artifact
from stackproof.settings.systems import SystemSettings

Step = TypeVar("Step", bound=Callable[..., Any])
_ATTRIBUTE = "stackproof_needs"
_SYSTEMS = "stackproof_systems"
_ARTIFACTS = "stackproof_artifacts"


@dataclass(frozen=True)
class Need:
    """A service that a step needs; see `needs`."""

    service: str
    dedicated: bool
    options: tuple[tuple[str, Any], ...]
    destructive: str = ""
    called: str = ""


def needs(
    service: str,
    *,
    dedicated: bool = False,
    destructive: str = "",
    called: str = "",
    **options: Any,
) -> Callable[[Step], Step]:
    """Declare that a step needs a service.

    The planner reads it before anything runs. Several steps of one scenario share
    one cluster; where their options differ, the larger value counts.

    Args:
        service: the service's name.
        dedicated: the step breaks the cluster, so no other scenario may use it.
        destructive: what the step does that only the suite's own servers should suffer, e.g.
            "floods the broker with 100,000 messages"; see `stackproof.guard`. Such a scenario
            is not run on somebody's endpoint unless ``stackproof.toml`` allows it by name.
        called: name of the cluster among the scenario's, where it needs several of a service;
            `ScenarioSession.endpoint` knows it by that. Default: the service's.
        options: the service's options, e.g. ``brokers=3``; a string in braces takes
            the value of the step's parameter of that name: ``brokers="{count}"``.
    """

    def declare(step: Step) -> Step:
        declared = getattr(step, _ATTRIBUTE, ())
        need = Need(service, dedicated, tuple(sorted(options.items())), destructive, called)
        setattr(step, _ATTRIBUTE, (*declared, need))
        return step

    return declare


def needs_by(what: Callable[..., Need]) -> Callable[[Step], Step]:
    """Declare that what a step needs follows from the values of its parameters.

    Args:
        what: gets them by name.
    """

    def declare(step: Step) -> Step:
        setattr(step, _ATTRIBUTE, (*getattr(step, _ATTRIBUTE, ()), what))
        return step

    return declare


def needs_of(
    step: Callable[..., Any], arguments: Mapping[str, Any] | None = None
) -> tuple[Need, ...]:
    """What ``step`` declared; of needs that follow from ``arguments``, with them alone."""
    declared = getattr(step, _ATTRIBUTE, ())
    if arguments is None:
        return tuple(need for need in declared if isinstance(need, Need))
    return tuple(need if isinstance(need, Need) else need(**arguments) for need in declared)


def obtains(artifact: Artifact) -> Callable[[Step], Step]:
    """Declare that a step uses a program of its own: it is obtained before anything runs."""

    def declare(step: Step) -> Step:
        setattr(step, _ARTIFACTS, (*artifacts_of(step), artifact))
        return step

    return declare


def artifacts_of(step: Callable[..., Any]) -> tuple[Artifact, ...]:
    """What ``step`` declared that it uses."""
    return getattr(step, _ARTIFACTS, ())


def uses_system(name: str) -> Callable[[Step], Step]:
    """Declare that a step uses a system under test that its words do not name.

    What the scenario needs then, and how it gets it, depends on the system's settings. A step
    with a parameter of the type ``System`` declares nothing.

    Args:
        name: as in ``[systems.NAME]``.
    """

    def declare(step: Step) -> Step:
        setattr(step, _SYSTEMS, (*systems_of(step), name))
        return step

    return declare


def systems_of(
    step: Callable[..., Any], arguments: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """The systems that ``step`` declared, and those that its ``arguments`` are."""
    named = (arguments or {}).values()
    return (
        *getattr(step, _SYSTEMS, ()),
        *(value.name for value in named if isinstance(value, SystemSettings)),
    )
