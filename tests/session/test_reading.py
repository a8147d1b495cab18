"""What people wrote, in whatever form: read, or named with its place and exit code 2."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackproof import texts
from stackproof.errors import Trouble
from stackproof.session.selection import reading
from tests.session.conftest import CONFIGURATION, RUNNER, Outcome, Project

FEATURE = "Feature: A\n  Scenario: one\n    Given it works\n"
OTHER = "Feature: B\n  Scenario: two\n    Given it works\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one feature, to be read in this process."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "a.feature").write_text(FEATURE)
    return tmp_path


def scenarios(*paths: str, language: str | None = None) -> list[str]:
    """Names of the scenarios that these paths select."""
    found = reading.features(list(reading.locations(paths or ("features",))), language)
    return [s.name for f in found for s in f.walk_scenarios() if not s.should_skip]


def trouble(*paths: str, language: str | None = None) -> str:
    with pytest.raises(Trouble) as caught:
        scenarios(*paths, language=language)
    return str(caught.value)


def planned(outcome: Outcome) -> list[str]:
    """Names of the scenarios in a plan."""
    assert outcome.code == 0, outcome.text
    return [line.split("  [")[0].strip() for line in outcome.out.splitlines() if "  [" in line]


# -- languages -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "near"),
    [("pt-BR", "pt"), ("pt_PT", "pt"), ("EN", "en"), ("en-gb", "en"), ("", "en"), ("De", "de"),
     ("zh-cn", "zh-CN"), ("zh-hant", "zh"), ("german", "en"), ("xx", "en"), ("en de", "en")],
)  # fmt: skip
def test_an_unknown_language_is_told_with_its_line(place: Path, said: str, near: str) -> None:
    (place / "features/a.feature").write_text(f"\n# a remark\n# language: {said}\n{FEATURE}")
    told = trouble()
    assert "features/a.feature:3\n" in told
    assert f"there is no language {said!r}; the nearest is {near}" in told or near == "en"
    assert "--lang-list" in told


@pytest.mark.parametrize("said", ["language: de", "language:de", " Language:   de  "])
def test_a_known_language_is_read(place: Path, said: str) -> None:
    german = "Funktionalität: A\n  Szenario: eins\n    Angenommen it works\n"
    (place / "features/a.feature").write_text(f"#{said}\n{german}")
    assert scenarios() == ["eins"]


@pytest.mark.parametrize("language", ["xx", "EN", "help", "pt-BR"])
def test_a_language_of_the_settings_that_is_unknown(project: Project, language: str) -> None:
    project.feature("a", FEATURE)
    project.write("behave.ini", f"[behave]\nlang = {language}\n")
    outcome = project.run("run", "--plan", program="stackproof")
    assert outcome.code == 2, outcome.text
    assert "lang" in outcome.err
    assert "Traceback" not in outcome.text


# -- encodings -------------------------------------------------------------------------
@pytest.mark.parametrize(
    "data",
    [codecs.BOM_UTF8 + FEATURE.encode(), FEATURE.replace("\n", "\r\n").encode(),
     FEATURE.replace("\n", "\r").encode(), codecs.BOM_UTF8 + FEATURE.replace("\n", "\r").encode(),
     FEATURE.rstrip().encode(), b"\n\n" + FEATURE.encode() + b"\n \n"],
    ids=["mark", "windows", "mac", "mark-mac", "no-end", "blank"],
)  # fmt: skip
def test_texts_of_other_systems_are_read(place: Path, data: bytes) -> None:
    (place / "features/a.feature").write_bytes(data)
    assert scenarios() == ["one"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (FEATURE.encode("utf-16"), "written in UTF-16"),
        (codecs.BOM_UTF16_BE + FEATURE.encode("utf-16-be"), "written in UTF-16"),
        (FEATURE.encode("utf-32"), "written in UTF-32"),
        (FEATURE.encode("utf-16-le"), "line 1: a NUL byte"),
        (FEATURE.encode() + b"    # caf\xe9\n", "line 4: the byte 0xe9 is not UTF-8"),
        (b"\0\5\26\7Mac\377", "is not UTF-8"),
        (FEATURE.encode() + b"\0", "line 4: a NUL byte"),
        (b"\xed\xa0\xbd", "is not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["features/a.feature", "@list.txt"])
def test_what_is_no_text_is_named_with_its_place(
    place: Path, data: bytes, said: str, name: str
) -> None:
    file = place / name.removeprefix("@")
    file.write_bytes(data)
    told = trouble(name)
    assert f"{file.relative_to(place)} cannot be read" in told
    assert said in told


# -- what is no feature ----------------------------------------------------------------
def lock(place: Path) -> None:
    (place / "features/.#a.feature").symlink_to("me@host.1:2")


def attributes(place: Path) -> None:
    (place / "features/._a.feature").write_bytes(b"\0\5\26\7Mac\377")


def history(place: Path) -> None:
    (place / "features/.history").mkdir()
    (place / "features/.history/old.feature").write_text(OTHER)


def circle(place: Path) -> None:
    (place / "features/again").symlink_to(".")
    (place / "features/deep").mkdir()
    (place / "features/deep/up").symlink_to("../..")


def backup(place: Path) -> None:
    (place / "features/a.feature~").write_text(OTHER)
    (place / "features/#a.feature#").write_text(OTHER)
    (place / "features/.a.feature.swp").write_text(OTHER)
    (place / "features/.a.feature.feature").mkdir()


def other_files(place: Path) -> None:
    os.mkfifo(place / "features/pipe")
    (place / "features/__pycache__").mkdir()
    (place / "features/__pycache__/x.feature").write_text(OTHER)


@pytest.mark.parametrize("beside", [lock, attributes, history, circle, backup, other_files])
def test_what_only_looks_like_a_feature_is_passed_over(
    place: Path, beside: Callable[[Path], None]
) -> None:
    beside(place)
    assert scenarios() == ["one"]
    assert scenarios(".") == ["one"]
    assert scenarios(str(place)) == ["one"]


def test_what_is_hidden_is_read_when_it_is_named(place: Path) -> None:
    history(place)
    assert scenarios("features/.history") == ["two"]
    assert scenarios("features/.history/old.feature") == ["two"]


def test_a_folder_called_like_a_feature_is_a_folder(place: Path) -> None:
    (place / "features/b.feature").mkdir()
    (place / "features/b.feature/c.feature").write_text(OTHER)
    assert scenarios() == ["one", "two"]
    assert scenarios("features/b.feature") == ["two"]


def link_to_itself(file: Path) -> None:
    file.symlink_to(file.name)


def link_to_nothing(file: Path) -> None:
    file.symlink_to("nowhere")


def device(file: Path) -> None:
    file.symlink_to("/dev/null")


@pytest.mark.parametrize(
    ("make", "said"),
    [(link_to_itself, "symbolic links"), (link_to_nothing, "No such file"), (os.mkfifo, "neither"),
     (device, "neither a file")],
)  # fmt: skip
@pytest.mark.parametrize("path", ["features", "features/l.feature", "features/l.feature:2"])
def test_what_cannot_be_read_is_named(
    place: Path, make: Callable[[Path], None], said: str, path: str
) -> None:
    make(place / "features/l.feature")
    told = trouble(path)
    assert "features/l.feature" in told
    assert said in told


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("features/missing.feature", "No such file"),
        ("missing", "No such file"),
        ("features/a.txt", "does not end with .feature"),
        ("features/a.feature/b.feature", "Not a directory"),
        (f"{'x' * 300}.feature", "File name too long"),
        (f"features/{'x' * 5000}", "File name too long"),
        ("features/a\0.feature", "null"),
        ("@missing.txt", "No such file"),
        ("@features", "it is a directory"),
        ("@", "it is a directory"),
        ("", "No such file"),
    ],
)
def test_paths_that_lead_nowhere(place: Path, path: str, said: str) -> None:
    (place / "features/a.txt").write_text("")
    assert said in trouble(path)


def test_rights_that_are_missing_are_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Any, *_: object) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", denied)
        assert "features/a.feature: Permission denied" in trouble()
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", denied)
        assert "features: Permission denied" in trouble()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Scenario: one\n", 1),
        ("Feature: A\n  Scenario: one\n    And it works\n", 3),
        ("Background:\n  Given it works\n", 1),
        ("Feature: A\n  Scenario: one\n    Given a table\n      | a | b |\n      | 1 |\n", 5),
        ("Feature: A\n  Examples:\n   | a |\n", 2),
        ("@a\n\nnonsense\n", 3),
        ("Feature: A\n  Scenario: a\n    Given x\n    | a |\n    | 1 |\n  @b\n  nonsense\n", 7),
        (
            "Feature: A\n  Scenario Outline: a\n    Given <x>\n  Examples:\n  | x |\n  | 1 | 2 |\n",
            6,
        ),
        ("<xml>\n", 1),
        ("{\n", 1),
    ],
)
def test_what_is_no_gherkin_is_told_with_its_line(place: Path, text: str, line: int) -> None:
    (place / "features/a.feature").write_text(text)
    told = trouble()
    assert f"the features cannot be read: features/a.feature:{line}\n" in told


def test_defects_of_the_parser_are_told_with_the_line(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(parser: Any, line: str) -> Any:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(reading.Parser, "action_scenario", broken)
    assert "features/a.feature:3\n  why: Gherkin does not allow this here (Zero" in trouble()


# -- which features --------------------------------------------------------------------
@pytest.mark.parametrize(
    "paths",
    [
        ["features", "features/a.feature"],
        ["features/a.feature", "features/b.feature", "features/a.feature:2"],
        ["features/../features/a.feature", "./features"],
        ["features", "@list.txt"],
    ],
)
def test_what_is_named_twice_runs_once(place: Path, paths: list[str]) -> None:
    (place / "features/b.feature").write_text(OTHER)
    (place / "list.txt").write_text("# a list\n\nfeatures/b.feature:2\nfeatures\n")
    assert scenarios(*paths) == ["one", "two"]


@pytest.mark.parametrize(
    "listed",
    [b"features/b.feature\n", b"\xef\xbb\xbffeatures/b.feature:2", b"features/b.*\r\n",
     b"# all\n\n  features/b.feature  \n", b"features/sub\n"],
)  # fmt: skip
def test_lists_of_features(place: Path, listed: bytes) -> None:
    (place / "features/sub").mkdir()
    (place / "features/sub/c.feature").write_text(OTHER)
    (place / "features/b.feature").write_text(OTHER)
    (place / "list.txt").write_bytes(listed)
    assert scenarios("@list.txt") == ["two"]


def test_a_list_that_names_what_is_not_there_is_named_itself(place: Path) -> None:
    (place / "list.txt").write_text("features/a.feature\nfeatures/c.feature\n")
    told = trouble("@list.txt")
    assert "features/c.feature (in list.txt)" in told


def test_lines_select_as_in_behave(place: Path) -> None:
    (place / "features/a.feature").write_text(
        "Feature: A\n  Scenario: one\n    Given x\n  Scenario Outline: of\n    Given <n>\n"
        "    Examples:\n      | n |\n      | 1 |\n      | 2 |\n"
    )
    assert scenarios("features/a.feature:3") == ["one"]
    assert scenarios("features/a.feature:8") == ["of -- @1.1 "]
    assert len(scenarios("features/a.feature:4")) == 2
    assert len(scenarios("features/a.feature:4", "features/a.feature:2")) == 3
    assert len(scenarios("features/a.feature:999")) == 1


# -- steps and hooks -------------------------------------------------------------------
def test_hidden_modules_of_steps_are_passed_over(project: Project) -> None:
    project.feature("a", FEATURE)
    (project.root / "steps/.#own.py").symlink_to("me@host.1:2")
    (project.root / "steps/._own.py").write_bytes(b"\0\5\26\7Mac\377")
    (project.root / "steps/.own.py").write_text("raise ValueError")
    (project.root / "steps/folder.py").mkdir()
    assert project.run().verdicts == {"one": "passed"}


def test_a_module_of_steps_that_cannot_be_read_is_named(project: Project) -> None:
    project.feature("a", FEATURE)
    for make, said in ((link_to_nothing, "No such file"), (os.mkfifo, "it is no file")):
        make(project.root / "steps/own.py")
        outcome = project.run()
        assert (outcome.code, "steps/own.py cannot be read" in outcome.err) == (2, True)
        assert said in outcome.err
        (project.root / "steps/own.py").unlink()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("name", ["steps/own.py", "environment.py"])
def test_a_module_that_is_no_text_is_named(project: Project, name: str, encoding: str) -> None:
    project.feature("a", FEATURE)
    (project.root / name).write_bytes("x = 1\n".encode(encoding))
    outcome = project.run()
    assert (outcome.code, "Traceback" in outcome.text) == (2, False)
    assert f"{name} cannot be read" in outcome.err


@pytest.mark.parametrize("make", [link_to_nothing, os.mkfifo, Path.mkdir])
def test_hooks_that_cannot_be_read_are_named(project: Project, make: Any) -> None:
    project.feature("a", FEATURE)
    (project.root / "environment.py").unlink()
    make(project.root / "environment.py")
    outcome = project.run()
    assert (outcome.code, "environment.py cannot be read" in outcome.err) == (2, True)


def test_steps_that_are_not_there(project: Project) -> None:
    project.feature("a", FEATURE)
    (project.root / "steps").rename(project.root / "stepz")
    outcome = project.run()
    assert (outcome.code, "Traceback" in outcome.text) == (2, False)
    assert f"{project.root / 'steps'} does not exist" in outcome.err
    (project.root / "environment.py").unlink()
    outcome = project.run("run", "--plan", program="stackproof")
    assert outcome.code == 2
    assert "there are no steps for the features" in outcome.err
    assert "neither steps/ nor environment.py is in" in outcome.err


def test_undefined_steps_say_which_folders_were_loaded(project: Project) -> None:
    project.feature("a", FEATURE.replace("it works", "it is undefined"))
    outcome = project.run()
    assert f"steps were loaded from: {project.root / 'steps'}" in outcome.err
    nested = CONFIGURATION.replace('"off"', '"off"\nuse_nested_step_modules = true')
    project.write("pyproject.toml", nested)
    project.write("steps/more/x.py", "")
    project.write("steps/.old/x.py", "raise ValueError")
    outcome = project.run()
    assert f"from: {project.root / 'steps'}, {project.root / 'steps/more'}\n" in outcome.err


# -- behave's settings -----------------------------------------------------------------
PATHS = {
    "behave.ini": "[behave]\npaths = other/feats\n",
    ".behaverc": "[behave]\npaths = other/feats\n",
    "setup.cfg": "[behave]\npaths = other/feats\n",
    "tox.ini": "[tox]\nx = 1\n[behave]\npaths = other/feats\n",
    "pyproject.toml": '[project]\nmade = 2026-01-01\n[tool.behave]\npaths = ["other/feats"]\n',
}


@pytest.fixture
def elsewhere(project: Project) -> Project:
    """A project whose features lie in other/feats, with an old one in features/."""
    (project.root / "pyproject.toml").unlink()
    project.feature("a", FEATURE)
    project.write("other/feats/b.feature", OTHER)
    project.write(
        "other/feats/c.feature", "@slow\nFeature: C\n Scenario: three\n  Given it works\n"
    )
    return project


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "mark"])
@pytest.mark.parametrize("file", PATHS)
def test_paths_are_those_of_behaves_settings(elsewhere: Project, file: str, mark: str) -> None:
    elsewhere.write(file, mark + PATHS[file])
    outcome = elsewhere.run("run", "--plan", program="stackproof")
    assert planned(outcome) == ["two", "three"]
    assert planned(elsewhere.run("run", "--plan", "features", program="stackproof")) == ["one"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("", ["two", "three"]),
        ("default_tags = @slow", ["three"]),
        ("tags = not @slow", ["two"]),
        ("name = th", ["three"]),
        ("exclude_re = c.feature", ["two"]),
        ("include_re = c.feature", ["three"]),
        ("paths = other/feats/c.feature:2", ["three"]),
        ("jobs = 2", ["two", "three"]),
        ("stage = product", ["two", "three"]),
        ("lang = de", []),
    ],
)
def test_stackproof_run_and_behave_run_the_same(
    elsewhere: Project, setting: str, expected: list[str]
) -> None:
    paths = "" if setting.startswith("paths") else "paths = other/feats\n"
    elsewhere.write("behave.ini", f"[behave]\nrunner = {RUNNER}\n{paths}{setting}\n")
    if "stage" in setting:
        (elsewhere.root / "steps").rename(elsewhere.root / "product_steps")
        (elsewhere.root / "environment.py").rename(elsewhere.root / "product_environment.py")
    both = [elsewhere.run("-Dplan=yes"), elsewhere.run("run", "--plan", program="stackproof")]
    if not expected:
        assert [outcome.code for outcome in both] == [2, 2]
    else:
        assert [planned(outcome) for outcome in both] == [expected, expected]


def test_jobs_are_those_of_behaves_settings(elsewhere: Project) -> None:
    elsewhere.write("behave.ini", "[behave]\npaths = other/feats\njobs = 2\n")
    elsewhere.run("run", "--no-report", program="stackproof")
    assert (elsewhere.root / "reports/logs/worker-2.log").exists()


@pytest.mark.parametrize("layout", ["features/steps", "steps"])
def test_without_paths_what_behave_runs_is_run(elsewhere: Project, layout: str) -> None:
    elsewhere.write("behave.ini", f"[behave]\nrunner = {RUNNER}\n")
    if layout != "steps":
        (elsewhere.root / "steps").rename(elsewhere.root / layout)
        (elsewhere.root / "environment.py").rename(elsewhere.root / "features/environment.py")
    both = [elsewhere.run("-Dplan=yes"), elsewhere.run("run", "--plan", program="stackproof")]
    expected = ["one", "two", "three"] if layout == "steps" else ["one"]
    assert [sorted(planned(outcome)) for outcome in both] == [sorted(expected)] * 2


def test_tags_that_select_nothing_are_told_with_their_origin(elsewhere: Project) -> None:
    elsewhere.write("behave.ini", "[behave]\ndefault_tags = @none\n")
    outcome = elsewhere.run("run", "--plan", program="stackproof")
    assert outcome.code == 2
    assert "tags: @none (default_tags of behave's settings)" in outcome.err
    outcome = elsewhere.run("run", "--plan", "--tags", "@slow and @no", program="stackproof")
    assert "tags: @slow and @no;" in outcome.err
    outcome = elsewhere.run("run", "--plan", "--tags=@slow", "--name=no", program="stackproof")
    assert "names: ['no']" in outcome.err


def test_a_runner_of_ones_own_is_used(elsewhere: Project) -> None:
    elsewhere.write("mine.py", """
        from stackproof.session.runner import StackproofRunner
        class Mine(StackproofRunner):
            def run(self):
                print("mine was used")
                return super().run()
        """)  # fmt: skip
    for named in ("mine:Mine", "own"):
        elsewhere.write("behave.ini", f"[behave]\nrunner = {named}\n"
                        "[behave.runners]\nown = mine:Mine\n")  # fmt: skip
        outcome = elsewhere.run("run", "--plan", program="stackproof")
        assert (outcome.code, "mine was used" in outcome.out) == (0, True), outcome.text
    for named in ("behave.runner:Runner", "nowhere:None", "mine:Nobody", "default"):
        elsewhere.write("behave.ini", f"[behave]\nrunner = {named}\n")
        outcome = elsewhere.run("run", "--plan", program="stackproof")
        assert (outcome.code, "mine was used" in outcome.out) == (0, False), outcome.text


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("behave.ini", b"paths = features\n", "no section headers"),
        ("behave.ini", b"[behave]\npaths = a\npaths = b\n", "already exists"),
        ("behave.ini", b"[behave]\nname = caf\xe9\n", "line 2: the byte 0xe9"),
        ("behave.ini", "[behave]\n".encode("utf-16"), "UTF-16"),
        ("behave.ini", b"[behave]\njobs = many\n", "behave.ini"),
        ("behave.ini", b"[behave]\ndry_run = perhaps\n", "Not a boolean"),
        ("behave.ini", b"[behave]\nlang = %(nothing)s\n", "nothing"),
        ("behave.ini", b"[behave]\nformat = nowhere\n", "BAD_FORMAT=nowhere"),
        ("behave.ini", b"[behave]\ntags = (((\n", "behave's settings"),
        ("behave.ini", b"[behave]\ninclude_re = (((\n", "behave's settings"),
        ("behave.ini", b"[behave]\nname = (((\n", "behave's settings"),
        ("behave.ini", b"[behave]\nlogging_level = LOUD\n", "behave.ini"),
        ("behave.ini", b"[behave]\nformat = plain\noutfiles = /dev/null/x\n", "formatter"),
        ("tox.ini", b"\0\0\0", "NUL"),
        ("setup.cfg", b"[behave\n", "setup.cfg"),
        ("pyproject.toml", b"[tool.behave\n", "pyproject.toml"),
        ("pyproject.toml", b'[tool.behave]\npaths = "features"\n', "pyproject.toml"),
        ("pyproject.toml", b"[tool.behave]\nname = [2026-01-01]\n", "pyproject.toml"),
        ("pyproject.toml", b'a = "caf\xe9"\n', "line 1: the byte 0xe9"),
    ],
)
def test_settings_of_behave_that_are_not_understood(
    elsewhere: Project, file: str, content: bytes, said: str
) -> None:
    (elsewhere.root / file).write_bytes(content)
    outcome = elsewhere.run("run", "--plan", program="stackproof")
    assert outcome.code == 2, outcome.text
    assert said in outcome.err, outcome.text
    assert "Traceback" not in outcome.text
    assert "usage:" not in outcome.text


# -- other texts -----------------------------------------------------------------------
@pytest.mark.parametrize("name", ["stackproof.toml", "quarantine.toml", "last.json"])
@pytest.mark.parametrize(
    ("data", "said"),
    [(b"# caf\xe9\n", "0xe9 is not UTF-8"), ("# x".encode("utf-16"), "UTF-16"), (b"\0", "NUL")],
)
def test_other_files_that_are_no_text(project: Project, name: str, data: bytes, said: str) -> None:
    project.feature("a", FEATURE)
    (project.root / name).write_bytes(data)
    durations = ["--durations", name, "--shard", "1/1"] if name == "last.json" else []
    outcome = project.run("run", "--plan", *durations, program="stackproof")
    assert outcome.code == 2, outcome.text
    assert name in outcome.err
    assert said in outcome.err
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, link_to_itself])
@pytest.mark.parametrize("name", ["quarantine.toml", "last.json", "reports/results.json"])
def test_other_files_that_are_no_files(project: Project, name: str, make: Any) -> None:
    project.feature("a", FEATURE)
    (project.root / "reports").mkdir()
    make(project.root / name)
    arguments = ["--durations", name, "--shard", "1/1"] if name == "last.json" else []
    arguments += ["--rerun-failed"] if name.startswith("reports") else []
    outcome = project.run("run", "--plan", *arguments, program="stackproof")
    assert outcome.code == 2, outcome.text
    assert "Traceback" not in outcome.text


def test_results_with_a_mark_are_read(project: Project) -> None:
    project.feature("a", FEATURE)
    assert project.run().code == 0
    file = project.root / "reports/results.json"
    file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    outcome = project.run("run", "--rerun-failed", "--plan", program="stackproof")
    assert (outcome.code, "nothing to run again" in outcome.out) == (0, True)


def test_text_is_read_without_its_mark(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(codecs.BOM_UTF8 + "ä\r\n".encode())
    assert texts.read(file) == "ä\r\n"


def test_a_worker_reads_as_the_run_does(project: Project) -> None:
    """Also what was well when the run was planned."""
    project.feature("a", FEATURE)
    project.environment("""
        import os
        def before_all(context):
            open("features/a.feature", "wb").write(b"\\xff")
        """)
    outcome = project.run()
    assert outcome.code in (1, 2), outcome.text
    assert "features/a.feature cannot be read" in outcome.text
    assert "Traceback" not in outcome.text
