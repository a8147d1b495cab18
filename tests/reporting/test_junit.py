"""JUnit XML: valid whatever a message holds, and true where behave's own is not."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from behave.formatter.base import StreamOpener
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.errors import Trouble
from stackproof.reporting.evidence import Attachment, ScenarioProof
from stackproof.reporting.junit import JUnitFormatter
from tests.reporting.conftest import end_scenario, make_config, parse, replay, run_behave
from tests.reporting.test_allure_faults import (
    AFTER_FEATURE,
    BEFORE_FEATURE,
    BROKEN,
    HOOKS,
    SCENARIOS,
    TWO,
)

FORMATTER = "stackproof.reporting.junit:JUnitFormatter"
#: What junit-10.xsd of Jenkins' xUnit plugin allows, element by element.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp"}
    | {"hostname", "id", "package", "file", "log", "url", "group"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
    "system-err": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "properties": {"property"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
}
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors"},
    "property": {"name", "value"},
    "testcase": {"name"},
}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def check_schema(element: ET.Element) -> None:
    assert set(element.attrib) <= ATTRIBUTES[element.tag], element.tag
    assert REQUIRED.get(element.tag, set()) <= set(element.attrib)
    if element.tag in ("testsuite", "testsuites"):
        assert TIME.fullmatch(element.get("time", ""))
    for child in element:
        assert child.tag in CHILDREN.get(element.tag, set()), f"{child.tag} in {element.tag}"
        check_schema(child)


def read(path: Path) -> ET.Element:
    root = ET.parse(path).getroot()
    check_schema(root)
    return root


def cases(root: ET.Element) -> dict[str, ET.Element]:
    return {str(case.get("name")): case for case in root.iter("testcase")}


def verdict(case: ET.Element) -> ET.Element | None:
    return next((e for e in case if e.tag in ("failure", "error", "skipped")), None)


@pytest.fixture(scope="module")
def root(project: Path) -> ET.Element:
    features = {
        "messaging/scenarios.feature": SCENARIOS,
        "messaging/before.feature": BEFORE_FEATURE,
        "messaging/after.feature": AFTER_FEATURE,
    }
    run = run_behave(
        project,
        features,
        "--tags=not @slow",
        environment=HOOKS,
        formatter=FORMATTER,
        output="reports/junit/stackproof.xml",
    )
    assert run.returncode == 1
    return read(project / "reports/junit/stackproof.xml")


@pytest.mark.parametrize(("name", "reason"), BROKEN.items())
def test_what_broke_is_an_error_with_its_reason(root: ET.Element, name: str, reason: str):
    found = verdict(cases(root)[name])
    assert found is not None
    assert found.tag == "error"
    assert reason in str(found.text)
    assert reason.split(":")[-1].strip() in str(found.get("message"))


def test_failures_skips_and_passes(root: ET.Element):
    found = {name: verdict(case) for name, case in cases(root).items()}
    failure = found["assertion"]
    assert failure is not None
    assert failure.tag == "failure"
    assert failure.get("message") == "predictions; Expected: <100>; but: was <93>"
    assert failure.get("type") == "product"
    assert found["passes"] is None
    assert found["under a rule"] is None
    for name, reason in {
        "skips itself": "the table is empty",
        "not possible": "not supported: no partitions",
        "refused": "refused: would stop a shared broker",
    }.items():
        skipped = found[name]
        assert skipped is not None
        assert (skipped.tag, skipped.get("message")) == ("skipped", reason)
    assert "deselected" not in found


def test_counts_add_up(root: ET.Element):
    for suite in root.iter("testsuite"):
        found = [verdict(case) for case in suite.iter("testcase")]
        tags = [element.tag for element in found if element is not None]
        assert int(suite.get("tests", "")) == len(found)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped",) * 2):
            assert int(suite.get(attribute, "")) == tags.count(tag)
    assert int(root.get("tests", "")) == len(cases(root))
    assert int(root.get("errors", "")) == len(BROKEN)


def test_a_failing_before_all_is_not_a_green_suite(tmp_path: Path):
    run_behave(
        tmp_path,
        TWO,
        environment="def before_all(context): raise RuntimeError('no broker')",
        formatter=FORMATTER,
        output="out.xml",
    )
    root = read(tmp_path / "out.xml")
    assert {str(verdict(case).tag) for case in root.iter("testcase")} == {"error"}  # type: ignore[union-attr]
    assert (root.get("tests"), root.get("errors")) == ("4", "4")


FEATURE = """
    Feature: Dead letters
      @PIPE-04 @PIPE-05
      Scenario: lost
        When it is sent
        Then it arrives
      @PIPE-04
      Scenario: lost
        When it is sent
      Rule: v1.2
        Scenario: kept
          When it is sent
"""


def write(folder: Path, error: str, **proof: object) -> ET.Element:
    formatter = JUnitFormatter(StreamOpener(str(folder / "out.xml")), make_config())
    feature = parse(FEATURE)
    for index, scenario in enumerate(feature.walk_scenarios()):
        end_scenario(scenario, failing=1 if index == 0 else None, error=error)
        scenario.proof = ScenarioProof(100.0, 103.5, **proof)  # type: ignore[arg-type]
        replay(formatter, scenario)
    formatter.close()
    return read(folder / "out.xml")


def test_requirements_evidence_and_times(tmp_path: Path):
    root = write(
        tmp_path,
        "7 lost",
        provider="native",
        figures={"lost": "7", "api_token": "two hunter22"},
        step_starts=[100.0, 101.0],
        attachments=[Attachment("log", "text/plain", path=Path("reports/kafka.log"))],
    )
    suite = root[0]
    properties = [(p.get("name"), p.get("value")) for p in suite.iter("property")]
    assert properties == [
        ("requirement", "PIPE-04"),
        ("requirement", "PIPE-05"),
        ("provider", "native"),
    ]
    first, second, kept = suite.iter("testcase")
    assert (first.get("classname"), first.get("name")) == ("messaging.demo", "lost")
    assert (second.get("classname"), second.get("name")) == ("messaging.demo", "lost (#2)")
    assert kept.get("classname") == "messaging.demo.v1 2"
    assert first.get("time") == "3.500"
    assert suite.get("time") == "10.500"
    assert suite.get("timestamp") == "1970-01-01T00:01:40+00:00"
    assert str(first.findtext("system-out")).splitlines() == [
        "features/messaging/demo.feature:4",
        "requirements: PIPE-04, PIPE-05",
        "figures: lost = 7, api_token = *****",
        "When it is sent ... passed in 0.250 s",
        "Then it arrives ... failed in 0.250 s",
        "[[ATTACHMENT|reports/kafka.log]]",
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.text(max_size=60) | st.sampled_from(["\x00\x1b[31mred\x1b[0m]]>", "\ud800", "\ufffe", "<&>"])
)
def test_any_message_makes_valid_xml(tmp_path_factory: pytest.TempPathFactory, text: str):
    root = write(tmp_path_factory.mktemp("xml"), f"first {text} last")
    assert len(cases(root)) == 3


def test_control_characters_stay_visible(tmp_path: Path):
    root = write(tmp_path, "a\x00b \x1b[31mred\x1b[0m ]]> <c> password=hunter22")
    failure = verdict(cases(root)["lost"])
    assert failure is not None
    assert failure.get("message") == r"a\x00b red ]]> <c> password=*****"


def test_a_folder_as_output_gets_the_file(tmp_path: Path):
    formatter = JUnitFormatter(StreamOpener(str(tmp_path)), make_config())
    formatter.close()
    assert [path.name for path in tmp_path.iterdir()] == ["stackproof.xml"]


def test_a_file_that_cannot_be_replaced_leaves_no_rest(tmp_path: Path):
    formatter = JUnitFormatter(StreamOpener(str(tmp_path / "out.xml")), make_config())
    (tmp_path / "out.xml").mkdir()
    with pytest.raises(Trouble, match="JUnit XML was not written"):
        formatter.close()
    assert [path.name for path in tmp_path.iterdir()] == ["out.xml"]
