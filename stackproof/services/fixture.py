"""What the fixture of a service may ask of the scenario that it works for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from stackproof.actions import Action
    from stackproof.history import Expectation, Flow, FlowVerdict, History, Verdict
    from stackproof.polling import DeadlineExceeded, Died
    from stackproof.services.base import Endpoint


T = TypeVar("T")


class Scenario(Protocol):
    """One scenario: its names, endpoints, history and evidence."""

    id: str
    seed: int
    directory: Path
    history: History
    #: What the report says of how the scenario was run, e.g. its seed.
    parameters: dict[str, str]

    def own(self, name: str) -> str:
        """The scenario's own name for what its text calls ``name``."""

    def endpoint(self, service: str) -> Endpoint:
        """How to reach the scenario's cluster of a service.

        Raises:
            Trouble: no step of the scenario declared that it needs the service.
        """

    def use(self, fixture: Callable[[Any], T]) -> T:
        """What steps share of this scenario, made at the first call."""

    def scaled(self, seconds: float) -> float:
        """A time limit on this machine."""

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        """Register what must be done at the end, before the thing to clean can exist."""

    def figure(self, name: str, value: str) -> None:
        """Report a measured value, unit included."""

    def attach(self, name: str, text: str, mime: str = "text/plain") -> None:
        """Add a text to the report."""

    def attach_file(self, name: str, content: bytes, mime: str) -> None:
        """Add a file to the report."""

    def assert_flow(self, flow: Flow) -> FlowVerdict:
        """Check the history against ``flow``; raises what it finds."""

    def assert_history(self, expectation: Expectation) -> Verdict:
        """Check the history against what is expected, of whatever model; raises what it finds."""

    def check_after(self, error: DeadlineExceeded | Died, expectation: Expectation) -> NoReturn:
        """Explain a missed deadline by the history: raises what went wrong for certain."""

    def act(self, service: str, instance: str, action: Action) -> Any:
        """Have the run break or heal one instance of the scenario's own cluster."""

    def demand(self, service: str, doing: str) -> None:
        """Call before anything destructive."""
