"""Whole runs that are decided by one thing: skips, hooks of the run, aborts, workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.session.conftest import Project


@pytest.fixture
def small(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.feature("small", "Feature: Small\n Scenario: works\n  Given it works\n")
    return made


def test_all_passed(small: Project) -> None:
    outcome = small.run()
    assert (outcome.code, outcome.verdicts) == (0, {"works": "passed"})
    small.assert_nothing_left()


@pytest.mark.parametrize(("options", "code"), [((), 1), (("-Dallow_skipped=yes",), 0)])
def test_what_did_not_run_is_listed_and_fails_unless_allowed(
    small: Project, options: tuple[str, ...], code: int
) -> None:
    small.steps("""
        @step("it is skipped")
        def skips(context): context.scenario.skip("no need")
        """)
    small.feature("skipped", "Feature: Skipped\n Scenario: idle\n  Given it is skipped\n")
    outcome = small.run(*options)
    assert outcome.code == code
    assert "did not run:" in outcome.out
    assert "Skipped: idle" in outcome.out
    assert "no need" in outcome.out


def test_before_all_failing_means_that_nothing_could_run(small: Project) -> None:
    small.environment("def before_all(context): raise RuntimeError('no licence')\n")
    outcome = small.run("-Dallow_skipped=yes")
    assert (outcome.code, outcome.verdicts) == (2, {"works": "broken"})
    assert "no licence" in outcome.scenario("works")["reason"]
    assert outcome.allure["works"]["status"] == "broken"
    small.assert_nothing_left()


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("def after_all(context): raise RuntimeError('not tidy')", "not tidy"),
        ("def after_all(context): raise SystemExit(0)", "SystemExit"),
        ("import os\ndef after_all(context): os._exit(0)", "ended with exit code 0 in after_all"),
        (
            "def broken(): raise OSError('stuck')\n"
            "def before_all(context): context.add_cleanup(broken)",
            "stuck",
        ),
    ],
    ids=["exception", "exit", "death", "cleanup"],
)
def test_after_all_failing_is_not_green(small: Project, hook: str, said: str) -> None:
    small.environment(hook + "\n")
    outcome = small.run("-Dallow_skipped=yes")
    assert (outcome.code, outcome.verdicts) == (1, {"works": "passed"})
    assert any(said in problem for problem in outcome.results["suite_problems"])
    assert said in outcome.err


def test_context_abort_ends_the_run_and_is_not_green(small: Project) -> None:
    small.steps("""
        @step("it aborts the run")
        def aborts(context): context.abort("enough")
        """)
    small.feature("aborting", """
        Feature: Aborting
          Scenario: last
            Given it aborts the run
          Scenario: not any more
            Given it works
        """)  # fmt: skip
    outcome = small.run("-Dallow_skipped=yes")
    assert outcome.code == 1
    assert outcome.verdicts == {"last": "passed", "not any more": "skipped", "works": "skipped"}
    assert "'last' aborted the run" in outcome.scenario("works")["reason"]


def test_a_scenario_that_never_came_to_its_steps_has_not_been_skipped(small: Project) -> None:
    small.environment("""
        ours = before_scenario
        def before_scenario(context, scenario):
            ours(context, scenario)
            context.abort("enough")
        """)
    outcome = small.run("-Dallow_skipped=yes")
    assert (outcome.code, outcome.verdicts) == (1, {"works": "broken"})


def test_a_hook_that_aborts_the_run_is_not_green(small: Project) -> None:
    small.feature("z", "Feature: Z\n Scenario: later\n  Given it works\n")
    small.environment("""
        def before_feature(context, feature): context.abort("enough")
        """)
    outcome = small.run("-Dallow_skipped=yes")
    assert outcome.code == 1
    assert outcome.verdicts == {"works": "skipped", "later": "skipped"}
    assert "a hook of its feature aborted the run" in outcome.scenario("works")["reason"]
    assert "a hook of features/small.feature aborted the run" in outcome.scenario("later")["reason"]


def test_stop_reports_the_rest_by_name(small: Project) -> None:
    small.feature("a", """
        Feature: First
          Scenario: stays behind
            Given it works
          Scenario: breaks
            Given it fails
          Scenario: rest of the feature
            Given it works
          Rule: r
            Scenario: rest in a rule
              Given it works
        """)  # fmt: skip
    small.environment("""
        def before_rule(context, rule): raise RuntimeError("must not be called")
        """)
    outcome = small.run("--stop", "-Dallow_skipped=yes")
    assert outcome.code == 1
    assert outcome.verdicts == {
        "stays behind": "passed",
        "breaks": "failed",
        "rest of the feature": "skipped",
        "rest in a rule": "skipped",
        "works": "skipped",
    }
    assert "told to stop at the first failure" in outcome.scenario("works")["reason"]
    assert set(outcome.allure) == set(outcome.verdicts)


def test_hooks_of_rules_without_chosen_scenarios_are_not_run(small: Project) -> None:
    small.feature("rules", """
        Feature: Rules
          Scenario: outside
            Given it works
          Rule: r
            @other
            Scenario: inside
              Given it works
        """)  # fmt: skip
    small.environment("""
        def before_rule(context, rule): raise RuntimeError("must not be called")
        """)
    outcome = small.run("--tags=not @other")
    assert (outcome.code, outcome.verdicts) == (0, {"outside": "passed", "works": "passed"})


def test_hooks_of_the_right_rule_are_blamed_in_random_order(small: Project) -> None:
    rules = "".join(
        f" @r{i}\n Rule: rule {i}\n  Scenario: s{i}\n   Given it works\n" for i in range(5)
    )
    small.feature("rules", f"Feature: Rules\n{rules}")
    small.environment("""
        def after_rule(context, rule):
            if "r2" in rule.tags: raise RuntimeError("untidy")
        """)
    outcome = small.run("-Drandom_order=7", "features/rules.feature")
    assert outcome.code == 1
    assert [n for n in outcome.allure if n.startswith("Hooks")] == ["Hooks of the rule 'rule 2'"]


def test_steps_may_read_userdata_as_under_behave(small: Project) -> None:
    small.steps("""
        @step("userdata says {number:d}")
        def userdata(context, number): assert context.config.userdata.getint("answer") == number
        """)
    small.feature("userdata", "Feature: U\n Scenario: u\n  Given userdata says 42\n")
    assert small.run("-Danswer=42", "features/userdata.feature").verdicts == {"u": "passed"}


def test_a_worker_that_cannot_import_steps(small: Project) -> None:
    small.write(
        "steps/worker_only.py",
        """
        import os
        if "STACKPROOF_WORKER" in os.environ:
            raise ConnectionResetError("the registry is away")
        """,
    )
    outcome = small.run("-Dallow_skipped=yes")
    assert (outcome.code, outcome.verdicts) == (2, {"works": "broken"})
    assert "the registry is away" in outcome.scenario("works")["reason"]
    small.assert_nothing_left()


def test_a_feature_that_changes_while_it_runs_is_not_run_by_mistake(small: Project) -> None:
    small.environment("""
        from pathlib import Path
        def before_all(context):
            Path("features/small.feature").write_text(
                "Feature: Small\\n Scenario: another\\n  Given it works\\n")
        """)
    outcome = small.run("-Dallow_skipped=yes")
    assert (outcome.code, outcome.verdicts) == (1, {"works": "broken"})
    assert "has changed since the run began" in outcome.scenario("works")["trace"]


def test_without_hooks_of_the_project_cleanups_are_done_and_troubles_told(small: Project) -> None:
    small.write("environment.py", "")
    small.with_services()
    small.write("steps/more.py", """
        from behave import step
        from stackproof.session.needs import needs

        @step("a broken service of its own")
        @needs("broken", dedicated=True)
        def broken(context): pass

        @step("a broken service of its own is asked for its address")
        @needs("broken", dedicated=True)
        def asked(context):
            context._runner.session.endpoint("broken")

        @step("something is opened")
        def opened(context):
            context._runner.session.add_cleanup(lambda: open("notes.txt", "w").write("closed\\n"))
        """)  # fmt: skip
    small.feature("small", """
        Feature: Small
          Scenario: lacking
            Given a broken service of its own
          Scenario: asking
            Given a broken service of its own is asked for its address
          Scenario: opening
            Given something is opened
        """)  # fmt: skip
    outcome = small.run()
    expected = {"lacking": "broken", "asking": "broken", "opening": "passed"}
    assert outcome.verdicts == expected
    for name in ("lacking", "asking"):
        assert "no licence" in outcome.scenario(name)["reason"]
    assert small.notes == ["closed"]


def test_what_client_libraries_logged_is_shown_of_failures_alone(small: Project) -> None:
    small.steps("""
        import logging

        @step("a client reconnects, and {end}")
        def reconnects(context, end):
            logging.getLogger("kafka.net").info("reconnecting, password=%s", "pa55word")
            logging.getLogger("kafka.net").debug("a byte more")
            assert end == "succeeds"
        """)
    small.feature("clients", "Feature: Clients\n"
                  " Scenario: good\n  Given a client reconnects, and succeeds\n"
                  " Scenario: bad\n  Given a client reconnects, and fails\n")  # fmt: skip
    outcome = small.run()
    assert outcome.verdicts["good"] == "passed"
    name = "log of the client libraries"
    assert name not in {a["name"] for a in outcome.allure["good"].get("attachments", ())}
    (shown,) = [a for a in outcome.allure["bad"]["attachments"] if a["name"] == name]
    text = (outcome.directory / "allure-results" / shown["source"]).read_text()
    # That of this scenario, once, without what is secret or of no use.
    assert text.count("INFO    kafka.net: reconnecting, password=*****") == 1
    assert "pa55word" not in text
    assert "a byte more" not in text
