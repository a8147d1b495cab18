"""JUnit XML for CI systems, one file for the run.

behave's own JUnit reporter is not used: it reports scenarios kept from running by a failing
``before_all``, ``before_feature`` or ``before_rule`` as skipped, feature hooks and cleanups
that fail late as nothing at all or without a message, and writes files that are not XML
when a message holds a control character.

The structure follows the schema that Jenkins' xUnit plugin enforces: properties stand at
the suite, a test case holds only its verdict and its output.
"""

from __future__ import annotations

import platform
import re
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackproof import masking
from stackproof.errors import Trouble, legible, reason_of
from stackproof.reporting.evidence import proof_of
from stackproof.reporting.lifecycle import ScenarioFormatter
from stackproof.reporting.naming import Catalogue, Identity
from stackproof.reporting.outcome import Outcome, captured_output

DEFAULT_FILE = "reports/junit/stackproof.xml"
_LONGEST_OUTPUT = 20_000
_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Element and counter of each verdict; passed scenarios have neither.
_ELEMENTS = {
    "failed": ("failure", "failures"),
    "broken": ("error", "errors"),
    "unknown": ("error", "errors"),
    "skipped": ("skipped", "skipped"),
    "refused": ("skipped", "skipped"),
    "not supported": ("skipped", "skipped"),
    "machine busy": ("skipped", "skipped"),
}


@dataclass
class _Suite:
    """One feature on its way to a ``testsuite``."""

    path: str
    name: str
    started: float
    duration: float = 0.0
    cases: list[ET.Element] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    properties: dict[tuple[str, str], None] = field(default_factory=dict)
    names: Counter[tuple[str, str]] = field(default_factory=Counter)


class JUnitFormatter(ScenarioFormatter):
    """Writes JUnit XML when the run is over; the output (``-o``) is the file or its folder."""

    name = "junit"
    description = "JUnit XML in one file, hooks and rules included"

    def __init__(self, stream_opener: Any, config: Any):
        super().__init__(stream_opener, config)
        self.path = Path(stream_opener.name or DEFAULT_FILE)
        if self.path.is_dir():
            self.path /= Path(DEFAULT_FILE).name
        self._catalogue = Catalogue(config.base_dir)
        self._suites: dict[int, _Suite] = {}

    def on_scenario(self, scenario: Any, outcome: Outcome) -> None:
        """Adds a test case."""
        identity = self._catalogue.identity(scenario)
        start, stop = self.times(scenario)
        suite = self._suite(scenario.feature, start)
        proof = proof_of(scenario)
        for requirement in identity.requirements:
            suite.properties["requirement", requirement] = None
        if proof.provider:
            suite.properties["provider", proof.provider] = None
        case = self._case(suite, identity.package, identity.rule, identity.name, stop - start)
        self._judge(suite, case, outcome, proof.known if proof.tolerated else "")
        _add(case, "system-out", _evidence(scenario, identity, self.step_times(scenario)))
        if outcome.verdict != "passed" and (captured := captured_output(scenario)):
            _add(case, "system-err", captured)

    def on_container_error(self, container: Any, message: str) -> None:
        """A late hook error is a test case of its own, so that no suite is green with it."""
        rule = container.name if container.type == "rule" else ""
        feature = container.parent if rule else container
        suite = self._suite(feature, time.time())
        package = Identity(self._catalogue.path(feature), "", "", "", "", "").package
        name = f"Hooks of the {container.type} {container.name!r}"
        case = self._case(suite, package, rule, name, 0.0)
        self._judge(suite, case, Outcome("broken", "suite", message))

    def on_close(self) -> None:
        """Writes the file, complete or not at all."""
        if self.config.dry_run:
            return
        try:
            self._write()
        except OSError as error:
            raise Trouble(
                "the JUnit XML was not written",
                reason_of(error, self.path),
                "the verdicts stand; make room or choose another place by STACKPROOF_REPORTS",
            ) from error

    def _write(self) -> None:
        root = ET.Element("testsuites", name="stackproof")
        totals: Counter[str] = Counter()
        for suite in self._suites.values():
            root.append(_suite_element(suite))
            totals += suite.counts
        for name in ("tests", "failures", "errors"):
            root.set(name, str(totals[name]))
        root.set("time", _seconds(sum(suite.duration for suite in self._suites.values())))
        ET.indent(root, " ")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(f".{self.path.name}.new")
        try:
            ET.ElementTree(root).write(unfinished, encoding="utf-8", xml_declaration=True)
            unfinished.replace(self.path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _suite(self, feature: Any, start: float) -> _Suite:
        if id(feature) not in self._suites:
            path = self._catalogue.path(feature)
            self._suites[id(feature)] = _Suite(f"features/{path}", feature.name, start)
        return self._suites[id(feature)]

    def _case(
        self, suite: _Suite, package: str, rule: str, name: str, duration: float
    ) -> ET.Element:
        # Jenkins takes all before the last dot for a package.
        classname = f"{package}.{rule.replace('.', ' ')}" if rule else package
        suite.names[classname, name] += 1
        nth = suite.names[classname, name]
        suite.counts["tests"] += 1
        suite.duration += duration
        case = ET.Element(
            "testcase",
            name=_safe(name if nth == 1 else f"{name} (#{nth})"),
            classname=_safe(classname),
            time=_seconds(duration),
        )
        suite.cases.append(case)
        return case

    @staticmethod
    def _judge(suite: _Suite, case: ET.Element, outcome: Outcome, tolerated: str = "") -> None:
        if outcome.verdict == "passed":
            return
        # JUnit knows no known issue; a failure would turn CI red, and a pass it is not.
        tag, counter = _ELEMENTS["skipped" if tolerated else outcome.verdict]
        suite.counts[counter] += 1
        verdict = _add(case, tag, "\n\n".join(filter(None, (outcome.message, outcome.trace))))
        prefix = "" if outcome.verdict in ("failed", "broken", "skipped") else outcome.verdict
        verdict.set(
            "message", _safe(": ".join(filter(None, (tolerated, prefix, outcome.headline))))
        )
        verdict.set("type", "quarantined" if tolerated else outcome.category or outcome.verdict)


def _suite_element(suite: _Suite) -> ET.Element:
    attributes = {
        "name": _safe(suite.name),
        "file": _safe(suite.path),
        "timestamp": datetime.fromtimestamp(suite.started, UTC).isoformat(timespec="seconds"),
        "hostname": _safe(platform.node()),
        "time": _seconds(suite.duration),
    }
    counts = {name: str(suite.counts[name]) for name in ("tests", "failures", "errors", "skipped")}
    element = ET.Element("testsuite", {**attributes, **counts})
    properties = ET.SubElement(element, "properties")
    for name, value in suite.properties:
        ET.SubElement(properties, "property", name=name, value=_safe(value))
    element.extend(suite.cases)
    return element


def _evidence(scenario: Any, identity: Identity, times: list[tuple[float, float] | None]) -> str:
    """What happened in a few lines: requirements, steps, settings, figures, files."""
    proof = proof_of(scenario)
    lines = [f"features/{identity.path}:{scenario.line}"]
    lines += [proof.known] * bool(proof.known)
    if identity.requirements:
        lines.append(f"requirements: {', '.join(identity.requirements)}")
    for title, values in (("settings", proof.parameters), ("figures", proof.figures)):
        told = masking.mask_mapping(values)
        lines += [f"{title}: {', '.join(f'{k} = {v}' for k, v in told.items())}"] * bool(told)
    for step, ran in zip(scenario.all_steps, times, strict=True):
        took = f" in {ran[1] - ran[0]:.3f} s" if ran else ""
        lines.append(f"{step.keyword} {step.name} ... {step.status.name}{took}")
    # The form in which Jenkins and GitLab look for attachments.
    paths = [item.path for item in proof.attachments if item.path is not None]
    lines += [f"[[ATTACHMENT|{path}]]" for path in paths]
    return "\n".join(lines)


def _add(parent: ET.Element, tag: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, tag)
    text = _safe(text)
    if len(text) > _LONGEST_OUTPUT:
        text = f"{text[:_LONGEST_OUTPUT]}\n... ({len(text) - _LONGEST_OUTPUT} more characters)"
    child.text = text
    return child


def _safe(text: str) -> str:
    """Masked, and nothing in it that XML 1.0 cannot hold."""
    text = legible(masking.mask(text))
    return _ILLEGAL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _seconds(duration: float) -> str:
    return f"{duration:.3f}"
