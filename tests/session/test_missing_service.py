"""A service that cannot be had: the scenarios that need it say so, the others run."""

from __future__ import annotations

import pytest

from stackproof.ports import free_port
from tests.session.conftest import Project

NEEDS = """
from stackproof.session.needs import needs

@step("a cache")
@needs("redis")
def cache(context): pass

@step("a queue")
@needs("rabbitmq")
def queue(context): pass
"""
ECHOES = """
from stackproof.session.needs import needs

@step("an echo")
@needs("echo")
def echo(context): pass

@step("an echo of its own")
@needs("echo", dedicated=True)
def own(context): pass

@step("a broken one")
@needs("broken")
def broken(context): pass

@step("a broken one of its own")
@needs("broken", dedicated=True)
def broken_own(context): pass

@step("a slow one")
@needs("slow")
def slow(context): pass
"""
SLOW = """
class Slow(Echo):
    \"""Is up when a scenario has noted "go on".\"""
    name = title = "slow"
    def check(self, endpoint, *, timeout):
        from pathlib import Path
        if not Path("notes.txt").exists() or "go on" not in Path("notes.txt").read_text():
            raise NotReady("nothing is noted")
        super().check(endpoint, timeout=timeout)
"""
OBTAINED_SLOWLY = """
class Slow(Echo):
    \"""Is obtained when a scenario has noted "go on".\"""
    name = title = "slow"
    def artifacts(self):
        from pathlib import Path
        from types import SimpleNamespace
        from stackproof.polling import poll
        def build(*_):
            poll(lambda: "go on" in Path("notes.txt").read_text(), within=30, awaiting="it",
                 retry_on=(OSError,))
        return (SimpleNamespace(key="slow", title="Slow", build=build),)
"""
NOT_TO_BE_HAD = """
class Broken(Echo):
    name = title = "broken"
    def artifacts(self):
        from stackproof.errors import Trouble
        from types import SimpleNamespace
        def build(*_):
            raise Trouble("it is sold out", "no licence", "buy it")
        return (SimpleNamespace(key="broken", title="Broken", build=build),)
"""
DEFECT = """
class Broken(Echo):
    name = title = "broken"
    def artifacts(self):
        from types import SimpleNamespace
        def build(*_):
            raise KeyError("no licence")
        return (SimpleNamespace(key="broken", title="Broken", build=build),)
"""
MIXED = """
    Feature: mixed
      Scenario: broken first
        Given a broken one
      Scenario: echo
        Given an echo
        Then it works
      Rule: r
        Scenario: broken second
          Given an echo
          And a broken one
        Scenario: echo of its own
          Given an echo of its own
          Then it works
      Scenario: nothing
        Given it works
    """
TEXT = """
    Feature: f
      Scenario: caches
        Given a cache
        Then it works
      Scenario: queues
        Given a queue
        Then it works
    """


@pytest.fixture
def made(project: Project) -> Project:
    project.steps(NEEDS)
    project.feature("f", TEXT)
    return project


@pytest.mark.parametrize("service", ["redis", "rabbitmq"])
@pytest.mark.parametrize("known", [True, False], ids=["nobody listens", "nothing is said"])
def test_no_scenario_passes(made: Project, service: str, known: bool) -> None:
    text = TEXT.replace("a queue" if service == "redis" else "a cache", "it works")
    made.feature("f", text)
    prefix = service.upper()
    where = {f"{prefix}_HOST": "127.0.0.1", f"{prefix}_PORT": str(free_port())} if known else {}
    outcome = made.run(STACK="external", STACKPROOF_CACHE=str(made.root / "cache"), **where)
    assert outcome.code == 1, outcome.text
    needing, other = ("caches", "queues") if service == "redis" else ("queues", "caches")
    assert outcome.verdicts == {needing: "broken", other: "passed"}
    said = "nobody listens" if known else f"set {prefix}_HOST"
    assert said in outcome.text
    assert said in outcome.scenario(needing)["reason"]
    assert outcome.scenario(needing)["category"] == "environment"
    assert outcome.allure[needing]["status"] == "broken"
    made.assert_nothing_left()


def test_without_a_way_to_obtain_it(made: Project) -> None:
    """Native, on a machine without apt."""
    outcome = made.run(STACK="native", PATH=str(made.root), STACKPROOF_CACHE=str(made.root / "c"))
    assert outcome.code == 2, outcome.text
    assert "cannot be obtained on this system" in outcome.text
    assert set(outcome.verdicts.values()) == {"broken"}
    made.assert_nothing_left()


@pytest.fixture
def echoes(project: Project) -> Project:
    project.steps(ECHOES)
    project.with_services()
    return project


def know(project: Project, text: str) -> None:
    """More services, or others of the same name."""
    project.write("fakes.py", (project.root / "fakes.py").read_text() + text)
    if "class Slow" in text:
        hooks = project.root / "environment.py"
        hooks.write_text(hooks.read_text() + 'services._MODULES.update(slow="fakes:Slow")\n')


@pytest.mark.parametrize("how", ["", NOT_TO_BE_HAD, DEFECT], ids=["start", "obtain", "defect"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_its_trouble_breaks_the_scenarios_that_need_it(
    echoes: Project, how: str, jobs: str
) -> None:
    know(echoes, how)
    echoes.feature("mixed", MIXED)
    echoes.feature("only", "Feature: only\n Scenario: broken third\n  Given a broken one\n")
    outcome = echoes.run("-j", jobs, STACK="native", STACKPROOF_CACHE=str(echoes.root / "c"))
    assert outcome.code == 1, outcome.text
    assert outcome.verdicts == {
        "broken first": "broken", "echo": "passed", "broken second": "broken",
        "echo of its own": "passed", "nothing": "passed", "broken third": "broken",
    }  # fmt: skip
    for name in ("broken first", "broken second", "broken third"):
        assert "no licence" in outcome.scenario(name)["reason"]
        assert outcome.scenario(name)["category"] == "environment"
        assert outcome.allure[name]["status"] == "broken"
    assert outcome.err.count("\n  why: ") == 1, "told once"
    assert "3 scenarios need this; the others are run" in outcome.err
    assert bool(outcome.results["suite_problems"]) == (how == DEFECT)
    echoes.assert_nothing_left()


def test_when_nothing_could_be_run_the_run_could_not(echoes: Project) -> None:
    echoes.feature("a", """
        Feature: a
          Scenario: one
            Given a broken one
          Scenario: two
            Given a broken one of its own
        """)  # fmt: skip
    outcome = echoes.run(STACK="native")
    assert (outcome.code, outcome.verdicts) == (2, {"one": "broken", "two": "broken"})


def test_the_run_stops_at_it_when_told_so(echoes: Project) -> None:
    know(echoes, NOT_TO_BE_HAD)
    echoes.feature("mixed", MIXED)
    outcome = echoes.run("--stop", STACK="native", STACKPROOF_CACHE=str(echoes.root / "c"))
    assert outcome.code in (1, 2)  # whether something else had begun by then
    verdicts = list(outcome.verdicts.values())
    assert "broken" in verdicts
    assert set(verdicts) <= {"broken", "skipped", "passed"}
    assert len(outcome.allure) == 5


@pytest.mark.parametrize("slow", [SLOW, OBTAINED_SLOWLY], ids=["start", "obtain"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_slow_service_holds_up_nobody_who_does_not_need_it(
    echoes: Project, slow: str, jobs: str
) -> None:
    know(echoes, slow)
    echoes.feature("a", "Feature: a\n Scenario: alone\n  Given a slow one\n")
    echoes.feature("b", """
        Feature: b
          Scenario: waits
            Given a slow one
            Then "waited" is noted
          Scenario: goes on
            Given an echo
            Then "go on" is noted
        """)  # fmt: skip
    outcome = echoes.run("-j", jobs, STACK="native", STACKPROOF_CACHE=str(echoes.root / "c"))
    assert set(outcome.verdicts.values()) == {"passed"}, outcome.text
    assert echoes.notes == ["go on", "waited"]
    assert "slow: up after" in outcome.err


def test_what_runs_alone_waits_until_nothing_is_starting_any_more(echoes: Project) -> None:
    know(echoes, SLOW)
    echoes.feature("a", """
        Feature: a
          @performance
          Scenario: measures
            Given "measured" is noted
          Scenario: slow
            Given a slow one
          Scenario: goes on
            Given an echo
            Then "go on" is noted
        """)  # fmt: skip
    outcome = echoes.run(STACK="native")
    assert set(outcome.verdicts.values()) == {"passed"}, outcome.text
    assert echoes.notes == ["go on", "measured"]


TELLING = """
class Echo(Echo):
    def version(self, endpoint):
        open("asked.txt", "w").close()
        return "Echo 7.1"

class Slow(Echo):
    \"""Is forbidden to tell.\"""
    name = title = "slow"
    def version(self, endpoint):
        raise PermissionError("none of your business")
    def artifacts(self):
        from types import SimpleNamespace
        return (SimpleNamespace(key="slow", title="Slow 3.0", build=lambda *_: None),)
"""


def test_the_report_names_the_version_of_each_server(echoes: Project) -> None:
    know(echoes, TELLING)
    echoes.steps(ECHOES + """
@step("it has been asked")
def asked(context): poll(Path("asked.txt").exists, within=20, awaiting="somebody to ask")
""")  # fmt: skip
    echoes.feature("a", """
        Feature: a
          Scenario: one
            Given an echo
            And a slow one
            Then it has been asked
        """)  # fmt: skip
    outcome = echoes.run(STACK="native", STACKPROOF_CACHE=str(echoes.root / "c"))
    assert outcome.code == 0, outcome.text
    assert outcome.results["servers"] == {"echo": "Echo 7.1", "slow": "Slow 3.0"}
    properties = (outcome.directory / "allure-results" / "environment.properties").read_text()
    assert "echo=Echo 7.1\n" in properties
    assert "slow=Slow 3.0\n" in properties


def test_only_what_the_selected_scenarios_need_is_started(made: Project) -> None:
    plan = made.run("run", "--plan", "--name", "caches", program="stackproof")
    assert "redis" in plan.text and "rabbitmq" not in plan.text
    plan = made.run("run", "--plan", program="stackproof")
    assert "redis" in plan.text and "rabbitmq" in plan.text
