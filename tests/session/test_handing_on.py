"""Dedicated clusters that are handed on: to whom, in which state, and when they are not."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stackproof.actions import Action, Crash, FillDisk, LosePower, Start
from stackproof.polling import poll
from stackproof.services.base import Endpoint, Requirement
from stackproof.session.running.clusters import Clusters
from tests.session.conftest import Outcome, Project

OWN = Requirement("store", dedicated=True)
LARGE = Requirement("store", (("brokers", 3),), dedicated=True)
_WITHIN = 10.0


class FakeStack:
    """Clusters that are names; what a look finds is said by the test."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.running: list[str] = []
        self.found: dict[str, str] = {}
        self.looked_at: list[str] = []
        self.may_look = threading.Event()
        self.may_look.set()

    def memory_mb(self, requirement: Requirement) -> int:
        return 100 * dict(requirement.options).get("brokers", 1)

    def renewable(self, requirement: Requirement) -> bool:
        return requirement.service == "store"

    def start(self, requirement: Requirement) -> Endpoint:
        name = f"{requirement.service}-{next(self._numbers)}"
        self.running.append(name)
        return Endpoint(requirement.service, name, "native", {}, instances=(name,))

    def stop(self, endpoint: Endpoint) -> None:
        self.running.remove(endpoint.cluster)

    def act(self, cluster: str, instance: str, action: Action) -> None:
        assert cluster in self.running

    def renew(self, endpoint: Endpoint) -> str | None:
        assert self.may_look.wait(_WITHIN)
        return self.unlike_new(endpoint)

    def unlike_new(self, endpoint: Endpoint) -> str | None:
        self.looked_at.append(endpoint.cluster)
        return self.found.get(endpoint.cluster)

    def logs(self) -> dict[str, Path]:
        return {name: Path(f"{name}.log") for name in self.running}


class Played:
    """Scenarios that are begun and ended by hand."""

    def __init__(self, *scenarios: Any, memory_mb: int = 10_000):
        self.stack = FakeStack()
        self.left = list(scenarios)
        self.said: list[str] = []
        stack: Any = self.stack
        self.clusters = Clusters(
            stack, memory_mb=memory_mb, shared=[], freed=lambda: None,
            left=lambda: list(self.left), say=self.said.append,
        )  # fmt: skip

    def begin(self, scenario: Any) -> str:
        """The name of the cluster that it gets."""
        poll(lambda: self.clusters.admit(scenario), within=_WITHIN, awaiting="to be admitted")
        (endpoint,) = self.clusters.provide(scenario).values()
        return endpoint.cluster

    def end(self, scenario: Any, *, passed: bool = True) -> None:
        """Does not wait for what becomes of its clusters."""
        self.left.remove(scenario)
        self.clusters.release(scenario, passed=passed)

    def settle(self) -> None:
        self.clusters.settle(_WITHIN)

    def play(self, scenario: Any) -> str:
        """Begin it, and have it pass."""
        name = self.begin(scenario)
        self.end(scenario)
        self.settle()
        return name


def scenario(name: str, *requirements: Requirement, alone: bool = False) -> Any:
    return SimpleNamespace(
        id=name,
        scenario=SimpleNamespace(name=name),
        requirements={f"{r.service} {n}": r for n, r in enumerate(requirements)},
        alone=alone,
        exclusive=frozenset(),
        uses=frozenset(),
        destructive={},
    )


def test_a_cluster_is_handed_on_and_on_and_stopped_when_nobody_asks_for_it_any_more() -> None:
    scenarios = [scenario(name, OWN) for name in ("a", "b", "c")]
    played = Played(*scenarios)
    assert {played.play(one) for one in scenarios} == {"store-1"}
    assert played.stack.running == []
    assert played.said == [
        "store-1 after 1 scenario is handed on to 'b'",
        "store-1 after 2 scenarios is handed on to 'c'",
    ]


def test_it_is_told_which_clusters_others_have_had() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    played.begin(first)
    assert played.clusters.handed_on(first) == ""
    assert played.clusters.logs(first)[1] == {"store-1"}, "its log is its own from the beginning"
    played.end(first)
    played.begin(second)
    assert played.clusters.handed_on(second) == "store-1 after 1 scenario, found as good as new"
    assert list(played.clusters.logs(second)[0]) == ["store-1"]
    assert played.clusters.logs(second)[1] == set(), "its log holds what others did"


def test_what_is_not_as_good_as_new_is_thrown_away_and_why_is_told() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    played.stack.found["store-1"] = "there is the key x"
    assert played.play(first) == "store-1"
    assert played.begin(second) == "store-2"
    assert played.said == [
        "store-1 after 1 scenario is not as good as new, and is thrown away: there is the key x"
    ]
    assert played.clusters.handed_on(second) == ""


def test_a_spare_is_looked_at_again_when_it_is_handed_on() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    played.play(first)
    played.stack.found["store-1"] = "broker 1: it does not tell"
    assert played.begin(second) == "store-2"
    assert "thrown away: broker 1: it does not tell" in played.said[-1]
    poll(lambda: played.stack.running == ["store-2"], within=_WITHIN, awaiting="its end")


def test_a_look_that_fails_throws_the_cluster_away() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)

    def fail(endpoint: Endpoint) -> str | None:
        raise ValueError("what is this?")

    played.stack.renew = fail  # type: ignore[method-assign]
    assert [played.play(first), played.play(second)] == ["store-1", "store-2"]
    assert "thrown away: ValueError: what is this?" in played.said[0]


def test_after_a_failure_it_is_thrown_away_unseen() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    played.begin(first)
    played.end(first, passed=False)
    assert played.begin(second) == "store-2"
    assert played.stack.looked_at == []


@pytest.mark.parametrize("action", [LosePower(), FillDisk()], ids=str)
def test_after_what_leaves_traces_it_is_thrown_away_unseen(action: Action) -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    name = played.begin(first)
    for done in (action, Start()):
        played.clusters.act(first, cluster=name, instance=name, action=done)
    played.end(first)
    assert played.begin(second) == "store-2"
    assert played.stack.looked_at == []
    assert played.said[0].startswith("store-1 is thrown away without a look: ")


def test_after_what_its_scenario_says_that_it_leaves_traces() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    played.clusters.leaves_traces(first, cluster="shared", what="of no account")
    played.clusters.leaves_traces(first, cluster=played.begin(first), what="a leader was deposed")
    played.end(first)
    assert played.begin(second) == "store-2"
    assert played.said == ["store-1 is thrown away without a look: a leader was deposed"]


def test_a_crash_that_has_healed_leaves_none() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    name = played.begin(first)
    for done in (Crash(), Start()):
        played.clusters.act(first, cluster=name, instance=name, action=done)
    played.end(first)
    assert played.begin(second) == "store-1"


def test_other_options_get_another_cluster() -> None:
    first, second, third = scenario("a", OWN), scenario("b", LARGE), scenario("c", OWN)
    played = Played(first, second, third)
    names = [played.play(one) for one in (first, second, third)]
    assert names == ["store-1", "store-2", "store-1"]


def test_a_service_without_a_look_is_never_handed_on() -> None:
    own = Requirement("other", dedicated=True)
    first, second = scenario("a", own), scenario("b", own)
    played = Played(first, second)
    assert [played.play(first), played.play(second)] == ["other-1", "other-2"]


def test_whoever_asks_for_what_is_just_looked_at_waits_for_it_and_others_do_not() -> None:
    first, second, third = scenario("a", OWN), scenario("b", OWN), scenario("c", LARGE)
    played = Played(first, second, third)
    played.begin(first)
    played.stack.may_look.clear()
    played.end(first)
    assert not played.clusters.admit(second)
    assert played.clusters.admit(third)
    played.stack.may_look.set()
    assert played.begin(second) == "store-1"


def test_two_at_a_time_get_one_each() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    third, fourth = scenario("c", OWN), scenario("d", OWN)
    played = Played(first, second, third, fourth)
    assert [played.begin(first), played.begin(second)] == ["store-1", "store-2"]
    played.end(first)
    played.end(second)
    played.settle()
    assert {played.begin(third), played.begin(fourth)} == {"store-1", "store-2"}


def test_a_scenario_with_two_clusters_gets_both() -> None:
    first, second = scenario("a", OWN, OWN), scenario("b", OWN, OWN)
    played = Played(first, second)
    for one in (first, second):
        assert played.clusters.admit(one)
        endpoints = played.clusters.provide(one)
        assert {e.cluster for e in endpoints.values()} == {"store-1", "store-2"}
        played.end(one)
        played.settle()


def test_what_nobody_will_ask_for_is_not_even_looked_at() -> None:
    first, second = scenario("a", OWN), scenario("b", LARGE)
    played = Played(first, second)
    played.play(first)
    assert played.stack.looked_at == []
    assert played.stack.running == []


def test_a_spare_that_nobody_will_ask_for_any_more_is_stopped() -> None:
    first, second, other = scenario("a", OWN), scenario("b", OWN), scenario("c", LARGE)
    played = Played(first, second, other)
    played.play(first)
    assert played.stack.running == ["store-1"]
    played.left.remove(second)  # it was passed over
    played.play(other)
    assert played.stack.running == []


def test_of_two_spares_one_stays_while_one_scenario_may_ask_for_it() -> None:
    first, second, third, fourth = (scenario(name, OWN) for name in "abcd")
    other = scenario("e", LARGE)
    played = Played(first, second, third, fourth, other)
    for one in (first, second):
        played.begin(one)
    for one in (first, second):
        played.end(one)
    played.settle()
    played.left.remove(third)  # it was passed over
    played.play(other)
    assert len(played.stack.running) == 1
    assert played.begin(fourth) in ("store-1", "store-2")


def test_spares_make_room_for_what_needs_the_memory() -> None:
    first, large, third = scenario("a", OWN), scenario("b", LARGE), scenario("c", OWN)
    played = Played(first, large, third, memory_mb=300)
    played.play(first)
    assert not played.clusters.admit(large), "the spare is still there"
    played.settle()
    assert played.stack.running == []
    assert played.begin(large) == "store-2"
    assert not played.clusters.admit(third)


def test_a_spare_takes_no_memory_twice_of_whom_it_is_handed_on_to() -> None:
    first, second = scenario("a", LARGE), scenario("b", LARGE)
    played = Played(first, second, memory_mb=300)
    played.play(first)
    assert played.clusters.admit(second)


def test_no_spare_runs_beside_a_scenario_that_runs_alone() -> None:
    first, alone, third = scenario("a", OWN), scenario("b", LARGE, alone=True), scenario("c", OWN)
    played = Played(first, alone, third)
    played.play(first)
    assert played.begin(alone) == "store-2"
    assert played.stack.running == ["store-2"]
    assert played.said == ["store-1 after 1 scenario is stopped: 'b' runs alone"]


def test_a_scenario_that_is_over_before_it_gets_its_spare_leaves_nothing() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    played.play(first)
    assert played.clusters.admit(second)
    played.end(second, passed=False)
    played.settle()
    assert played.stack.running == []


def test_nothing_is_handed_on_when_the_run_ends() -> None:
    first, second = scenario("a", OWN), scenario("b", OWN)
    played = Played(first, second)
    played.begin(first)
    played.stack.may_look.clear()
    played.end(first)
    played.clusters.close()
    played.stack.may_look.set()
    played.settle()
    assert played.stack.running == []


# -- whole runs --------------------------------------------------------------
STORE = '''

STORE_SERVER = """
import socketserver, sys
held = []
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            word, _, name = line.decode().strip().partition(" ")
            if word == "put":
                held.append(name)
                print("got", name, flush=True)
            elif word == "clear":
                held.clear()
            self.wfile.write(" ".join(held).encode() + bytes([10]))
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

def ask(endpoint, line):
    host, port = endpoint.addresses["bootstrap"].split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(line.encode() + bytes([10]))
        return connection.makefile().readline().split()

class Store(Echo):
    name = "store"
    title = "Store"
    command = STORE_SERVER

    def clear(self, endpoint):
        if "stuck" not in ask(endpoint, "list"):
            ask(endpoint, "clear")

    def unlike_new(self, endpoint, *, timeout):
        left = ask(endpoint, "list")
        return f"there is the key {left[0]}" if left else None

class Careless(Store):
    """A mutant: it clears nothing, and finds nothing."""
    def clear(self, endpoint): pass
    def unlike_new(self, endpoint, *, timeout): return None
'''
STEPS = """
from stackproof.session.needs import needs

def endpoint(context): return context.session.endpoint("store")

def ask(context, line):
    import fakes
    return fakes.ask(endpoint(context), line)

@step("an empty store of its own")
@needs("store", dedicated=True)
def own_store(context):
    with open("notes.txt", "a") as notes:
        notes.write(endpoint(context).cluster + "\\n")
    left = ask(context, "list")
    assert left == [], f"{left} is there"

@step("{name} is put into it")
def put(context, name): ask(context, f"put {name}")

@step('it is made to "{action}"')
def acts(context, action):
    from stackproof import actions
    done = getattr(actions, action)()
    context.session.act("store", endpoint(context).instances[0], done)

@step("it has lost what nobody can see")
def loses(context): context.session.leaves_traces("store", "writes were lost")
"""
FEATURE = """
Feature: Stores
  Scenario: first
    Given an empty store of its own
    When red is put into it
  Scenario: second
    Given an empty store of its own
    When stuck is put into it
  Scenario: third
    Given an empty store of its own
    When green is put into it
    Then it works
  Scenario: fourth
    Given an empty store of its own
    When blue is put into it
    Then it fails
  Scenario: fifth
    Given an empty store of its own
    When black is put into it
"""
TWO, THREE = (FEATURE.partition(f"  Scenario: {n}")[0] for n in ("third", "fourth"))


@pytest.fixture
def made(project: Project) -> Iterator[Project]:
    project.with_services()
    project.write("fakes.py", (project.root / "fakes.py").read_text() + STORE)
    project.write(
        "environment.py",
        (project.root / "environment.py").read_text()
        + "services._MODULES.update(store='fakes:Store')\n"
        + "from stackproof.stack import stack\nstack._RENEWED_WITHIN = 0.3\n",
    )
    project.steps(STEPS)
    yield project


def told(outcome: Outcome, name: str) -> str:
    return outcome.scenario(name)["parameters"].get("handed on", "")


def test_a_whole_run(made: Project) -> None:
    made.feature("a", FEATURE)
    outcome = made.run()
    verdicts = ["passed"] * 3 + ["failed", "passed"]
    assert list(outcome.verdicts.values()) == verdicts, outcome.text
    # The second scenario leaves what cannot be removed, the fourth fails.
    assert made.notes == ["store-1", "store-1", "store-2", "store-2", "store-3"]
    assert told(outcome, "first") == told(outcome, "third") == told(outcome, "fifth") == ""
    assert told(outcome, "second") == "store-1 after 1 scenario, found as good as new"
    log = (outcome.directory / "stackproof.log").read_text()
    assert "store-1 after 2 scenarios is not as good as new" in log
    assert "there is the key stuck" in log
    # It is told where it is wanted: of a failure.
    assert "handed on: store-2 after 1 scenario, found as good as new" in outcome.out
    assert outcome.out.count("handed on:") == 1
    (kept,) = (
        a for a in outcome.allure["fourth"]["attachments"] if a["name"].startswith("log of store")
    )
    text = (outcome.directory / "allure-results" / kept["source"]).read_text()
    assert "got blue" in text
    assert "green" not in text, "that was another scenario's"
    given = {p["name"]: p["value"] for p in outcome.allure["fourth"]["parameters"]}
    assert "store-2" in given["handed on"]
    made.assert_nothing_left(within=0.5)


def test_verbosely_it_is_told_of_each_and_what_is_thrown_away(made: Project) -> None:
    made.feature("a", THREE)
    outcome = made.run("--verbose")
    assert "handed on: store-1 after 1 scenario" in outcome.out
    assert "store-1 after 2 scenarios is not as good as new, and is thrown away" in outcome.err


def test_a_mutant_that_hands_on_what_is_not_new_is_caught_by_the_next_scenario(
    made: Project,
) -> None:
    environment = (made.root / "environment.py").read_text()
    made.write("environment.py", environment.replace("fakes:Store", "fakes:Careless"))
    made.feature("a", TWO)
    outcome = made.run()
    assert outcome.verdicts["second"] == "failed"
    assert "['red'] is there" in outcome.scenario("second")["reason"]


@pytest.mark.parametrize(
    "given", [{"STACKPROOF_FRESH_CLUSTERS": "yes"}, {"INTEGRATION_TEST_CLEANUP": "no"}]
)
def test_fresh_clusters_and_kept_stacks_hand_nothing_on(
    made: Project, given: dict[str, str]
) -> None:
    made.feature("a", TWO)
    outcome = made.run(**given)
    assert set(outcome.verdicts.values()) == {"passed"}, outcome.text
    assert made.notes == ["store-1", "store-2"]
    assert not any("handed on" in s["parameters"] for s in outcome.results["scenarios"])


def test_a_broken_cluster_is_not_handed_on(made: Project) -> None:
    made.feature("a", """
        Feature: Breaking
          Scenario: leaves it crashed
            Given an empty store of its own
            When it is made to "Crash"
          Scenario: leaves it paused
            Given an empty store of its own
            When it is made to "Pause"
          Scenario: heals it
            Given an empty store of its own
            When it is made to "Pause"
            And it is made to "Resume"
          Scenario: says that it leaves traces
            Given an empty store of its own
            When it has lost what nobody can see
          Scenario: last
            Given an empty store of its own
        """)  # fmt: skip
    outcome = made.run()
    assert set(outcome.verdicts.values()) == {"passed"}, outcome.text
    assert made.notes == ["store-1", "store-2", "store-3", "store-3", "store-4"]
    log = (outcome.directory / "stackproof.log").read_text()
    assert "store-1 was ended, and not started again" in log
    assert "store-2 is stopped in its tracks" in log
    assert "store-3 is thrown away without a look: writes were lost" in log
