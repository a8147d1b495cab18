"""What the run and its workers say to each other.

Plain data over a `multiprocessing` connection: pickled, length-prefixed, the same
on every operating system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stackproof.reporting.evidence import ScenarioProof
from stackproof.services.base import Endpoint
from stackproof.settings import Settings


# -- run -> worker -----------------------------------------------------------
@dataclass
class Begin:
    """First message to a worker: everything it needs to know about the run."""

    base_dir: str
    paths: Sequence[str]
    config: Mapping[str, Any]
    settings: Settings
    run_id: str
    run_directory: str
    reports: str
    seed: int


@dataclass
class Unit:
    """Scenarios of one feature to run, as (ID, position), in this order."""

    feature: str
    scenarios: Sequence[tuple[str, int]]


@dataclass
class Go:
    """Answer to `ScenarioStarts`: the scenario may begin, with these endpoints."""

    endpoints: Mapping[str, Endpoint]
    deadline: float


@dataclass
class CannotGo:
    """Answer to `ScenarioStarts`: what it needs could not be had."""

    trouble: Exception


@dataclass
class Reply:
    """Answer to `Call`."""

    value: Any = None
    error: Exception | None = None


@dataclass
class Stop:
    """No more work."""


# -- worker -> run -----------------------------------------------------------
@dataclass
class Ready:
    """The worker has loaded steps and hooks; ``problem`` when its before_all failed."""

    problem: str = ""


@dataclass
class ScenarioStarts:
    """The scenario with this ID is next; answered by `Go` or `CannotGo`."""

    id: str


@dataclass
class StepStarts:
    """A step begins."""

    index: int
    at: float


@dataclass
class StepEnds:
    """A step has ended."""

    index: int
    status: str
    duration: float
    error_message: str | None


@dataclass
class ScenarioEnds:
    """A scenario has ended, hooks and cleanups included."""

    id: str
    status: str
    steps: Sequence[tuple[str, float, str | None]]
    proof: ScenarioProof
    hook_failed: bool
    error_message: str | None
    output: str


@dataclass
class UnitEnds:
    """All scenarios of a unit have ended; errors of the feature's own hooks."""

    container_errors: Sequence[tuple[int, str]] = field(default_factory=list)


@dataclass
class Call:
    """Ask the run to do something: an operation on its stack."""

    operation: str
    arguments: Mapping[str, Any]


@dataclass
class Crashed:
    """The worker itself failed, outside of any scenario's own code."""

    problem: str


@dataclass
class Stopped:
    """The worker has run its after_all; ``problem`` when that failed."""

    problem: str = ""
