"""Services of a run: started once, shared, dedicated, within the memory allowed, stopped."""

from __future__ import annotations

import itertools
import json
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stackproof.errors import Trouble
from stackproof.polling import poll
from stackproof.services.base import Endpoint, Requirement
from stackproof.session.running.clusters import Clusters
from stackproof.session.workers.pool import Pool
from stackproof.session.workers.process import Worker
from tests.session.conftest import Outcome, Project

STEPS = """
import json, socket
from stackproof.actions import Crash
from stackproof.session.needs import needs

def note(**what):
    with open("events.txt", "a") as events:
        events.write(json.dumps({"at": time.time(), **what}) + "\\n")

def address(context):
    return context.session.endpoint("echo").addresses["bootstrap"]

def answers(place):
    host, port = place.split(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True

@step("an echo")
@needs("echo")
def echo(context):
    note(what="echo", scenario=context.scenario.name, address=address(context))
    assert answers(address(context))

@step("an echo of its own")
@needs("echo", dedicated=True)
def own_echo(context): echo(context)

@step("an echo of its own with {count:d} brokers")
@needs("echo", dedicated=True, brokers="{count}")
def large_echo(context, count):
    echo(context)
    assert context.session.endpoint("echo").options["brokers"] == count

@step("the echo is {action}")
def acts(context, action):
    endpoint = context.session.endpoint("echo")
    assert action == "crashed"
    context.session.act("echo", endpoint.instances[0], Crash())

@step("the echo answers no more")
def silent(context): assert not answers(address(context))

@step("the echo of {scenario} answers no more")
def other_silent(context, scenario):
    with open("events.txt") as events:
        known = [json.loads(line) for line in events]
    (place,) = [e["address"] for e in known if e.get("scenario") == scenario]
    poll(lambda: not answers(place), within=10, awaiting="it to be stopped")

@step("a store that nobody declared")
def undeclared(context): context.session.endpoint("store")

@step("a dumb service")
@needs("dumb")
def dumb(context): note(what="dumb")

@step("a broken service")
@needs("broken")
def broken(context): note(what="broken")

@step("a broken service of its own")
@needs("broken", dedicated=True)
def own_broken(context): note(what="broken")

@step("it begins")
def begins(context): note(what="begins", scenario=context.scenario.name)

@step("it ends")
def ends(context): note(what="ends", scenario=context.scenario.name)
"""


def events(project: Project) -> list[dict[str, Any]]:
    file = project.root / "events.txt"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def spans(project: Project) -> dict[str, tuple[float, float]]:
    """When each scenario began and ended, as its steps noted."""
    noted = events(project)
    begun = {e["scenario"]: e["at"] for e in noted if e["what"] == "begins"}
    return {e["scenario"]: (begun[e["scenario"]], e["at"]) for e in noted if e["what"] == "ends"}


@pytest.fixture
def made(project: Project) -> Project:
    project.with_services()
    project.steps(STEPS)
    return project


@pytest.fixture(scope="module")
def with_echo(shared_project: Project) -> Project:
    shared_project.with_services()
    shared_project.steps(STEPS)
    shared_project.feature("echo", """
        Feature: Echoes
          Scenario: shared
            Given an echo
          Scenario: shared again
            Given an echo
          Scenario: own
            Given an echo of its own
            When the echo is crashed
            Then the echo answers no more
          Scenario: own and whole
            Given an echo of its own
          Scenario: breaks what is shared
            Given an echo
            When the echo is crashed
          Scenario: afterwards
            Given the echo of own answers no more
            And the echo of own and whole answers no more
            And an echo
          Scenario: undeclared
            Given a store that nobody declared
          Scenario: broken
            Given a broken service of its own
            Then it works
          Scenario: fails with a log
            Given an echo of its own
            Then it fails
        """)  # fmt: skip
    return shared_project


@pytest.fixture(scope="module")
def outcome(with_echo: Project) -> Outcome:
    return with_echo.run()


def test_verdicts_with_services(outcome: Outcome) -> None:
    assert outcome.verdicts == {
        "shared": "passed",
        "shared again": "passed",
        "own": "passed",
        "own and whole": "passed",
        "breaks what is shared": "broken",
        "afterwards": "passed",
        "undeclared": "broken",
        "broken": "broken",
        "fails with a log": "failed",
    }


def test_shared_clusters_are_shared_and_dedicated_ones_are_not(
    with_echo: Project, outcome: Outcome
) -> None:
    at = {e["scenario"]: e["address"] for e in events(with_echo)}
    assert at["shared"] == at["shared again"] == at["afterwards"]
    assert len({at["shared"], at["own"], at["own and whole"], at["fails with a log"]}) == 4


def test_a_shared_cluster_is_not_broken(outcome: Outcome) -> None:
    reason = outcome.scenario("breaks what is shared")["reason"]
    assert "is shared with other scenarios and must not be broken" in reason
    assert "dedicated=True" in reason


def test_what_was_not_declared_is_told(outcome: Outcome) -> None:
    assert "no store was started for this scenario" in outcome.scenario("undeclared")["reason"]


def test_a_dedicated_service_that_dies_breaks_its_scenario_only(outcome: Outcome) -> None:
    scenario = outcome.scenario("broken")
    assert scenario["category"] == "environment"
    assert "Broken died while it was starting" in scenario["reason"]
    assert "no licence" in scenario["reason"]
    assert scenario["steps"] == ["untested", "untested"]


def test_logs_of_the_services_are_attached_to_failures(outcome: Outcome) -> None:
    names = [a["name"] for a in outcome.allure["fails with a log"]["attachments"]]
    assert len([n for n in names if n.startswith("log of echo-")]) == 1, "its own alone"
    assert "attachments" not in outcome.allure["shared"]


def test_provider_in_the_results(outcome: Outcome) -> None:
    assert outcome.scenario("own")["provider"] == "native"


def test_nothing_is_left(with_echo: Project, outcome: Outcome) -> None:
    with_echo.assert_nothing_left(within=0.5)


def test_a_shared_service_that_does_not_start_breaks_the_scenarios_that_need_it(
    made: Project,
) -> None:
    made.feature("a", """
        Feature: Broken
          Scenario: needs it
            Given a broken service
          Scenario: does not
            Given it works
        """)  # fmt: skip
    outcome = made.run("-Dallow_skipped=yes")
    assert outcome.code == 1
    assert outcome.verdicts == {"needs it": "broken", "does not": "passed"}
    assert "no licence" in outcome.err
    assert "no licence" in outcome.scenario("needs it")["reason"]
    assert outcome.allure["needs it"]["status"] == "broken"
    made.assert_nothing_left(within=0.5)


def test_memory_admits_one_dedicated_cluster_after_the_other(made: Project) -> None:
    for name in "abc":
        made.feature(name, f"""
            Feature: {name}
              Scenario: first {name}
                Given an echo of its own with 2 brokers
                And it begins
                When it takes its time
                Then it ends
              Scenario: second {name}
                Given it works
            """)  # fmt: skip
    lingers = """
import threading
@step("it takes its time")
def lingers(context): threading.Event().wait(0.4)
"""
    made.steps(STEPS + lingers)
    outcome = made.run("-j", "3", STACKPROOF_MEMORY_MB="300")
    assert set(outcome.verdicts.values()) == {"passed"}, outcome.text
    begun = sorted(spans(made).values())
    assert len(begun) == 3
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(begun))


def test_memory_for_two_admits_two(made: Project) -> None:
    for name, other in ("ab", "ba"):
        made.feature(name, f"""
            Feature: {name}
              Scenario: meets {other}
                Given an echo of its own with 2 brokers
                And "{name}" is noted
                When it is held up until "{other}" is noted
                Then it works
            """)  # fmt: skip
    outcome = made.run("-j", "2", STACKPROOF_MEMORY_MB="400")
    assert set(outcome.verdicts.values()) == {"passed"}, outcome.text


def test_more_memory_than_there_will_ever_be_is_not_supported(made: Project) -> None:
    made.feature("a", """
        Feature: Large
          Scenario: shared
            Given an echo
          Scenario: large
            Given an echo of its own with 9 brokers
        """)  # fmt: skip
    outcome = made.run(STACKPROOF_MEMORY_MB="950")
    assert outcome.code == 1
    assert outcome.verdicts == {"shared": "passed", "large": "not supported"}
    # The shared one takes its part.
    assert "900 MiB for its own servers, 850 MiB are left" in outcome.scenario("large")["reason"]


def test_performance_scenarios_run_alone(made: Project) -> None:
    made.feature("a", """
        Feature: Performance
          Scenario: usual
            Given it begins
            Then it ends
          @performance
          Scenario: fast
            Given it begins
            When it is held up until "never" is noted, or not
            Then it ends
        """)  # fmt: skip
    for name in "bc":
        scenarios = "".join(
            f" Scenario: {name}{i}\n  Given it begins\n  When it takes a moment\n  Then it ends\n"
            for i in range(12)
        )
        made.feature(name, f"Feature: {name}\n{scenarios}")
    made.steps(
        STEPS
        + """
import threading
@step('it is held up until "never" is noted, or not')
def moment(context): threading.Event().wait(0.3)

@step("it takes a moment")
def short(context): threading.Event().wait(0.02)
"""
    )
    outcome = made.run("-j", "3")
    assert set(outcome.verdicts.values()) == {"passed"}, outcome.text
    noted = spans(made)
    assert len(noted) == 26
    begin, end = noted.pop("fast")
    beside = [name for name, (start, stop) in noted.items() if start < end and stop > begin]
    assert beside == []


def test_a_cluster_whose_scenario_is_over_before_it_is_up_is_stopped(made: Project) -> None:
    """The worker dies while its cluster is starting: nobody gets it, nothing is left of it."""
    made.write(
        "fakes.py",
        (made.root / "fakes.py").read_text()
        + """
class Slow(Echo):
    name = title = "slow"
    def addresses(self, site):
        with open("address.txt", "w") as file:
            file.write(super().addresses(site)["bootstrap"])
        return super().addresses(site)

    def check(self, endpoint, *, timeout):
        from pathlib import Path
        if not Path("killed").exists():
            Path("starting").touch()
            raise NotReady("not yet")
""",
    )
    made.environment("""
from stackproof import services
services._MODULES.update(slow="fakes:Slow")
import os, threading
from pathlib import Path
from stackproof.polling import poll

def die():
    poll(lambda: Path("starting").exists(), within=20, awaiting="the cluster to start")
    Path("dying").touch()
    os._exit(4)

def before_feature(context, feature):
    if feature.name == "Dying" and not Path("dying").exists():
        threading.Thread(target=die).start()
""")
    made.steps(
        STEPS
        + """
@step("a slow service of its own")
@needs("slow", dedicated=True)
def slow(context): pass

@step("the cluster of the first worker comes up")
def comes_up(context):
    poll(lambda: Path("dying").exists(), within=30, awaiting="the other worker's end")
    place = Path("address.txt").read_text()
    poll(lambda: answers(place), within=30, awaiting="the cluster to come up")
    Path("killed").touch()

@step("it is stopped at once")
def stopped(context):
    place = Path("address.txt").read_text()
    poll(lambda: not answers(place), within=10, awaiting="the cluster to be stopped")
"""
    )
    made.feature("a", """
        Feature: Dying
          Scenario: dies
            Given a slow service of its own
        """)  # fmt: skip
    made.feature("b", """
        Feature: Beside it
          Scenario: goes on
            Given the cluster of the first worker comes up
            Then it is stopped at once
        """)  # fmt: skip
    outcome = made.run("--jobs", "2")
    assert outcome.verdicts == {"dies": "broken", "goes on": "passed"}
    assert (
        "exit code 4 in waiting for what the scenario needs" in outcome.scenario("dies")["reason"]
    )
    made.assert_nothing_left(within=0.5)
    assert outcome.code == 1


def test_what_is_exclusive_is_used_by_one_at_a_time() -> None:
    stack: Any = SimpleNamespace(memory_mb=lambda _: 0)
    clusters = Clusters(stack, memory_mb=100, shared=[], freed=lambda: None)

    def scenario(name: str, *exclusive: str) -> Any:
        return SimpleNamespace(
            id=name, alone=False, requirements={}, exclusive=frozenset(exclusive), uses=frozenset()
        )

    first, second = scenario("first", "system a"), scenario("second", "system a", "system b")
    assert clusters.admit(first)
    assert not clusters.admit(second)
    assert clusters.admit(scenario("other", "system c"))
    assert clusters.admit(scenario("free"))
    clusters.release(first)
    assert clusters.admit(second)


def test_what_somebody_breaks_is_used_by_nobody_until_it_is_healed() -> None:
    healed, told = threading.Event(), []
    requirement = Requirement("kafka", dedicated=True)

    def stop(endpoint: Endpoint) -> None:
        assert healed.wait(30)
        raise Trouble("it is left broken")

    stack: Any = SimpleNamespace(
        memory_mb=lambda _: 0, stop=stop, renewable=lambda _: False,
        start=lambda _: Endpoint("kafka", "kafka-2", "external", {}),
    )  # fmt: skip
    clusters = Clusters(stack, memory_mb=0, shared=[], freed=lambda: None, failed=told.append)

    def scenario(name: str, exclusive: str = "", uses: str = "", **needed: Requirement) -> Any:
        return SimpleNamespace(
            id=name, alone=False, requirements=needed, destructive={},
            exclusive=frozenset(exclusive.split()), uses=frozenset(uses.split()),
        )  # fmt: skip

    breaks = scenario("breaks", exclusive="kafka", kafka=requirement)
    first, second = scenario("first", uses="kafka"), scenario("second", uses="kafka")
    assert clusters.admit(first)
    assert not clusters.admit(breaks), "it is in use"
    assert clusters.admit(second), "by others as well"
    clusters.release(first)
    clusters.release(second)
    assert clusters.admit(breaks)
    clusters.provide(breaks)
    assert not clusters.admit(first), "it is being broken"
    clusters.release(breaks)
    assert not clusters.admit(first), "it is not yet healed"
    healed.set()
    poll(lambda: clusters.admit(first), within=30, awaiting="the next one to be admitted")
    assert told == ["it is left broken"]


def test_nobody_overtakes_a_scenario_that_must_run_alone() -> None:
    """Or there would always be somebody beside it."""
    asked = []

    def admit(planned: Any) -> bool:
        asked.append(planned.id)
        return False

    listening: Any = SimpleNamespace(admit=admit, ready=lambda planned: True)
    settings: Any = None
    pool = Pool(settings, settings, listening, jobs=3, logs=Path(), feature_files=[],
                held=nullcontext)  # fmt: skip
    for name, alone in (("large", False), ("alone", True), ("small", False)):
        worker = Worker(process=SimpleNamespace(name=name))  # type: ignore[arg-type]
        worker.current = SimpleNamespace(id=name, alone=alone)  # type: ignore[assignment]
        pool._waiting.append(worker)
    pool._admit_waiting()
    assert asked == ["large", "alone"]


def test_a_scenario_s_evidence_holds_the_logs_of_the_services_that_it_uses_and_no_others() -> None:
    def uses(name: str, *requirements: Requirement) -> Any:
        return SimpleNamespace(
            id=name,
            requirements={r.service: r for r in requirements},
            alone=False,
            exclusive=frozenset(),
            uses=frozenset(),
            destructive={},
        )

    def endpoint(requirement: Requirement) -> Endpoint:
        if requirement.service == "broken":
            raise Trouble("it did not start")
        name = requirement.service + ("-own" if requirement.dedicated else "")
        return Endpoint(requirement.service, name, "native", {}, instances=(f"{name}-1",))

    instances = ("kafka-1", "redis-1", "rabbitmq-1", "kafka-own-1")
    stack: Any = SimpleNamespace(
        memory_mb=lambda _: 0,
        shared=endpoint,
        start=endpoint,
        logs=lambda: {name: Path(f"{name}.log") for name in instances},
    )
    clusters = Clusters(stack, memory_mb=100, shared=[], freed=lambda: None)
    kafka, redis = Requirement("kafka"), Requirement("redis")
    owner = uses("s1", Requirement("kafka", dedicated=True), redis)
    assert clusters.admit(owner)
    clusters.provide(owner)
    assert list(clusters.logs(owner)[0]) == ["redis-1", "kafka-own-1"]
    assert clusters.logs(owner)[1] == {"kafka-own-1"}
    assert list(clusters.logs(uses("s2", kafka))[0]) == ["kafka-1"]
    assert list(clusters.logs(uses("s3", Requirement("broken"), redis))[0]) == ["redis-1"]
    assert list(clusters.logs(uses("s4"))[0]) == []
