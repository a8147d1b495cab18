"""A user without a home directory, as containers have that run with some user ID."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_UNKNOWN = """import pwd
def unknown(_):
    raise KeyError
pwd.getpwuid = unknown
"""
_FEATURE = "Feature: F\n  Scenario: S\n    Given nothing\n"
_STEPS = 'from behave import given\n\n\n@given("nothing")\ndef nothing(context):\n    pass\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "unknown/sitecustomize.py": _UNKNOWN, "features/f.feature": _FEATURE,
        "features/steps/s.py": _STEPS, "stackproof.toml": "",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def stackproof(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    left_out = ("HOME", "STACK", "XDG_")
    own = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    env = {**own, "PYTHONPATH": f"{project / 'unknown'}{os.pathsep}{ROOT}", "STACK": "native",
           "STACKPROOF_RUNS": str(project)}  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "stackproof", *words], cwd=project, env=env,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def test_a_project_without_services_runs(project: Path) -> None:
    done = stackproof(project, "run", "features", "--no-report")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("words", [("doctor",), ("up", "redis"), ("report", "--output", "x")])
def test_others_say_which_variable_to_set(project: Path, words: tuple[str, ...]) -> None:
    (project / "reports" / "allure-results").mkdir(parents=True)
    (project / "reports" / "allure-results" / "a-result.json").write_text("{}")
    done = stackproof(project, *words)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "set STACKPROOF_CACHE to a folder that may be written, or HOME" in said
