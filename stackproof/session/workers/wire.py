"""What the run and its workers say to each other.

Plain data over a `multiprocessing` connection: pickled, length-prefixed, the same
on every operating system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stackproof.errors import NotSupported, Refused, Trouble
from stackproof.reporting.evidence import ScenarioProof
from stackproof.services.base import Endpoint
from stackproof.settings import Settings


def sendable(error: Exception | None) -> Trouble:
    """An error as a trouble of a kind that both sides know: others may not survive pickling."""
    for kind in (NotSupported, Refused, Trouble):
        if isinstance(error, kind):
            return kind(error.what, error.why, error.remedy)
    return Trouble(f"{type(error).__name__}: {error}")


# -- run -> worker -----------------------------------------------------------
@dataclass
class Begin:
    """First message to a worker: everything it needs to know about the run.

    Attributes:
        services: names of all that scenarios need.
        hooks_deadline: seconds that hooks outside of scenarios may take.
    """

    base_dir: str
    paths: Sequence[str]
    config: Mapping[str, Any]
    settings: Settings
    run_id: str
    run_directory: str
    reports: str
    seed: int
    services: Sequence[str]
    hooks_deadline: float


@dataclass
class Chosen:
    """One scenario of a unit.

    Attributes:
        index: position among ``feature.walk_scenarios()``.
        line: with ``name``, what must be found there: the file may have changed.
    """

    id: str
    index: int
    line: int
    name: str


@dataclass
class Unit:
    """What is left of one feature, in this order; each scenario is asked for before it runs."""

    feature: str
    scenarios: Sequence[Chosen]


@dataclass
class Go:
    """Answer to `ScenarioStarts`: the scenario may begin, with these endpoints."""

    endpoints: Mapping[str, Endpoint]
    deadline: float


@dataclass
class CannotGo:
    """Answer to `ScenarioStarts`: what it needs could not be had."""

    trouble: Exception
    deadline: float


@dataclass
class Taken:
    """Answer to `ScenarioStarts`: it is not to be run here; another worker has it, or nobody."""


@dataclass
class PassOver:
    """Answer to `ScenarioStarts`: neither this scenario nor later ones of the unit shall run."""


@dataclass
class Reply:
    """Answer to `Call` and `RuleStarts`."""

    value: Any = None
    error: Exception | None = None


@dataclass
class Stop:
    """No more work."""


# -- worker -> run -----------------------------------------------------------
@dataclass
class Loaded:
    """Steps and hooks are imported; before_all is next."""


@dataclass
class Ready:
    """before_all is over; ``problem`` when it failed."""

    problem: str = ""


@dataclass
class RuleStarts:
    """A rule with these scenarios is next; answered by whether there is one of them to run."""

    ids: Sequence[str]


@dataclass
class ScenarioStarts:
    """The scenario with this ID is next; answered by `Go`, `CannotGo`, `Taken` or `PassOver`."""

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
class ScenarioOver:
    """behave is through with the scenario; its evidence takes no time of its own limit."""


@dataclass
class ScenarioEnds:
    """A scenario has ended, hooks and cleanups included.

    Attributes:
        spoiled: the worker is in disorder and must not run anything else.
        aborted: the scenario called ``context.abort()``: the whole run shall end.
    """

    id: str
    status: str
    steps: Sequence[tuple[str, float, str | None]]
    proof: ScenarioProof
    hook_failed: bool = False
    error_message: str | None = None
    output: str = ""
    spoiled: bool = False
    aborted: bool = False


@dataclass
class ContainerError:
    """Hooks or cleanups of a feature or rule failed; ``line`` says of which."""

    line: int
    message: str


@dataclass
class UnitEnds:
    """All scenarios of a unit have ended, or were kept from running.

    Attributes:
        aborted: a hook called ``context.abort()``: the whole run shall end.
    """

    errors: Sequence[ContainerError] = field(default_factory=list)
    aborted: bool = False


@dataclass
class Call:
    """Ask the run to do something: an operation on its stack."""

    operation: str
    arguments: Mapping[str, Any]


@dataclass
class Crashed:
    """The worker itself failed, outside of any scenario."""

    problem: str


@dataclass
class Stopped:
    """The worker has run its after_all; ``problem`` when that failed."""

    problem: str = ""
