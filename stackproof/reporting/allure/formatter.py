"""Allure results from behave's events, true to what happened.

The stock formatter judges a scenario by its steps alone. This one reports failing hooks
and cleanups, scenarios under ``Rule:``, scenarios that never began, and keeps history IDs
apart. Facts about Allure 3 that shaped it: it ignores ``historyId`` and computes its own
from ``testCaseId`` and the parameters that are not ``excluded``, so rows and providers must
be such parameters and settings must not; attachments stand below the steps, in the order
given.
"""

from __future__ import annotations

import platform
import time
import uuid
from pathlib import Path
from typing import Any

import attr
from allure_commons import model2

from stackproof import masking
from stackproof.reporting.allure.description import Description
from stackproof.reporting.allure.files import ResultsDirectory
from stackproof.reporting.categories import CATEGORY_LABEL, write_environment, write_executor
from stackproof.reporting.evidence import Attachment, ScenarioProof, proof_of
from stackproof.reporting.lifecycle import ScenarioFormatter
from stackproof.reporting.naming import Catalogue, Identity
from stackproof.reporting.outcome import Outcome, captured_output, step_outcome

DEFAULT_DIRECTORY = "reports/allure-results"
#: ``-D requirement_url=https://tracker/{}`` links requirement tags.
URL_OPTION = "requirement_url"
_STATUS = {
    "passed": model2.Status.PASSED,
    "failed": model2.Status.FAILED,
    "broken": model2.Status.BROKEN,
    "skipped": model2.Status.SKIPPED,
    "refused": model2.Status.SKIPPED,
    "not supported": model2.Status.SKIPPED,
    "machine busy": model2.Status.SKIPPED,
    "unknown": model2.Status.UNKNOWN,
}


#: Allure 3 reads these two as well, and shows their difference.
_Details: Any = attr.make_class(
    "_Details",
    {"expected": attr.ib(default=None), "actual": attr.ib(default=None)},
    bases=(model2.StatusDetails,),
)


class AllureFormatter(ScenarioFormatter):
    """Writes Allure results; the output (``-o``) is a directory."""

    name = "allure"
    description = "Allure results, hooks and rules included"

    def __init__(self, stream_opener: Any, config: Any):
        super().__init__(stream_opener, config)
        clean = config.userdata.getbool("allure_clean", True)
        self.results = ResultsDirectory(Path(stream_opener.name or DEFAULT_DIRECTORY), clean=clean)
        self._catalogue = Catalogue(config.base_dir)
        self._url = config.userdata.get(URL_OPTION, "")
        self._provider = config.userdata.get("provider", "")

    def on_scenario(self, scenario: Any, outcome: Outcome) -> None:
        """Writes the scenario's result."""
        identity = self._catalogue.identity(scenario)
        proof = proof_of(scenario)
        result = self._result(identity, proof, outcome)
        start, stop = self.times(scenario)
        result.start, result.stop = _milliseconds(start), _milliseconds(stop)
        described = Description(scenario, identity)
        result.description = described.markdown
        result.descriptionHtml = described.html(proof.attachments)
        result.steps = self._steps(scenario, proof, outcome)
        result.attachments = self._evidence(scenario, proof, outcome)
        result.links = self._links(identity)
        if proof.known_issue is not None:
            url = proof.known_issue.issue
            result.links.append(model2.Link(type="issue", url=url, name=url))
        scenario.allure_uuid = result.uuid  # for links into the report
        self.results.write_result(result)
        self.results.complain()

    def on_container_error(self, container: Any, message: str) -> None:
        """A late hook error of a feature or rule gets a result of its own: it must be seen."""
        rule = container if container.type == "rule" else None
        feature = container.parent if rule else container
        name = f"Hooks of the {container.type} {container.name!r}"
        identity = Identity(
            path=self._catalogue.path(feature),
            area=self._catalogue.area(feature),
            feature=feature.name,
            rule=rule.name if rule else "",
            name=name,
            template=name,
        )
        result = self._result(identity, ScenarioProof(), Outcome("broken", "suite", message))
        result.start = result.stop = _milliseconds(time.time())
        self.results.write_result(result)
        self.results.complain()

    def _result(
        self, identity: Identity, proof: ScenarioProof, outcome: Outcome
    ) -> model2.TestResult:
        provider = proof.provider or self._provider
        places = (identity.area, identity.feature, identity.rule)
        return model2.TestResult(
            uuid=str(uuid.uuid4()),
            name=identity.name,
            fullName=identity.full_name,
            testCaseId=identity.test_case_id,
            historyId=identity.history_id(provider),
            titlePath=[place for place in places if place],
            status=_STATUS[outcome.verdict],
            statusDetails=_known(proof, _details(outcome)),
            stage="finished",
            parameters=_parameters(identity, proof, provider),
            labels=_labels(identity, proof, outcome),
        )

    def report_run_error(self, message: str, trace: str = "") -> None:
        """An error of the run as a whole (``after_all``, the end of the stack)."""
        error = model2.GlobalError(
            message=message,
            trace=trace,
            timestamp=_milliseconds(time.time()),
        )
        self.results.write_globals(model2.Globals(errors=[error]))

    def on_close(self) -> None:
        """Says on what the run took place, unless the runner has said it better."""
        if self.config.dry_run:
            return
        self.results.guard(write_executor, self.results.path)
        if not (self.results.path / "environment.properties").exists():
            told = {"provider": self._provider} if self._provider else {}
            self.results.guard(write_environment, self.results.path, told)
        self.results.complain()

    def _steps(
        self, scenario: Any, proof: ScenarioProof, outcome: Outcome
    ) -> list[model2.TestStepResult]:
        steps = []
        ended, _ = self.times(scenario)
        for index, (step, times) in enumerate(
            zip(scenario.all_steps, self.step_times(scenario), strict=True)
        ):
            # One that did not run has no times; at its turn it took none.
            start, ended = times or (ended, ended)
            own = step_outcome(step)
            attachments = self._arguments(step)
            attachments += [
                self.results.attach(item) for item in _ranked(proof.attachments, step=index)
            ]
            if index == outcome.step:
                own = outcome  # the runner knows more than behave's model
            steps.append(
                model2.TestStepResult(
                    name=f"{step.keyword} {step.name}",
                    status=_STATUS[own.verdict],
                    statusDetails=_of_step(own),
                    stage="finished" if times else "pending",
                    attachments=attachments,
                    start=_milliseconds(start),
                    stop=_milliseconds(ended),
                )
            )
        return steps

    def _arguments(self, step: Any) -> list[model2.Attachment]:
        """The step's table and text, as its author wrote them."""
        attachments = []
        if step.table is not None:
            rows = [list(step.table.headings), *([*row.cells] for row in step.table)]
            attachments.append(self.results.attach_table("table", rows))
        if step.text:
            kind = getattr(step.text, "content_type", "text/plain")
            mime = "application/json" if "json" in kind else "text/plain"
            attachments.append(self.results.attach_text("text", str(step.text), mime))
        return attachments

    def _evidence(
        self, scenario: Any, proof: ScenarioProof, outcome: Outcome
    ) -> list[model2.Attachment]:
        attachments = [self.results.attach(item) for item in _ranked(proof.attachments, step=None)]
        captured = "" if outcome.verdict == "passed" else captured_output(scenario)
        if captured:
            attachments.append(self.results.attach_text("captured output", captured))
        return attachments

    def _links(self, identity: Identity) -> list[model2.Link]:
        if not self._url:
            return []
        return [
            model2.Link(type="tms", url=self._url.replace("{}", requirement), name=requirement)
            for requirement in identity.requirements
        ]


def _details(outcome: Outcome) -> _Details | None:
    if outcome.verdict == "passed":
        return None
    message = outcome.message
    if outcome.verdict in ("refused", "not supported", "machine busy"):
        message = f"{outcome.verdict.capitalize()}: {message}"
    return _Details(
        message=message,
        trace=outcome.trace or None,
        expected=outcome.expected or None,
        actual=outcome.actual or None,
    )


def _of_step(outcome: Outcome) -> _Details | None:
    """One line of a step's end: the whole stands at the scenario, once."""
    return _Details(message=outcome.headline) if outcome.message else None


def _known(proof: ScenarioProof, details: _Details | None) -> _Details | None:
    """Says of a scenario that it is quarantined, or that it has not passed at first."""
    told = [proof.known] * bool(proof.known)
    told += [f"{e['verdict']} before, in run {e['run']}: {e['reason']}" for e in proof.earlier]
    if not told:
        return details
    details = details or _Details()
    details.message = "\n".join([*([details.message] if details.message else []), *told])
    details.known = proof.tolerated
    details.flaky = bool(proof.earlier) and proof.verdict == "passed"
    return details


def _labels(identity: Identity, proof: ScenarioProof, outcome: Outcome) -> list[model2.Label]:
    pairs = [
        ("epic", identity.area),
        ("feature", identity.feature),
        ("story", identity.rule),
        ("severity", identity.severity),
        ("suite", identity.suite),
        ("package", identity.package),
        ("host", platform.node()),
        ("thread", proof.worker or "main"),
        ("framework", "behave"),
        ("language", "python"),
        (CATEGORY_LABEL, "known issue" if proof.tolerated else outcome.category),
        ("tag", "quarantined" if proof.known_issue else ""),
        ("tag", "run again" if proof.earlier else ""),
        *(("requirement", requirement) for requirement in identity.requirements),
        *(("tag", tag) for tag in identity.tags),
    ]
    return [model2.Label(name, value) for name, value in pairs if value]


def _parameters(identity: Identity, proof: ScenarioProof, provider: str) -> list[model2.Parameter]:
    own = [model2.Parameter(name, value) for name, value in identity.identifying.items()]
    if provider:
        own.append(model2.Parameter("provider", provider))
    told = {**masking.mask_mapping(proof.parameters), **masking.mask_mapping(proof.figures)}
    return own + [model2.Parameter(name, value, excluded=True) for name, value in told.items()]


def _ranked(attachments: list[Attachment], *, step: int | None) -> list[Attachment]:
    return sorted((item for item in attachments if item.step == step), key=lambda item: item.rank)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
