"""What a run is asked for: selection, refusals, the plan, the order, the command line."""

from __future__ import annotations

import pytest

from stackproof.polling import poll
from tests.session.conftest import Outcome, Project

NEEDS = """
from stackproof.session.needs import needs

@step("an echo")
@needs("echo")
def echo(context): pass
"""
TEXT = """
    Feature: Selected
      Scenario: first
        Given it works
      @slow
      Scenario: second
        Given it works
      Scenario Outline: third
        Given it works
        Examples:
          | n |
          | 1 |
          | 2 |
      Rule: r
        @slow @late
        Scenario: fourth
          Given it works
    """


@pytest.fixture
def made(project: Project) -> Project:
    project.with_services()
    project.steps(NEEDS)
    project.feature("a", TEXT)
    return project


def names(outcome: Outcome) -> list[str]:
    return [s["name"].strip() for s in outcome.results["scenarios"]]


def nothing_began(project: Project) -> bool:
    return not project.runs.exists() and not (project.root / "reports" / "logs").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["features/a.feature:6"], ["second"]),
        (["features/a.feature:13", "features/a.feature:4"], ["first", "third -- @1.2"]),
        (["features/a.feature:8"], ["third -- @1.1", "third -- @1.2"]),
        (["--tags=@slow", "--tags=not @late"], ["second"]),
        (["--name=^th.rd", "--name=fourth"], ["third -- @1.1", "third -- @1.2", "fourth"]),
    ],
    ids=["line", "lines", "outline", "tags", "names"],
)
def test_selection(made: Project, arguments: list[str], expected: list[str]) -> None:
    outcome = made.run(*arguments)
    assert outcome.code == 0, outcome.text
    assert names(outcome) == expected
    assert len(outcome.allure) == len(expected)
    cases = (outcome.directory / "junit" / "stackproof.xml").read_text().count("<testcase")
    assert cases == len(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["features", "features/a.feature"], ["only a", "only b"]),
        (["features/a.feature", "features/b.feature", "features/a.feature:2"],
         ["only a", "only b"]),
        (["features/a.feature:2", "features/b.feature", "features/a.feature:3"],
         ["only a", "only b"]),
        (["features/../features/a.feature", "features/a.feature"], ["only a"]),
        (["linked", "features"], ["only a", "only b"]),
        (["@asked.txt", "features/b.feature"], ["only a", "only b"]),
    ],
    ids=["folder and file", "file and line", "lines", "dots", "links", "list of features"],
)  # fmt: skip
def test_what_is_named_twice_runs_once(
    project: Project, arguments: list[str], expected: list[str]
) -> None:
    for name in "ab":
        project.feature(name, f"Feature: {name}\n Scenario: only {name}\n  Given it works\n")
    (project.root / "linked").symlink_to("features", target_is_directory=True)
    (project.root / "features" / "c.feature").symlink_to("a.feature")
    project.write("asked.txt", "features/a.feature\n")
    outcome = project.run(*arguments)
    assert outcome.code == 0, outcome.text
    assert names(outcome) == expected
    assert len(outcome.allure) == len(expected)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tags=@nowhere"], "no scenario was selected"),
        (["--name=nobody"], "no scenario was selected"),
        (["features/missing.feature"], "missing.feature"),
        (["notes.txt"], "notes.txt"),
        (["other"], "cannot be read"),
    ],
    ids=["tags", "name", "file", "no-feature", "syntax"],
)
def test_what_cannot_be_run_ends_with_2(made: Project, arguments: list[str], said: str) -> None:
    made.write("notes.txt", "")
    made.write("other/bad.feature", "Feature: Bad\n Scenario: s\n  Given it works\n  Nonsense\n")
    outcome = made.run(*arguments)
    assert (outcome.code, said in outcome.err) == (2, True), outcome.text
    assert "Traceback" not in outcome.text
    assert nothing_began(made)


def test_undefined_steps_are_told_with_their_places_before_anything_starts(made: Project) -> None:
    made.feature("b", """
        Feature: Undefined
          Scenario: echo
            Given an echo
            When it is asked for something strange
        """)  # fmt: skip
    outcome = made.run()
    assert outcome.code == 2
    assert "1 step is not defined" in outcome.err
    assert "features/b.feature:5: When it is asked for something strange" in outcome.err
    assert nothing_began(made)


def test_what_proves_nothing_is_refused(made: Project) -> None:
    made.feature("b", "Feature: B\n  Scenario: to do\n")
    outcome = made.run()
    assert outcome.code == 2
    assert "features/b.feature:2: has no steps" in outcome.err
    assert nothing_began(made)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import nowhere", "No module named 'nowhere'"),
        ("def broken(:", "SyntaxError"),
        ("from behave import step\n@step('it works')\ndef again(context): pass", "AmbiguousStep"),
    ],
    ids=["exit", "import", "syntax", "ambiguous"],
)
def test_steps_that_cannot_be_loaded(made: Project, content: str, said: str) -> None:
    made.write("steps/zzz.py", content + "\n")
    outcome = made.run()
    assert (outcome.code, said in outcome.err) == (2, True), outcome.text
    assert "the steps cannot be loaded" in outcome.err
    assert nothing_began(made)


def test_hooks_that_cannot_be_loaded(made: Project) -> None:
    made.environment("raise SystemExit(0)\n")
    outcome = made.run()
    assert outcome.code == 2
    assert "the hooks cannot be loaded" in outcome.err
    assert nothing_began(made)


def test_what_proves_nothing_matters_only_where_it_is_selected(made: Project) -> None:
    made.feature("b", """
        Feature: B
          Scenario: fine
            Given it works
          @unfinished
          Scenario: to do
          Scenario Outline: no rows
            Given it works
            Examples:
              | n |
        """)  # fmt: skip
    outcome = made.run("features/b.feature:3")
    assert (outcome.code, outcome.verdicts) == (0, {"fine": "passed"})
    refused = made.run("features/b.feature", "--tags=not @unfinished")
    assert refused.code == 2
    assert "features/b.feature:7: has no rows of examples" in refused.err


def test_the_plan_starts_nothing(made: Project) -> None:
    made.feature("b", "Feature: B\n Scenario: echo\n  Given an echo\n")
    for outcome in (made.run("-Dplan=yes"), made.run("run", "--plan", program="stackproof")):
        assert outcome.code == 0
        assert "6 scenarios in 2 features" in outcome.out
        assert "shared:    echo" in outcome.out
        assert "echo  [echo; 60 s]" in outcome.out
    assert nothing_began(made)


def test_random_order_is_that_of_its_seed_and_of_the_plan(project: Project) -> None:
    names = [f"{feature}{number}" for feature in "abc" for number in range(4)]
    for feature in "abc":
        scenarios = "".join(
            f' Scenario: {name}\n  Given "{name}" is noted\n'
            for name in names
            if name.startswith(feature)
        )
        project.feature(feature, f"Feature: {feature}\n{scenarios}")
    orders = []
    for seed in ("1", "2"):
        plan = project.run(f"-Drandom_order={seed}", "-Dplan=yes").out.splitlines()
        planned = [line.split()[0] for line in plan if line.endswith("[nothing; 60 s]")]
        assert project.run(f"-Drandom_order={seed}").code == 0
        assert project.notes == planned
        (project.root / "notes.txt").unlink()
        orders.append(planned)
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == names


def test_outputs_of_several_workers_are_not_mixed(project: Project) -> None:
    for name, other in ("ab", "ba"):
        project.feature(name, f"""
            Feature: {name}
              Scenario: {name} meets {other}
                Given it works for {name}
                And "{name}" is noted
                When it is held up until "{other}" is noted
                Then it works for {name} again
              Scenario: {name} once more
                Given it works for {name}
            """)  # fmt: skip
    outcome = project.run("-j", "2", "-f", "plain", "--no-timings")
    assert outcome.code == 0, outcome.text
    scenarios = outcome.out.split("Scenario: ")[1:]
    assert len(scenarios) == 4
    for text in scenarios:
        name, other = text[0], {"a": "b", "b": "a"}[text[0]]
        assert f"it works for {name}" in text
        assert f"it works for {other}" not in text
    assert {s["worker"] for s in outcome.results["scenarios"]} == {"worker-1", "worker-2"}


# -- reports ---------------------------------------------------------------------------
def test_two_runs_do_not_share_a_reports_directory(project: Project) -> None:
    project.feature("a", """
        Feature: A
          Scenario: a
            Given "first" is noted
            When it is held up until "go on" is noted
            Then it works
        """)  # fmt: skip
    running = project.start()
    try:
        running.until_noted("first")
        second = project.run()
        assert second.code == 2
        assert "another run is writing to" in second.err
        assert "STACKPROOF_REPORTS" in second.err
        elsewhere = project.start(STACKPROOF_REPORTS="elsewhere")
        poll(lambda: project.notes.count("first") == 2, within=30, awaiting="it to run beside")
        with (project.root / "notes.txt").open("a") as notes:
            notes.write("go on\n")
        assert elsewhere.end().code == 0
        first = running.end()
        assert (first.code, first.verdicts) == (0, {"a": "passed"})
    finally:
        running.kill()


@pytest.mark.parametrize("place", ["notes.txt", "notes.txt/reports", "/proc/reports"])
def test_reports_that_cannot_be_written(made: Project, place: str) -> None:
    made.write("notes.txt", "")
    outcome = made.run(STACKPROOF_REPORTS=place)
    assert outcome.code == 2
    assert "the reports cannot be written to" in outcome.err
    assert "Traceback" not in outcome.text
    assert not made.runs.exists()


def test_no_results_of_an_earlier_run_are_left_for_a_later_one(made: Project) -> None:
    assert made.run().code == 0
    made.environment("import os\ndef before_all(context): os.kill(os.getppid(), 9)\n")
    assert made.run().code == -9
    assert not (made.root / "reports" / "results.json").exists()
    assert not list((made.root / "reports" / "allure-results").glob("*-result.json"))
    made.assert_nothing_left()


def test_a_failing_formatter_costs_its_report_and_is_not_green(made: Project) -> None:
    made.write(
        "broken_formatter.py",
        """
        from behave.formatter.base import Formatter
        class Broken(Formatter):
            name = "broken"
            def result(self, step): raise RuntimeError("out of ink")
        """,
    )
    outcome = made.run("-f", "broken_formatter:Broken", "-f", "stackproof")
    assert outcome.code == 1
    assert set(outcome.verdicts.values()) == {"passed"}
    assert len(outcome.verdicts) == 5
    (problem,) = outcome.results["suite_problems"]
    assert "the formatter Broken failed" in problem
    assert "out of ink" in problem
    assert len(outcome.allure) == 5
    assert "problem: the formatter Broken failed" in outcome.out


def test_a_full_disk_at_the_end_is_not_green(made: Project) -> None:
    made.environment("""
        def before_all(context):
            import os
            os.mkdir("reports/results.json")
        """)
    outcome = made.run()
    assert outcome.code == 1
    assert "results.json was not written" in outcome.err


# -- the command line ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "--no-report"], 0),
        (["run", "--no-report", "--tags", "@nowhere"], 2),
        (["run", "--no-report", "--tags", "(@a"], 2),
        (["run", "--no-report", "features/missing.feature"], 2),
        (["run", "--jobs", "0"], 2),
        (["run", "--timeout", "soon", "--no-report"], 2),
        (["run", "--time-factor", "-1", "--no-report"], 2),
        (["sing"], 2),
        ([], 2),
        (["steps", "echo"], 0),
        (["steps", "nowhere"], 1),
    ],
)
def test_exit_codes_of_the_command_line(made: Project, arguments: list[str], code: int) -> None:
    outcome = made.run(*arguments, program="stackproof")
    assert outcome.code == code, outcome.text
    assert "Traceback" not in outcome.text


def test_the_command_line_and_behave_come_to_the_same(made: Project) -> None:
    made.feature("b", "Feature: B\n Scenario: fails\n  Given it fails\n")
    first = made.run("run", "--no-report", "-j", "2", program="stackproof")
    expected = first.verdicts, first.code
    assert "5 passed, 1 failed" in first.out
    assert first.out.count("exit code 1") == 1
    second = made.run()
    assert (second.verdicts, second.code) == expected


def test_random_does_not_swallow_a_path(made: Project) -> None:
    made.feature("b", "Feature: B\n Scenario: other\n  Given it fails\n")
    outcome = made.run("run", "--no-report", "--random", "features/a.feature", program="stackproof")
    assert outcome.code == 0
    assert len(names(outcome)) == 5
    assert "random order: --random" in outcome.out


def test_the_catalogue_of_steps_that_cannot_be_loaded(made: Project) -> None:
    made.write("steps/zzz.py", "import nowhere\n")
    outcome = made.run("steps", "echo", program="stackproof")
    assert outcome.code == 2
    assert "No module named 'nowhere'" in outcome.err
    assert "Traceback" not in outcome.err


def test_the_catalogue_names_what_a_step_needs(made: Project) -> None:
    outcome = made.run("steps", "an", "echo", program="stackproof")
    assert "Step an echo" in outcome.out
    assert "[needs echo]" in outcome.out
