"""Texts that no encoding has, terminals that show little, streams that take nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from stackproof.errors import Trouble, legible
from stackproof.texts import printable, streams, visible
from tests.session.conftest import Outcome, Project

HALF = "\ud83d"
BYTE = os.fsdecode(b"caf\xe9")


@pytest.fixture
def small(project: Project) -> Project:
    project.feature("a", "Feature: A\n  Scenario: one\n    Given it works\n")
    return project


def shell(project: Project, command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``stackproof run`` (as $RUN) in a shell, which can close streams."""
    run = f"{sys.executable} -m stackproof run --no-report"
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=project.root, env=project.environ(RUN=run, **env),
        capture_output=True, text=True, errors="surrogateescape", timeout=60, check=False,
    )  # fmt: skip


# -- lone surrogates -------------------------------------------------------------------
HALVES = {
    'assert False, "half \\ud83d"': "failed",
    'raise ValueError("half \\ud83d")': "broken",
    'raise OSError(2, "none", "caf\\udce9")': "broken",
    'from hamcrest import assert_that, equal_to; assert_that("half \\ud83d", equal_to("a"))':
        "failed",
    'raise Trouble("half \\ud83d", "caf\\udce9")': "broken",
    'context.session.figures["caf\\udce9"] = "half \\ud83d"; assert False, "plain"': "failed",
    'context.session.history.event("half \\ud83d", "caf\\udce9"); assert False, "plain"': "failed",
    'print("half \\ud83d"); sys.stderr.write("half \\ud83d"); assert False, "plain"': "failed",
    'import logging; logging.error("half \\ud83d"); assert False, "plain"': "failed",
}  # fmt: skip


@pytest.fixture(scope="module")
def halves(shared_project: Project) -> Outcome:
    """A run with a scenario for each of them, called by its number."""
    steps, feature = "", "Feature: A\n"
    for number, step in enumerate(HALVES):
        steps += f'@step("half a character {number}")\ndef half_{number}(context): {step}\n'
        feature += f"  Scenario: {number}\n    Given half a character {number}\n"
    shared_project.steps(steps)
    shared_project.feature("a", feature)
    return shared_project.run("-f", "plain", "-o", "plain.txt", "-f", "json", "-o", "all.json",
                              "-f", "stackproof")  # fmt: skip


def test_half_a_character_is_escaped_in_every_report(halves: Outcome) -> None:
    assert halves.code == 1, halves.text
    assert "Traceback" not in halves.err
    assert halves.results["suite_problems"] == []
    assert not list((halves.directory / "allure-results").glob("*.tmp"))
    cases = ET.parse(halves.directory / "junit" / "stackproof.xml").iter("testcase")
    (feature,) = json.loads((halves.directory.parent / "all.json").read_text(encoding="utf-8"))
    named = [str(number) for number, _ in enumerate(HALVES)]
    assert [case.get("name") for case in cases] == named
    assert [element["name"] for element in feature["elements"]] == named


@pytest.mark.parametrize(("number", "verdict"), list(enumerate(HALVES.values())), ids=[*HALVES])
def test_half_a_character_changes_no_verdict(halves: Outcome, number: int, verdict: str) -> None:
    name = str(number)
    assert halves.verdicts[name] == verdict, halves.text
    assert halves.allure[name]["status"] == verdict
    reason = halves.scenario(name)["reason"]
    assert reason == printable(reason)


def test_a_feature_whose_name_is_not_utf8(small: Project) -> None:
    (small.root / "features" / "a.feature").rename(small.root / "features" / f"{BYTE}.feature")
    planned = shell(small, "$RUN --plan")
    assert (planned.returncode, "caf\\udce9.feature" in planned.stdout) == (0, True)
    small.environment("def before_step(context, step): assert False\n")
    done = shell(small, "$RUN")
    assert (done.returncode, "caf\\udce9.feature" in done.stdout) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    again = shell(small, "$RUN --rerun-failed")
    assert "run again: 1" in again.stderr, again.stderr


def test_a_project_in_a_folder_whose_name_is_not_utf8(small: Project) -> None:
    inner = Project(small.root / BYTE)
    inner.feature("a", "Feature: A\n  Scenario: one\n    Given it fails\n")
    outcome = inner.run()
    assert (outcome.code, outcome.verdicts) == (1, {"one": "failed"}), outcome.text
    assert outcome.results["suite_problems"] == []


# -- encodings of terminals ------------------------------------------------------------
@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252:strict"},
        {"PYTHONIOENCODING": "utf-16"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONUNBUFFERED": "1"},
    ],
    ids=str,
)
def test_a_terminal_shows_what_it_can(small: Project, env: dict[str, str]) -> None:
    small.feature("a", """
        Feature: Größe
          Scenario: 数据 ✓
            Given it works 数据
            Then it fails
        """)  # fmt: skip
    strict = env == {"PYTHONIOENCODING": "cp1252:strict"}
    # The longest of what runs print; the shorter ones where least can be shown.
    ways = [("--plan", 0), ("--verbose", 1), *([("", 1), ("--random", 1)] if strict else [])]
    for arguments, code in ways:
        done = shell(small, f"$RUN {arguments}", **env)
        assert done.returncode == code, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stdout
    found = json.loads((small.root / "reports" / "results.json").read_text(encoding="utf-8"))
    assert [s["name"] for s in found["scenarios"]] == ["数据 ✓"]
    assert "数据" in (small.root / "reports/junit/stackproof.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("formatter", ["plain", "json", "progress3", "steps.usage"])
def test_files_of_formatters_do_not_depend_on_the_terminal(small: Project, formatter: str) -> None:
    small.feature("a", f"Feature: A\n  Scenario: 数据\n    Given it works {formatter}\n")
    outcome = small.run("-f", formatter, "-o", "out.txt", PYTHONIOENCODING="latin-1")
    assert outcome.code == 0, outcome.text
    (small.root / "out.txt").read_text(encoding="utf-8")


# -- closed and full streams -----------------------------------------------------------
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("$RUN --plan >&-", 0),
        ("$RUN >&-", 0),
        ("$RUN 2>&-", 0),
        ("$RUN <&-", 0),
        ("$RUN <&- >&- 2>&-", 0),
        ("$RUN --tags=@none >&-", 2),
        ("$RUN >/dev/full", 2),
        ("$RUN --plan >/dev/full", 2),
        ("$RUN --random 2>/dev/full >/dev/full", 2),
        ("$RUN -j 2 </dev/full", 0),
    ],
)
def test_streams_that_take_nothing(small: Project, command: str, code: int) -> None:
    done = shell(small, command)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 2 and "2>" not in command and "full" in command:
        assert "standard output: No space left on device" in done.stderr
        assert done.stderr.count("the output is incomplete") == 1
    assert "Error" not in done.stdout
    if "--plan" not in command and "@none" not in command:
        found = json.loads((small.root / "reports" / "results.json").read_text(encoding="utf-8"))
        assert [s["verdict"] for s in found["scenarios"]] == ["passed"], "the verdicts stand"


@pytest.mark.parametrize("command", ["behave >&-", "behave 2>&-", "behave >/dev/full"])
def test_plain_behave_with_streams_that_take_nothing(small: Project, command: str) -> None:
    done = shell(small, f"{sys.executable} -m {command}")
    assert done.returncode == (2 if "full" in command else 0), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["doctor", "steps", "figures", "--help", "down"])
def test_other_commands_with_streams_that_take_nothing(small: Project, command: str) -> None:
    for streams_, codes in ((">&-", (0, 1)), (">&- 2>&- <&-", (0, 1)), (">/dev/full", (2,))):
        done = shell(small, f"{sys.executable} -m stackproof {command} {streams_}")
        assert done.returncode in codes, (streams_, done.stderr)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run --plan", "init x", "doctor"])
def test_a_working_directory_that_is_gone(small: Project, command: str) -> None:
    gone = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m stackproof {command}"
    done = shell(small, gone)
    assert (done.returncode, "defect" in done.stderr) == (2, False)
    assert "there is no working directory" in done.stderr


def test_a_file_opened_later_is_not_taken_for_standard_output(small: Project) -> None:
    """The lowest free descriptor is the next file's."""
    small.environment("print('printed by a hook')\n")
    done = shell(small, "$RUN >&- 2>&-")
    assert done.returncode == 0
    for file in (small.root / "reports").rglob("*"):
        if file.is_file() and not file.name.startswith("worker-"):
            assert b"printed by a hook" not in file.read_bytes(), file


def test_streams_are_as_before_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdin, sys.stdout, sys.stderr
    with streams.safe(), streams.safe():
        print(f"half {HALF}")
        assert streams.refused() is None
    assert (sys.stdin, sys.stdout, sys.stderr) == before
    assert "half \\ud83d" in capsys.readouterr().out


def test_text_without_surrogates_is_left_alone() -> None:
    text = "Größe 数据 \U0001f600 \0 \\ud83d"
    assert printable(text) == text
    assert printable(str(Path(BYTE))) == "caf\\udce9"


# -- what a terminal would obey ---------------------------------------------------------
OBEYED = "bell \a, back \b, \x1b[2Jcleared, \x1b[31mred\x1b[0m, \x1b]0;title, \x9b1m, \0"
SHOWN = "bell \\x07, back \\x08, cleared, red, \\x1b]0;title, \\x9b1m, \\x00"


def test_a_terminal_is_given_no_orders(small: Project) -> None:
    small.steps(f"""
        @given("it wrongs")
        def wrongs(context):
            assert False, {OBEYED!r}
        @given("it breaks")
        def breaks(context):
            raise Trouble({OBEYED!r})
        """)
    small.feature("a", "Feature: A\n  Scenario: 1\n    Given it wrongs\n"
                       "  Scenario: 2\n    Given it breaks\n")  # fmt: skip
    outcome = small.run()
    assert outcome.verdicts == {"1": "failed", "2": "broken"}
    assert outcome.out.count(SHOWN) >= 2, outcome.out
    assert not {"\x1b", "\a", "\b", "\0", "\x9b"} & set(outcome.text)


def test_what_is_refused_is_legible() -> None:
    assert str(Trouble(OBEYED)) == legible(OBEYED) == SHOWN
    assert legible("ä\tb\r\n\N{NO-BREAK SPACE}") == "ä\tb\r\n\N{NO-BREAK SPACE}"


def test_what_cannot_be_seen_is_shown() -> None:
    assert visible("a b\N{NO-BREAK SPACE}c\td\ufeffé") == r"a b\xa0c\td\ufeffé"
