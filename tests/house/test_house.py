"""Every check, on a project in good order and on changes that each break one rule."""

import subprocess
import sys
from pathlib import Path

import pytest
from behave.parser import parse_feature

from tests.house.__main__ import CHECKS, main
from tests.house.layout import tidy
from tests.house.project import Project, bodies
from tests.house.steps import vocabulary
from tests.house.violations import FEATURE, GOOD, ORDERS, STEPS, VIOLATIONS

ELSEWHERE = "/".join(["", "root", "x"])  # or this file would name a machine's path


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    root = tmp_path_factory.mktemp("catalogue")
    write(root, STEPS, GOOD[STEPS])
    return vocabulary(Project(root)).catalogue


@pytest.fixture
def root(tmp_path, catalogue):
    for path, content in GOOD.items():
        write(tmp_path, path, content)
    write(tmp_path, "docs/steps.md", catalogue)
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\xff\xfe")
    return tmp_path


def write(root: Path, path: str, content: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, newline="")


def findings(root: Path, title: str):
    (check,) = (check for name, check in CHECKS.items() if name.startswith(title))
    return sorted(set(check(Project(root))))


@pytest.mark.parametrize("title", CHECKS)
def test_project_in_good_order_has_no_findings(root, title):
    assert findings(root, title) == []


@pytest.mark.parametrize("change", VIOLATIONS, ids=lambda c: f"{c[0]}: {c[1]}: {c[3]!r:.50}")
def test_violation_is_found_and_nothing_else(root, change):
    title, path, old, new, wanted = change
    before = (root / path).read_text() if old is not None else ""
    assert not isinstance(old, str) or old in before
    write(root, path, before.replace(old, new) if isinstance(old, str) else before + new)
    places = [place(root, path, *told) for told in wanted]
    found = findings(root, title)
    assert [(f.file, f.line) for f in found] == [(file, line) for file, line, _ in places]
    for finding, (_, _, message) in zip(found, places, strict=True):
        assert f"{finding.wrong}; {finding.remedy}".startswith(message)


def place(root: Path, path: str, *told):
    """File, line and message of an expected finding (see violations.py)."""
    *file, line, message = told
    file = file[0] if file else path
    if isinstance(line, str):
        lines = (root / file).read_text().splitlines()
        line = next(number for number, said in enumerate(lines, 1) if line in said)
    return file, line, message


def test_every_check_has_a_violation():
    titles = {title for title, *_, wanted in VIOLATIONS if wanted}
    assert {next(t for t in CHECKS if t.startswith(title)) for title in titles} == set(CHECKS)


def test_command_says_each_check_and_what_is_wrong(root, capsys):
    assert main([str(root)]) == 0
    assert capsys.readouterr().out == "".join(f"ok    {title}\n" for title in CHECKS)
    write(root, "requirements.txt", "behave\n")
    assert main([str(root)]) == 1
    out = capsys.readouterr().out
    assert out.count("ok    ") == len(CHECKS) - 1
    assert "WRONG documents: one version of each requirement: 1\n      requirements.txt:1: " in out


def test_code_that_is_no_python_is_a_finding(root, capsys):
    write(root, "reference/pipeline.py", "def\n")
    assert main([str(root)]) == 1
    assert "      reference/pipeline.py:1: invalid syntax" in capsys.readouterr().out


def test_projects_do_not_share_steps(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write(other, STEPS, "")
    write(other, ORDERS, FEATURE)
    assert findings(root, "steps: each wording") == []
    assert "undefined" in str(findings(other, "steps: each wording")[0])


def test_what_git_ignores_is_not_looked_at(root):
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    write(root, ".gitignore", "/reports/\n")
    write(root, "reports/log.txt", f"in {ELSEWHERE}\n")
    assert findings(root, "documents: no machine") == []
    write(root, "new.txt", f"in {ELSEWHERE}\n")
    assert [f.file for f in findings(root, "documents: no machine")] == ["new.txt"]


WORDS = ("What is ordered arrives.", "Once,")  # a blank line after these would mean something


def mangled(text: str) -> str:
    """The same feature, badly laid out; its quoted text keeps its lines."""
    before, quoted, after = text.split('      """\n')
    quoted = "".join(line.removeprefix("      ") for line in quoted.splitlines(keepends=True))
    return f'{_mangled(before)}"""\n{quoted}"""\n{_mangled(after)}'


def _mangled(text: str) -> str:
    lines = [line.strip().replace("  |", "|").replace("1     ", "1") for line in text.splitlines()]
    return "".join(f"{line} \n" if line in WORDS else f"{line} \n\n" for line in lines)


def tidied(text: str) -> str:
    return tidy(text, parse_feature(text))


def test_tidy_restores_what_was_mangled():
    bad = mangled(FEATURE)
    assert bad != FEATURE
    assert tidied(bad) == FEATURE


ODD = """\
# language: de
Funktionalität: Seltsam
  @PIPE-01 @PIPE-02   # why
  Szenario: Alle
   Angenommen a text
     '''
       \"""quoted\"""
     # kept
     '''
   # before a step
   * a  star | with "two  spaces"
   |a\\|b|
   ||
   Dann it is there
  # the end
"""


def test_tidy_changes_nothing_that_behave_reads():
    before, after = parse_feature(ODD), parse_feature(tidied(ODD))
    assert read(before) == read(after)
    assert tidied(ODD).count("#") == ODD.count("#")


def test_tidy_closes_a_row_that_behave_would_cut():
    text = FEATURE.replace("| 12    | bad  |", "| 12    | bad")
    assert tidied(text) == FEATURE


def test_tidy_is_done_after_once():
    assert tidied(tidied(ODD)) == tidied(ODD)


def read(feature):
    return [
        (s.name, s.tags, [(step.keyword, step.name, step.text, table(step)) for step in s.steps])
        for s in bodies(feature)
    ]


def table(step):
    return step.table and [step.table.headings, *(row.cells for row in step.table)]


def test_tidy_command_writes_features(root, capsys):
    write(root, ORDERS, FEATURE.replace("    When", "When"))
    assert main([str(root), "--tidy"]) == 0
    assert (root / ORDERS).read_text() == FEATURE
    assert capsys.readouterr().out == f"laid out {ORDERS}\n"
    assert main([str(root), "--tidy"]) == 0
    assert capsys.readouterr().out == ""


def test_tidy_command_leaves_what_it_cannot_read(root, capsys):
    write(root, ORDERS, "Nothing:\n")
    assert main([str(root), "--tidy"]) == 1
    assert (root / ORDERS).read_text() == "Nothing:\n"
    assert f"{ORDERS}:1: cannot be parsed" in capsys.readouterr().out


def test_pull_requests_need_neither_root_nor_go() -> None:
    # Whoever tries the suite for the first time has neither; at night both may be asked for.
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", "--plan", "--suite", "pr", "features"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "scenarios in" in done.stdout
    for needing in ("proxied=", "disk_mb=", "syncs=", "cut off", "other brokers"):
        assert needing not in done.stdout
