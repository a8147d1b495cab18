"""What the steps of one scenario work with; `context.session`.

It knows no service and no system: steps, fixtures, systems and faults know it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NoReturn, ParamSpec, Protocol, TypeVar

from stackproof import figures, guard, history, masking, names
from stackproof.actions import Action
from stackproof.errors import PremiseNotMet, Trouble, and_then, explained, step_missing
from stackproof.polling import DeadlineExceeded, Died
from stackproof.processes.run import Run
from stackproof.reporting.evidence import Attachment
from stackproof.services.base import Endpoint
from stackproof.settings import Settings

if TYPE_CHECKING:
    from stackproof.history import Expectation, Flow, FlowVerdict, Verdict

T = TypeVar("T")
P = ParamSpec("P")
V = TypeVar("V", bound="Verdict")


@dataclass(frozen=True)
class Kept(Generic[T]):
    """Something that a step leaves to later ones; see `ScenarioSession.keep`.

    Attributes:
        what: what it is, for people.
        before: a step that leaves it, in the words of features.
    """

    what: str
    before: str


class ScenarioSession:
    """One scenario: its names, endpoints, history and evidence; `context.session` in steps.

    Attributes:
        id: unique within the run.
        settings: the run's settings.
        directory: for files of this scenario alone; gone after the run.
        history: what its clients did.
        parameters: shown in the report.
        figures: measured values, shown in the report.
    """

    def __init__(
        self,
        *,
        scenario_id: str,
        name: str,
        settings: Settings,
        seed: int,
        run: Run,
        reports: Path,
        endpoints: Mapping[str, Endpoint],
        call: Callable[..., Any],
        trouble: Exception | None = None,
    ):
        self.id = scenario_id
        self.settings = settings
        self.seed = seed
        self.run = run
        self.directory = self.run.directory / "scenarios" / scenario_id
        self.directory.mkdir(parents=True, exist_ok=True)
        self._evidence_directory = reports / "evidence" / scenario_id
        self._endpoints = endpoints
        for endpoint in endpoints.values():
            endpoint.access.hide_secrets()
        self._call = call
        self._trouble = trouble
        self._cleanups: list[Callable[[], None]] = []
        self._attachments: list[Attachment] = []
        self._verdicts: list[Verdict] = []
        self._kept: dict[Kept[Any], Any] = {}
        self._used: dict[object, Any] = {}
        self.parameters: dict[str, str] = {}
        self.figures: dict[str, str] = {}
        providers = sorted({e.provider for e in endpoints.values()})
        self.history = history.History(
            name, scenario=scenario_id, provider=", ".join(providers), prefix=self.own("")
        )

    # -- life cycle ----------------------------------------------------------
    def begin(self) -> None:
        """Called before the first step.

        Raises:
            Trouble: what the scenario needs could not be had.
        """
        if self._trouble is not None:
            raise self._trouble

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        """Register what must be done at the end, before the thing to clean can exist."""
        self._cleanups.append(cleanup)

    def end(self) -> None:
        """Called after the last step: every cleanup is done; the first error is raised."""
        first: BaseException | None = None
        while self._cleanups:
            try:
                self._cleanups.pop()()
            except BaseException as error:
                error = explained(error) or error
                if first is None:
                    first = error
                else:
                    and_then(first, error)
        if first is not None:
            raise first

    # -- names and endpoints -------------------------------------------------
    def own(self, name: str) -> str:
        """The scenario's own name for what its text calls ``name``.

        Scenarios running side by side, or after each other on a kept stack, never meet.
        """
        return names.own(self.settings["run.prefix"], self.run.id, self.id, name)

    def has(self, service: str) -> bool:
        """Whether a step has declared that it needs this service."""
        return service in self._endpoints

    def endpoint(self, service: str) -> Endpoint:
        """How to reach the scenario's cluster of a service.

        Raises:
            Trouble: no step of the scenario declared that it needs the service.
        """
        if self._trouble is not None:
            raise self._trouble
        if service not in self._endpoints:
            raise Trouble(
                f"no {service} was started for this scenario",
                "none of its steps declares that it needs one",
                f'put @needs("{service}") on the step that uses it',
            )
        return self._endpoints[service]

    def demand(self, service: str, doing: str) -> None:
        """Call before anything destructive; see `stackproof.guard.demand`.

        Raises:
            Refused: the suite did not start what is there, and nobody has allowed it by name.
        """
        guard.demand(self.endpoint(service), doing)

    def scaled(self, seconds: float) -> float:
        """A time limit on this machine: multiplied by the one factor for slow machines."""
        return seconds * self.settings["run.time_factor"]

    def act(self, service: str, instance: str, action: Action) -> Any:
        """Have the run break or heal one instance of the scenario's own cluster.

        Args:
            service: its name.
            instance: which one.
            action: what is done; see `stackproof.actions`.

        Raises:
            NotSupported: this provider, this machine or this cluster cannot do it.
        """
        cluster = self.endpoint(service).cluster
        return self._call("act", cluster=cluster, instance=instance, action=action)

    def death(self, service: str) -> str | None:
        """None while all instances run that should of the scenario's own cluster, else which died.

        Args:
            service: its name.
        """
        return self._call("death", cluster=self.endpoint(service).cluster)

    def leaves_traces(self, service: str, what: str) -> None:
        """Say that the scenario's own cluster must not be handed on to another scenario.

        Call before anything is done that no look at the servers may find afterwards, e.g. a
        server loses what it has acknowledged.

        Args:
            service: its name.
            what: in words; completes "it is thrown away without a look: ...".
        """
        cluster = self.endpoint(service).cluster
        self._call("leaves traces", cluster=cluster, what=what)

    # -- what steps work with, and what they leave to later ones -------------
    def use(
        self,
        fixture: Callable[Concatenate[ScenarioSession, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """What steps share, made at the first call: ``session.use(KafkaFixture)``.

        Args:
            fixture: a class; it gets the session first.
            arguments: further ones; with others it is another one.
            named: the same.
        """
        key = fixture, arguments, tuple(sorted(named.items()))
        if key not in self._used:
            self._used[key] = fixture(self, *arguments, **named)
        return self._used[key]

    def keep(self, slot: Kept[T], value: T) -> T:
        """Keep something for later steps; see `kept`."""
        self._kept[slot] = value
        return value

    def kept(self, slot: Kept[T]) -> T:
        """What an earlier step has kept.

        Raises:
            PremiseNotMet: no step has.
        """
        if slot not in self._kept:
            raise step_missing(slot.what, slot.before)
        return self._kept[slot]

    # -- checking ------------------------------------------------------------
    def assert_flow(self, flow: Flow) -> FlowVerdict:
        """Check the history against ``flow``; errors as `assert_history`."""
        return self._demand(flow, history.check_flow(self.history, flow))

    def assert_history(self, expectation: Expectation) -> Verdict:
        """Check the history against what is expected, of whatever model.

        Raises:
            AssertionError: anomalies were found; the message counts them and shows a
                counterexample of each.
            PremiseNotMet: the history proves nothing (`Verdict.inconclusive`).
        """
        return self._demand(expectation, history.check(self.history, expectation))

    def forbid(self, expectation: Expectation, *, unless: frozenset[str] = frozenset()) -> None:
        """Raise what the history shows that the expectation forbids; it need not prove anything.

        Args:
            expectation: what must hold.
            unless: anomalies that tell of somebody else who acts there, too: then nothing is said,
                and nor is it where a key was given one value twice.

        Raises:
            AssertionError: as `assert_history`.
        """
        verdict = history.check(self.history, expectation)
        others = unless & {one.name for one in verdict.violations}
        if others or not history.tells_apart(self.history, expectation):
            return
        self.history.expect(expectation)
        if not verdict.ok:
            self._verdicts.append(verdict)
            raise AssertionError(verdict.brief())

    def _demand(self, expectation: Expectation, verdict: V) -> V:
        self.history.expect(expectation)
        self._verdicts.append(verdict)
        if not verdict.ok:
            raise AssertionError(verdict.brief())
        if not verdict.conclusive:
            raise PremiseNotMet(
                f"{expectation.name}: inconclusive, {verdict.inconclusive}",
                verdict.brief(),
                "nothing is said of the system; see what became of the workload and of the fault",
            )
        return verdict

    def check_after(self, error: DeadlineExceeded | Died, expectation: Expectation) -> NoReturn:
        """Explain a missed deadline by the history: raises what went wrong for certain.

        Args:
            error: the missed deadline; raised itself where nothing else is wrong.
            expectation: what was awaited; its `settled` says whether what is missing is lost.

        Raises:
            AssertionError: the anomalies, if they are certain.
            DeadlineExceeded, Died: as given, and what was not there.
        """
        self.history.expect(expectation)
        verdict = history.check(self.history, expectation)
        self._verdicts.append(verdict)
        certain = {one.name for one in verdict.violations} - {"outstanding"}
        if certain and not isinstance(error, Died):
            raise AssertionError(
                f"{verdict.brief()}\n\nThis is what was there when it {error}"
            ) from error
        if not verdict.ok:  # whatever is missing, this is why
            error.args = (f"{error}\n\n{verdict.brief()}",)
        raise error

    # -- evidence ------------------------------------------------------------
    def attach(self, name: str, text: str, mime: str = "text/plain") -> None:
        """Add a text to the report."""
        self._attachments.append(Attachment(name, mime, text=text))

    def attach_file(self, name: str, content: bytes, mime: str) -> None:
        """Add a file to the report."""
        self._evidence_directory.mkdir(parents=True, exist_ok=True)
        file = self._evidence_directory / name
        file.write_bytes(content)
        self._attachments.append(Attachment(name, mime, path=file))

    def figure(self, name: str, value: str) -> None:
        """Report a measured value, unit included."""
        self.figures[name] = value

    def keep_figure(self, name: str, value: float, unit: str, **labels: str) -> None:
        """Keep a measured value beyond the run (`stackproof figures`), by provider and labels.

        Raises:
            Trouble: the store of figures cannot be written.
        """
        labels = {"stack": str(self.history.meta["provider"]), **labels}
        figures.keep(
            self.settings.figures_file, name, value, unit=unit, labels=labels,
            run=self.run.id, scenario=self.id,
        )  # fmt: skip

    def evidence(self, *, failed: bool) -> list[Attachment]:
        """Everything the report shall show; pictures and logs only of failures."""
        found = list(self._attachments)
        snapshot = self.history.snapshot()
        if not snapshot.recorded:
            return found
        self._evidence_directory.mkdir(parents=True, exist_ok=True)
        file = self._evidence_directory / "history.npz"
        history.save(self.history, file, clean=masking.mask)
        found.append(Attachment("history (stackproof check)", "application/zip", path=file))
        if failed:
            found += self._pictures()
        return found

    def _counterexamples(self) -> list[Attachment]:
        found = {v.explain(): v.headline() for v in self._verdicts if not v.ok}
        attachments = []
        for number, (text, headline) in enumerate(found.items(), start=1):
            file = self._evidence_directory / f"counterexamples-{number}.txt"
            file.write_text(masking.mask(text), encoding="utf-8", errors="backslashreplace")
            name = f"counterexamples: {_plain(headline)}"
            attachments.append(Attachment(name, "text/plain", path=file))
        return attachments

    def _pictures(self) -> list[Attachment]:
        marked: dict[str, str] = {}
        moments: frozenset[float] = frozenset()
        for verdict in self._verdicts:
            marked |= verdict.idents
            moments |= verdict.moments
        found = self._counterexamples()
        try:
            from stackproof.reporting.timeline import render_timeline

            picture = render_timeline(
                self.history,
                self._evidence_directory / "timeline.png",
                title=self.history.name,
                expectations=[verdict.expectation for verdict in self._verdicts],
                highlight=marked,
                moments=moments,
            )
        except Exception as error:  # the picture must never decide over the verdict
            return [*found, Attachment("timeline missing", "text/plain", text=repr(error))]
        return [Attachment("timeline", "image/png", path=picture), *found]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:100]


# -- what behave hands to steps -----------------------------------------------
class Row(Protocol):
    """A row of a table: its cells by the column's heading."""

    def __getitem__(self, heading: str) -> str: ...


class Table(Protocol):
    """The table below a step."""

    headings: Sequence[str]

    def __iter__(self) -> Iterator[Row]: ...


class Context(Protocol):
    """behave's context, as far as steps use it.

    Attributes:
        table: below the step; None where there is none.
        text: the doc string below the step; None where there is none.
        feature: its ``filename`` says where files begin that features name.
    """

    session: ScenarioSession
    table: Table | None
    text: str | None
    feature: Any
