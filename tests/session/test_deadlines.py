"""Scenarios and hooks that hang or take their worker down: told, killed, and the run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.session.conftest import Outcome, Project

HANGS = {
    "python": ("loops for ever", "spinning_in_python"),
    "gil": ("sleeps in C and holds the lock", "asleep_with_the_lock"),
    "nogil": ("sleeps in C without the lock", "asleep_without_the_lock"),
}
DEATHS = {
    "exit": ("leaves by os._exit", "worker-{n} ended with exit code 7"),
    "segfault": ("reads address zero", "worker-{n} was killed by SIGSEGV"),
    "kill": ("is killed from outside", "worker-{n} was killed by SIGKILL"),
    "fork": ("dies while a fork of it lives on", "worker-{n} ended with exit code 9"),
    "mute": ("closes all files", "worker-{n} closed its connection to the run"),
    "garbage": ("writes into the connection", "sent something unreadable"),
}
HOOKS = {
    "before_scenario": "hanging_before_scenario",
    "after_scenario": "hanging_after_scenario",
}

STEPS = """
import ctypes, faulthandler, signal, threading

@step("it loops for ever")
def spinning_in_python(context):
    while True: pass

@step("it sleeps in C and holds the lock")
def asleep_with_the_lock(context): ctypes.PyDLL(None).sleep(1000)

@step("it sleeps in C without the lock")
def asleep_without_the_lock(context): ctypes.CDLL(None).sleep(1000)

@step("it leaves by os._exit")
def leaves(context):
    sys.__stdout__.write("last words")
    os._exit(7)

@step("it reads address zero")
def reads_address_zero(context): ctypes.string_at(0)

@step("it is killed from outside")
def killed(context):
    os.kill(os.getpid(), signal.SIGKILL)

@step("it dies while a fork of it lives on")
def forks(context):
    if os.fork() == 0:
        signal.pause()
    os._exit(9)

@step("it closes all files")
def closes(context):
    os.closerange(3, 1000)
    threading.Event().wait()

@step("it writes into the connection")
def garbage(context):
    context._runner._link._connection.send_bytes(b"this is no pickle")
    threading.Event().wait()

@step("it ends slowly, but in time")
def slowly(context): threading.Event().wait(0.8)

@step("its evidence takes longer than the scenario may")
def slow_evidence(context):
    def evidence(*, failed):
        threading.Event().wait(2.5)
        return []
    context.session.evidence = evidence

def forgetful(**options):
    subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()",
                      os.getcwd() + "/forgetful"], env={}, cwd="/", **options)

@step("its child forgets its environment")
def forgets(context): forgetful()

@step("its child leaves its session as well")
def leaves_session(context): forgetful(start_new_session=True)
"""

ENVIRONMENT = """
import threading

ours = before_scenario, after_scenario

def hanging_before_scenario():
    threading.Event().wait()

def hanging_after_scenario():
    threading.Event().wait()

def before_scenario(context, scenario):
    ours[0](context, scenario)
    if "hangs_before_scenario" in scenario.tags: hanging_before_scenario()

def after_scenario(context, scenario):
    if "hangs_after_scenario" in scenario.tags: hanging_after_scenario()
    ours[1](context, scenario)
"""


def _feature(name: str, scenarios: dict[str, str], tags: dict[str, str] | None = None) -> str:
    text = f"Feature: {name}\n"
    for scenario, step in scenarios.items():
        tag = (tags or {}).get(scenario)
        text += f" @{tag} @timeout:1\n" if tag else ""
        text += f" Scenario: {scenario}\n"
        text += '  Given it starts a child called "{}"\n'.format(scenario.replace(" ", "-"))
        text += f"  When {step}\n  Then it works\n"
        text += f" Scenario: after {scenario}\n  Given it works\n"
    return text


@pytest.fixture(scope="module")
def project(shared_project: Project) -> Project:
    shared_project.steps(STEPS)
    shared_project.environment(ENVIRONMENT)
    for name, (step, _) in HANGS.items():
        scenario = f"{name} hangs"
        text = _feature(f"Hanging {name}", {scenario: f"it {step}"}, {scenario: "x"})
        shared_project.feature(f"hangs_{name}", text)
    for hook in HOOKS:
        scenario = f"{hook} hangs"
        text = _feature(f"Hanging {hook}", {scenario: "it works"}, {scenario: f"hangs_{hook}"})
        shared_project.feature(f"hangs_{hook}", text)
    deaths = {f"{name} dies": f"it {step}" for name, (step, _) in DEATHS.items()}
    shared_project.feature("deaths", _feature("Deaths", deaths))
    shared_project.feature("usual", """
        Feature: Usual
          @timeout:60
          Scenario: slow
            Given it ends slowly, but in time
          Scenario: forgetful and dying
            Given its child forgets its environment
            When it reads address zero
          @timeout:1
          Scenario: forgetful and hanging
            Given its child leaves its session as well
            When it loops for ever
          @timeout:1
          Scenario: fails in time
            Given its evidence takes longer than the scenario may
            Then it fails
        """)  # fmt: skip
    return shared_project


@pytest.fixture(scope="module")
def outcome(project: Project) -> Outcome:
    return project.run("-j", "4")


@pytest.fixture(scope="module")
def allure(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return outcome.allure


@pytest.mark.parametrize("name", HANGS)
def test_a_hanging_step_is_broken_with_the_stack_that_shows_where(
    name: str, outcome: Outcome, allure: dict[str, Any]
) -> None:
    scenario = outcome.scenario(f"{name} hangs")
    assert scenario["verdict"] == "broken"
    assert scenario["reason"].startswith("the scenario did not end within 1 s\n")
    assert f"in {HANGS[name][1]}" in scenario["trace"]
    assert scenario["steps"] == ["passed", "error", "skipped"]
    result = allure[f"{name} hangs"]
    assert result["status"] == "broken"
    assert HANGS[name][1] in result["statusDetails"]["trace"]
    assert result["steps"][1]["status"] == "broken"
    assert "stacks of the worker" in [a["name"] for a in result["attachments"]]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hanging_hook_of_a_scenario(hook: str, outcome: Outcome) -> None:
    scenario = outcome.scenario(f"{hook} hangs")
    assert scenario["verdict"] == "broken"
    assert scenario["reason"].startswith("the scenario did not end within 1 s\n")
    assert f"in {HOOKS[hook]}" in scenario["trace"]


@pytest.mark.parametrize("name", DEATHS)
def test_a_dead_worker_is_told_with_how_it_died(name: str, outcome: Outcome) -> None:
    scenario = outcome.scenario(f"{name} dies")
    assert scenario["verdict"] == "broken"
    assert (
        DEATHS[name][1].format(n=scenario["worker"].removeprefix("worker-")) in scenario["reason"]
    )
    assert scenario["steps"] == ["passed", "error", "skipped"]


def test_the_last_words_of_a_worker_are_kept(outcome: Outcome) -> None:
    assert "last words" in outcome.scenario("exit dies")["trace"]


def test_a_segfault_shows_its_stack(outcome: Outcome) -> None:
    trace = outcome.scenario("segfault dies")["trace"]
    assert "Segmentation fault" in trace
    assert "in reads_address_zero" in trace


def test_the_run_goes_on_with_the_next(outcome: Outcome) -> None:
    expected = {
        name: "passed" if name.startswith("after") or name == "slow" else "broken"
        for name in outcome.verdicts
    }
    expected |= {f"{hook} hangs": "broken" for hook in HOOKS} | {"fails in time": "failed"}
    assert outcome.verdicts == expected
    assert len(expected) == 2 * (len(HANGS) + len(HOOKS) + len(DEATHS)) + 4
    assert outcome.code == 1
    assert outcome.results["suite_problems"] == []


def test_evidence_takes_no_time_from_the_scenario(outcome: Outcome) -> None:
    scenario = outcome.scenario("fails in time")
    assert (scenario["verdict"], scenario["reason"]) == ("failed", "one is not two")


def test_every_ending_is_in_allure_once(outcome: Outcome, allure: dict[str, Any]) -> None:
    assert {name: result["status"] for name, result in allure.items()} == outcome.verdicts


def test_nothing_of_the_killed_workers_is_left(project: Project, outcome: Outcome) -> None:
    assert outcome.verdicts["forgetful and dying"] == "broken"
    assert outcome.verdicts["forgetful and hanging"] == "broken"
    project.assert_nothing_left(within=0.5)


# -- hooks outside of scenarios --------------------------------------------------------
LIMIT = "-Dscenario_timeout=1"
HANGING = """
import os, threading
def hanging(*_): threading.Event().wait()
"""
#: A minute by default; scaled.
LOADING_LIMIT = "-Dtime_factor=0.02"


def two_features(root: Path) -> Project:
    made = Project(root)
    made.feature("a", """
        Feature: First
          Scenario: one
            Given it works
          Scenario: two
            Given it works
        """)  # fmt: skip
    made.feature("b", "Feature: Second\n Scenario: three\n  Given it works\n")
    return made


@pytest.fixture(scope="module")
def hanging(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What becomes of runs in which one hook hangs, or the steps do when they are loaded."""
    feature = "def {0}(context, feature):\n    if feature.name == 'First': hanging()\n"
    hooks = {
        "before_feature": feature.format("before_feature"),
        "after_feature": feature.format("after_feature"),
        "before_all": "before_all = hanging\n",
        "after_all": "after_all = hanging\n",
        "loading": "if 'STACKPROOF_WORKER' in os.environ: hanging()\n",
    }
    running = {}
    for name, text in hooks.items():
        made = two_features(tmp_path_factory.mktemp(name))
        made.environment(HANGING + text)
        running[name] = made, made.start(LOADING_LIMIT if name == "loading" else LIMIT)
    try:
        outcomes = {name: run.end() for name, (_, run) in running.items()}
        for made, _ in running.values():
            made.assert_nothing_left(within=0.5)
        return outcomes
    finally:
        for _, run in running.values():
            run.kill()


def test_a_hanging_before_feature_keeps_its_scenarios_back_and_no_others(
    hanging: dict[str, Outcome],
) -> None:
    outcome = hanging["before_feature"]
    assert outcome.code == 1
    assert outcome.verdicts == {"one": "broken", "two": "broken", "three": "passed"}
    one = outcome.scenario("one")
    assert one["reason"] == "the hooks of its feature or rule did not end within 1 s"
    assert "in hanging" in one["trace"]


def test_a_hanging_after_feature_is_not_green(hanging: dict[str, Outcome]) -> None:
    outcome = hanging["after_feature"]
    assert outcome.code == 1
    assert set(outcome.verdicts.values()) == {"passed"}
    (problem,) = outcome.results["suite_problems"]
    assert "did not end within 1 s" in problem
    assert "in hanging" in problem
    assert outcome.allure["Hooks of the feature 'First'"]["status"] == "broken"


@pytest.mark.parametrize("hook", ["before_all", "after_all"])
def test_a_hanging_hook_of_the_whole_run(hanging: dict[str, Outcome], hook: str) -> None:
    outcome = hanging[hook]
    verdict = {"before_all": "broken", "after_all": "passed"}[hook]
    assert outcome.code == {"before_all": 2, "after_all": 1}[hook]
    assert set(outcome.verdicts.values()) == {verdict}
    (problem,) = outcome.results["suite_problems"]
    assert f"{hook} did not end within 1 s" in problem
    assert "in hanging" in problem


def test_steps_that_take_for_ever_to_load(hanging: dict[str, Outcome]) -> None:
    outcome = hanging["loading"]
    assert outcome.code == 2
    assert set(outcome.verdicts.values()) == {"broken"}
    assert "loading steps and hooks did not end within 1.2 s" in outcome.scenario("one")["reason"]


@pytest.fixture
def small(tmp_path: Path) -> Project:
    return two_features(tmp_path)


def test_a_dying_before_feature_does_not_respawn_for_ever(small: Project) -> None:
    small.environment("""
import os
def before_feature(context, feature):
    with open("notes.txt", "a") as notes: notes.write("before\\n")
    if feature.name == "First": os._exit(3)
""")
    outcome = small.run()
    assert outcome.code == 1
    assert outcome.verdicts == {"one": "broken", "two": "broken", "three": "passed"}
    assert "ended with exit code 3" in outcome.scenario("two")["reason"]
    assert small.notes == ["before", "before"]


def test_a_dying_before_rule_after_other_scenarios_is_not_green(small: Project) -> None:
    small.feature("a", """
        Feature: First
          Scenario: one
            Given it works
          Rule: r
            Scenario: two
              Given it works
        """)  # fmt: skip
    small.environment("""
import os
def before_rule(context, rule):
    if not os.path.exists("died"):
        open("died", "w").close()
        os._exit(3)
""")
    outcome = small.run()
    assert outcome.code == 1
    assert outcome.verdicts == {"one": "passed", "two": "passed", "three": "passed"}
    assert "ended with exit code 3" in outcome.results["suite_problems"][0]


def test_a_worker_that_dies_while_it_is_idle_is_told(small: Project) -> None:
    """With nothing to do for one of two workers, its death still counts."""
    small.environment("""
import os, threading
from stackproof.polling import poll

def die_when_idle(link):
    poll(link._asking.locked, within=20, awaiting="the worker to ask for work")
    os._exit(5)

def after_feature(context, feature):
    if feature.name == "Second":
        threading.Thread(target=die_when_idle, args=[context._runner._link]).start()
""")
    small.feature("a", """
        Feature: First
          Scenario: one
            Given it works
          Scenario: two
            Given "two" is noted
            And it is held up until "dead" is noted
        """)  # fmt: skip
    # Only when the other worker has "two" is there nothing left for this one.
    small.feature("b", """
        Feature: Second
          Scenario: three
            Given it is held up until "two" is noted
        """)  # fmt: skip
    running = small.start("-j", "2")
    running.until_noted("two")
    running.until(lambda: len(small.processes()) <= 3, "one worker to be gone")
    with (small.root / "notes.txt").open("a") as notes:
        notes.write("dead\n")
    outcome = running.end()
    assert outcome.code == 1
    assert set(outcome.verdicts.values()) == {"passed"}
    assert "ended with exit code 5 in waiting for work" in outcome.results["suite_problems"][0]
