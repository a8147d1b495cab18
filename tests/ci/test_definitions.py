"""The CI definitions are as their schemas say, and each check sees what is broken."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

CI = Path(__file__).resolve().parents[2] / "ci"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_check", CI / "check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_fine(check: ModuleType) -> None:
    assert list(check.findings(CI)) == []


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("github-actions.yml", "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04"),
        ("github-actions.yml", "timeout-minutes: 60", "timeout-minutes: soon"),
        ("github-actions.yml", "actions/checkout@v4.2.2", "actions/checkout@v4"),
        ("github-actions.yml", "actions/cache@v4.2.0", "actions/cache@main"),
        ("github-actions.yml", "make merge", "make marge"),
        ("buildspec.yml", "make compatibility", "true"),
        ("gitlab-ci.yml", "when: always\n    expire", "when: sometimes\n    expire"),
        ("gitlab-ci.yml", "  stage: verdict\n", "  stage: verdict\n  timeouts: 3h\n"),
        ("gitlab-ci.yml", "python:3.11.11-bookworm", "python:latest"),
        ("gitlab-ci.yml", "parallel: 3", "parallel: many"),
        ("azure-pipelines.yml", "timeoutInMinutes:", "timeoutMinutes:"),
        ("azure-pipelines.yml", "- job: verdict", "- jobs: verdict"),
        ("azure-pipelines.yml", "make acceptance", "make acceptence"),
        ("buildspec.yml", "post_build:", "postbuild:"),
        ("buildspec.yml", "JUNITXML", "JUNIT"),
        ("buildspec.yml", "version: 0.2", "version: 0.3"),
        ("Jenkinsfile", "make merge", "make merger"),
        ("github-actions.yml", "'requirements*.txt'", "'requirements*.lock'"),
        ("github-actions.yml", "stackproof/services/**", "stackproof/service/**"),
        ("gitlab-ci.yml", "services/kafka/__init__.py", "services/kafka.py"),
        ("azure-pipelines.yml", "stackproof/services/**", "stackproof/services/kafka.py"),
    ],
)  # fmt: skip
def test_each_check_sees_what_is_broken(
    check: ModuleType, tmp_path: Path, name: str, before: str, after: str
) -> None:
    text = (CI / name).read_text()
    assert before in text
    (tmp_path / name).write_text(text.replace(before, after, 1))
    found = list(check.findings(tmp_path, [name]))
    assert len(found) == 1, found
    assert found[0].startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml", "Jenkinsfile",
                                  "azure-pipelines.yml", "buildspec.yml"])  # fmt: skip
def test_each_runs_the_readmes_command_and_keeps_reports_of_failures(name: str) -> None:
    text = (CI / name).read_text()
    assert "make acceptance SUITE=" in text
    assert "STACKPROOF_CACHE" in text
    assert "timeout" in text.lower()
    for kept in ("allure-report", "junit" if name != "github-actions.yml" else "reports-merged"):
        assert kept in text.lower()
    assert any(
        word in text for word in ("!cancelled()", "always", "succeededOrFailed()", "post_build")
    )
