"""A service that cannot be had: every scenario that needs it says so, none passes silently."""

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
    assert outcome.code == 2, outcome.text
    needing = "caches" if service == "redis" else "queues"
    assert outcome.verdicts[needing] != "passed"
    assert ("nobody listens" if known else f"set {prefix}_HOST") in outcome.text
    assert outcome.allure[needing]["status"] not in ("passed", None)
    made.assert_nothing_left()


def test_without_a_way_to_obtain_it(made: Project) -> None:
    """Native, on a machine without apt."""
    outcome = made.run(STACK="native", PATH=str(made.root), STACKPROOF_CACHE=str(made.root / "c"))
    assert outcome.code == 2, outcome.text
    assert "cannot be obtained on this system" in outcome.text
    assert "passed" not in outcome.verdicts.values()
    made.assert_nothing_left()


def test_only_what_the_selected_scenarios_need_is_started(made: Project) -> None:
    plan = made.run("run", "--plan", "--name", "caches", program="stackproof")
    assert "redis" in plan.text and "rabbitmq" not in plan.text
    plan = made.run("run", "--plan", program="stackproof")
    assert "redis" in plan.text and "rabbitmq" in plan.text
