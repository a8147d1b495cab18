"""What the planner makes of features and of what steps declare."""

from __future__ import annotations

from typing import Any

import pytest
from behave.configuration import Configuration
from behave.model import Step
from behave.parser import parse_feature
from behave.step_registry import StepRegistry

from stackproof import services
from stackproof.errors import Trouble
from stackproof.services.base import Requirement
from stackproof.session.needs import needs, uses_system
from stackproof.session.plan import Plan, make_plan
from stackproof.session.selection.misread import misread
from stackproof.settings import Settings, load


class Fake:
    """As much of a service as planning looks at."""

    title = "Fake"

    def __init__(self, name: str):
        self.name = name

    def default_options(self) -> dict[str, Any]:
        return {"brokers": 1, "mode": "plain", "sasl": False}

    def connection_settings(self) -> tuple[Any, ...]:
        return ()


@pytest.fixture(autouse=True)
def fake_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("echo", "store"):
        monkeypatch.setitem(services._known, name, Fake(name))


@pytest.fixture
def registry() -> StepRegistry:
    made = StepRegistry()

    def define(pattern: str, *declared: Any) -> None:
        def function(context: Any, **_: Any) -> None: ...

        for declare in declared:
            function = declare(function)
        made.add_step_definition("step", pattern, function)

    define("nothing")
    define("an echo", needs("echo"))
    define("a store", needs("store"))
    define("three brokers", needs("echo", brokers=3))
    define("two brokers", needs("echo", brokers=2))
    define("{count:d} brokers", needs("echo", brokers="{count}"))
    define("brokers: {count}", needs("echo", brokers="{count}"))
    define("a crash", needs("echo", dedicated=True))
    define("mode {mode}", needs("echo", mode="{mode}"))
    define("encryption {word}", needs("echo", sasl=True))
    define("no encryption", needs("echo", sasl=False))
    define("both", needs("echo"), needs("store"))
    define("another echo", needs("echo", called="echo far away", brokers=2))
    define("a mistake", needs("echo", brokers="{number}"))
    define("an odd option", needs("echo", colour="red"))
    define("an unknown service", needs("ecko"))
    define("the pipeline runs", uses_system("pipe"))
    define("a broker", needs("kafka"))
    define("a broker that is broken", needs("kafka", dedicated=True))
    return made


def planned(
    registry: StepRegistry, *texts: str, factor: float = 1, args: str = "",
    settings: Settings | None = None,
) -> Plan:  # fmt: skip
    features = [parse_feature(text, filename=f"f{i}.feature") for i, text in enumerate(texts)]
    config = Configuration(args, load_config=False)
    return make_plan(features, config, registry, scenario_timeout=60, time_factor=factor,
                     settings=settings)  # fmt: skip


def the_only(plan: Plan) -> Any:
    (one,) = plan.scenarios
    return one


def requirement(registry: StepRegistry, *steps: str) -> Requirement:
    text = "Feature: f\n Scenario: s\n" + "".join(f"  Given {step}\n" for step in steps)
    return the_only(planned(registry, text)).requirements["echo"]


def test_background_rules_and_rows_count(registry: StepRegistry) -> None:
    plan = planned(registry, """
        Feature: f
          Background:
            Given an echo
          Scenario: plain
            Given nothing
          Scenario Outline: row <n>
            Given <n> brokers
            Examples:
              | n |
              | 2 |
              | 5 |
          Rule: r
            Background:
              Given a store
            Scenario: in a rule
              Given three brokers
        """)  # fmt: skip
    found = {p.scenario.name.strip(): set(map(str, p.requirements.values()))
             for p in plan.scenarios}  # fmt: skip
    assert found == {
        "plain": {"echo"},
        "row 2 -- @1.1": {"echo (brokers=2)"},
        "row 5 -- @1.2": {"echo (brokers=5)"},
        "in a rule": {"echo (brokers=3)", "store"},
    }
    assert plan.services() == ["echo", "store"]


def test_a_second_cluster_of_a_service_goes_by_its_name(registry: StepRegistry) -> None:
    text = "Feature: f\n Scenario: s\n  Given an echo\n  And another echo\n"
    needed = planned(registry, text).scenarios[0].requirements
    assert needed == {
        "echo": Requirement("echo"),
        "echo far away": Requirement("echo", (("brokers", 2),)),
    }


def test_the_larger_number_counts_whatever_the_order(registry: StepRegistry) -> None:
    assert dict(requirement(registry, "two brokers", "three brokers").options) == {"brokers": 3}
    assert dict(requirement(registry, "three brokers", "two brokers").options) == {"brokers": 3}


def test_a_parameter_is_compared_as_a_number(registry: StepRegistry) -> None:
    assert dict(requirement(registry, "brokers: 10", "brokers: 9").options) == {"brokers": 10}
    assert dict(requirement(registry, "4 brokers", "three brokers").options) == {"brokers": 4}


def test_a_parameter_that_is_no_number_is_told_with_its_place(registry: StepRegistry) -> None:
    with pytest.raises(Trouble, match=r"'many' is no number\n.*f0.feature:3: Given brokers: many"):
        requirement(registry, "brokers: many")


def test_dedicated_wins(registry: StepRegistry) -> None:
    assert requirement(registry, "a crash", "three brokers").dedicated
    assert requirement(registry, "three brokers", "a crash").dedicated
    assert not requirement(registry, "three brokers").dedicated
    assert dict(requirement(registry, "a crash", "three brokers").options) == {"brokers": 3}


@pytest.mark.parametrize("steps", [("mode fast", "mode safe"), ("encryption on", "no encryption")])
def test_options_that_are_no_numbers_cannot_be_merged(
    registry: StepRegistry, steps: tuple[str, str]
) -> None:
    with pytest.raises(Trouble, match=r"two steps need echo with different (mode|sasl)"):
        requirement(registry, *steps)
    assert requirement(registry, steps[0], steps[0]).options


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("a mistake", "no parameter 'number'"),
        ("an odd option", "no option 'colour'"),
        ("an unknown service", "no service is called 'ecko'"),
    ],
)
def test_mistaken_needs_are_told_with_the_step(
    registry: StepRegistry, step: str, said: str
) -> None:
    with pytest.raises(Trouble) as trouble:
        requirement(registry, step)
    assert said in str(trouble.value)
    assert f"f0.feature:3: Given {step}" in str(trouble.value)


def test_a_step_may_need_several_services(registry: StepRegistry) -> None:
    plan = planned(registry, "Feature: f\n Scenario: s\n  Given both\n")
    assert sorted(the_only(plan).requirements) == ["echo", "store"]


TIMED = """
    @timeout:50
    Feature: f
      Scenario: feature
        Given nothing
      @timeout:7
      Scenario: own
        Given nothing
      @timeout:20
      Scenario Outline: outline
        Given nothing
        @timeout:30
        Examples: slow
          | n |
          | 1 |
        Examples: quick
          | n |
          | 1 |
      @timeout:40
      Rule: r
        Scenario: rule
          Given nothing
        @timeout:2.5s
        Scenario: own in rule
          Given nothing
    """


def test_the_nearest_time_limit_wins(registry: StepRegistry) -> None:
    plan = planned(registry, TIMED)
    assert {p.scenario.name.strip(): p.deadline for p in plan.scenarios} == {
        "feature": 50,
        "own": 7,
        "outline -- @1.1 slow": 30,
        "outline -- @2.1 quick": 20,
        "rule": 40,
        "own in rule": 2.5,
    }


def test_one_factor_scales_every_limit(registry: StepRegistry) -> None:
    plan = planned(registry, TIMED, "Feature: g\n Scenario: s\n  Given nothing\n", factor=3)
    assert [p.deadline for p in plan.scenarios] == [150, 21, 90, 60, 120, 7.5, 180]


@pytest.mark.parametrize("tag", ["timeout:soon", "timeout:0", "timeout:2m", "timeout:"])
def test_a_time_limit_that_is_none_is_no_silent_default(registry: StepRegistry, tag: str) -> None:
    with pytest.raises(Trouble, match=f"@{tag} is no time limit"):
        planned(registry, f"Feature: f\n @{tag}\n Scenario: s\n  Given nothing\n")


def test_deselected_scenarios_need_nothing(registry: StepRegistry) -> None:
    text = """
        Feature: f
          @here
          Scenario: here
            Given an echo
          Scenario: elsewhere
            Given a store
            And something undefined
        """
    plan = planned(registry, text, args="--tags=@here")
    assert the_only(plan).scenario.name == "here"
    assert plan.services() == ["echo"]
    assert plan.undefined == []
    assert the_only(planned(registry, text, args="--name=^here")).scenario.name == "here"


def test_undefined_steps_are_found_in_every_scenario(registry: StepRegistry) -> None:
    plan = planned(registry, """
        Feature: f
          Background:
            Given a thing
          Scenario: one
            Given nothing
          Scenario: two
            When another thing happens
        """)  # fmt: skip
    assert [(s.name, t.line, t.name) for s, t in plan.undefined] == [
        ("one", 4, "a thing"),
        ("two", 4, "a thing"),
        ("two", 8, "another thing happens"),
    ]


def test_what_can_prove_nothing_is_found(registry: StepRegistry) -> None:
    plan = planned(registry, """
        Feature: f
          Scenario: to do
          Scenario: fine
            Given nothing
          Scenario Outline: no rows
            Given nothing
            Examples:
              | n |
        """)  # fmt: skip
    assert sorted(plan.empty) == [
        "f0.feature:3: has no steps",
        "f0.feature:6: has no rows of examples",
    ]


def test_performance_runs_alone(registry: StepRegistry) -> None:
    plan = planned(registry, """
        Feature: f
          @performance
          Scenario: fast
            Given nothing
          Scenario: usual
            Given nothing
        """)  # fmt: skip
    assert [p.alone for p in plan.scenarios] == [True, False]


def many() -> list[str]:
    scenarios = "".join(f" Scenario: s{i}\n  Given nothing\n" for i in range(6))
    return [f"Feature: f{i}\n{scenarios}" for i in range(4)]


def test_random_order_is_reproducible_and_keeps_features_together(registry: StepRegistry) -> None:
    def order(seed: str) -> list[tuple[int, str]]:
        plan = planned(registry, *many())
        plan.shuffle(seed)
        return [(p.feature_index, p.scenario.name) for p in plan.scenarios]

    written = [(p.feature_index, p.scenario.name) for p in planned(registry, *many()).scenarios]
    first = order("a")
    assert first == order("a")
    assert first != order("b")
    assert first != written
    assert sorted(first) == sorted(written)
    features = [feature for feature, _ in first]
    assert len([i for i in range(1, 24) if features[i] != features[i - 1]]) == 3


def test_the_description_says_what_would_be_started(registry: StepRegistry) -> None:
    plan = planned(registry, """
        Feature: Echoes
          Scenario: shared
            Given two brokers
          Scenario: own
            Given a crash
          Scenario: none
            Given nothing
        """)  # fmt: skip
    assert plan.describe().splitlines() == [
        "3 scenarios in 1 feature",
        "  shared:    echo (brokers=2)",
        "  dedicated: echo, for one scenario",
        "f0.feature: Echoes",
        "  shared  [echo (brokers=2); 60 s]",
        "  own  [echo dedicated; 60 s]",
        "  none  [nothing; 60 s]",
    ]


def test_matches_are_kept_for_formatters(registry: StepRegistry) -> None:
    plan = planned(registry, "Feature: f\n Scenario: s\n  Given 7 brokers\n")
    (step,) = the_only(plan).steps
    assert [a.value for a in plan.matches[id(step)].arguments] == [7]


@pytest.mark.parametrize(
    "said",
    [
        "Scenario: s\n    Gven a store\n    When nothing",
        "Scenario: s\n    Wen something undefined\n    When nothing",
        "Scenario: s\n    Angenommen a store\n    When nothing",
        "Scenario Outline: s\n    Gven a store\n    When nothing\n  Examples:\n    | n |\n    | 1|",
        "Background:\n    Gven a store\n  Scenario: s\n    When nothing",
        "Scenaro: s\n    Given a store\n  Scenario: t\n    When nothing",
        "Rule: r\n  Backgroud:\n    Given a store\n  Scenario: t\n    When nothing",
        "Rule: r\n  Scenario: s\n    Thn nothing\n    When nothing",
    ],
)
def test_a_step_that_a_misspelt_keyword_hides_is_found(registry: StepRegistry, said: str) -> None:
    feature = parse_feature(f"Feature: F\n  {said}\n")
    found = list(misread(feature, matched_by(registry)))
    assert len(found) == 1, found


@pytest.mark.parametrize(
    "said",
    [
        "When a broker stops, this holds.\n  Given a store, and so on: see there.\n"
        "  Scenario: s\n    The order counts, an early one more.\n    They are many. Note: few.\n"
        "    As a user\n    I want nothing\n    Given nothing",
        "Scenario: s\n    Given nothing\n    When a store",
    ],
)
def test_prose_is_prose(registry: StepRegistry, said: str) -> None:
    feature = parse_feature(f"Feature: F\n  {said}\n")
    assert list(misread(feature, matched_by(registry))) == []


@pytest.mark.parametrize(
    "said",
    ["Role: operator", "Rules: none are secret.", "Ruler: metric", "Features: many",
     "Creature: a mule", "Samples: two", "Background info: see there", "examples: see below",
     "rule: lose nothing", "Future: unknown", "Scene: a shop", "Ground: wet",
     "Scenario overview: of all"],
)  # fmt: skip
@pytest.mark.parametrize("block", ["Feature: F", "Feature: F\n Rule: r"])
def test_prose_with_a_colon_is_prose(registry: StepRegistry, block: str, said: str) -> None:
    feature = parse_feature(f"{block}\n  {said}\n  Scenario: s\n    Given nothing\n")
    assert list(misread(feature, matched_by(registry))) == []


@pytest.mark.parametrize(
    "said",
    ["Ten customers wait.", "Give and take is all.", "They come and go.", "Then, they wait.",
     "Them we know.", "Gives a hint.", "Than before, more.", "Whenever it rains, it pours.",
     "when the night comes", "then nothing more is said", "Any of them.",
     "Bus and train.", "Band of brothers.", "Hen and egg.", "- Ten of them",
     "1. Then this", "- Given by whom", "Ten\u00a0customers wait.", "So: given a store"],
)  # fmt: skip
def test_prose_above_steps_is_prose(registry: StepRegistry, said: str) -> None:
    feature = parse_feature(f"Feature: F\n Scenario: s\n  {said}\n  Given nothing\n")
    assert list(misread(feature, matched_by(registry))) == []


@pytest.mark.parametrize(
    "keyword",
    [
        "Gven",
        "Givne",
        "Givn",
        "Giiven",
        "Gifen",
        "Wehn",
        "Whn",
        "Whhen",
        "Thne",
        "Tehn",
        "Thenn",
        "gven",
        "GVEN",
    ],
)
def test_typing_errors_in_keywords_of_steps(registry: StepRegistry, keyword: str) -> None:
    text = f"Feature: F\n Scenario: s\n  some prose\n\n  {keyword} whatever\n  Given nothing\n"
    found = list(misread(parse_feature(text), matched_by(registry), text))
    assert found == [(5, f"{keyword} whatever")]


@pytest.mark.parametrize(
    "keyword",
    ["Scenrio", "Scneario", "Senario", "Scenerio", "scenario", "Scenario outline",
     "Scenaro Outline", "Exmples", "Exampels", "Backgroud", "Bakground", "Rul",
     "Ruel", "Rulle", "Featur", "Fature"],
)  # fmt: skip
def test_typing_errors_in_keywords_of_blocks(registry: StepRegistry, keyword: str) -> None:
    text = f"Feature: F\n  prose\n  {keyword}: t\n  Scenario: s\n    Given nothing\n"
    found = list(misread(parse_feature(text), matched_by(registry), text))
    assert found == [(3, f"{keyword}: t")]


@pytest.mark.parametrize(
    "said",
    ["Given\u00a0a thing", "Given\ta thing", "Given\u3000a thing", "Given\u200ba thing",
     "\u200bWhen\u202fa thing", "Gi\u00adven a thing", "- Given a store", "1. When a store",
     "> Then nothing", "**Given** nothing", "Givennothing", "*\u00a0nothing"],
)  # fmt: skip
def test_blanks_and_bullets_that_hide_a_step(registry: StepRegistry, said: str) -> None:
    feature = parse_feature(f"Feature: F\n Scenario: s\n  {said}\n  Given nothing\n")
    assert len(feature.scenarios[0].steps) == 1  # or Gherkin has read it
    assert [line for line, _ in misread(feature, matched_by(registry))] == [2]


@pytest.mark.parametrize(
    "said",
    ["Scenario : t", "Scenario\uff1a t", "Scenario\u00a0: t", "Scenario\u00a0Outline: t",
     "Scenario  Outline: t", "\u200bRule: t", "Background : t", "Example : t"],
)  # fmt: skip
def test_blanks_and_colons_that_hide_a_block(registry: StepRegistry, said: str) -> None:
    feature = parse_feature(f"Feature: F\n {said}\n  Given a\n Scenario: s\n  Given nothing\n")
    assert len(feature.scenarios) == 1
    assert len(list(misread(feature, matched_by(registry)))) == 1


@pytest.mark.parametrize(
    ("language", "feature", "said"),
    [("fr", "Fonctionnalité", "Scénario : t"), ("fr", "Fonctionnalité", "Sce\u0301nario: t"),
     ("fr", "Fonctionnalité", "Règle\u202f: t"), ("zh-CN", "功能", "场景\uff1a t"),
     ("de", "Funktion", "Szenario : t")],
)  # fmt: skip
def test_blocks_of_other_languages_are_hidden_in_the_same_ways(
    registry: StepRegistry, language: str, feature: str, said: str
) -> None:
    text = f"# language: {language}\n{feature}: F\n {said}\n"
    found = list(misread(parse_feature(text), matched_by(registry), text))
    assert [line for line, _ in found] == [3]


def test_steps_of_other_languages_are_hidden_in_the_same_ways(registry: StepRegistry) -> None:
    text = "# language: de\nFunktion: F\n Szenario: s\n  Angenommen\u00a0es\n  Wenn nothing\n"
    found = list(misread(parse_feature(text), matched_by(registry), text))
    assert [line for line, _ in found] == [4]


def test_the_same_words_twice_are_told_with_their_own_lines(registry: StepRegistry) -> None:
    text = "Feature: F\n Scenario: s\n  Gven a\n  prose\n  Gven a\n  Given nothing\n"
    found = list(misread(parse_feature(text), matched_by(registry), text))
    assert [line for line, _ in found] == [3, 5]


def test_a_step_that_matches_anything_makes_no_prose_a_step(registry: StepRegistry) -> None:
    feature = parse_feature("Feature: F\n Scenario: s\n  Some prose here\n  Given nothing\n")
    assert list(misread(feature, lambda wording: True)) == []


def matched_by(registry: StepRegistry) -> Any:
    return lambda wording: registry.find_match(Step("f", 1, "Given", "given", wording)) is not None


EXACT = """
[systems.pipe]
command = ["p"]
ready_line = "x"
names = "exact"
topics = { input = { name = "a" }, output = { name = "b" }, dead_letter = { name = "c" } }
"""
TWO = """
    Feature: f
      Scenario: with it
        Given a broker
        And the pipeline runs
      Scenario: without
        Given a broker
    """


def test_scenarios_of_a_system_with_exact_names_never_meet(
    registry: StepRegistry, tmp_path: Any
) -> None:
    def apart(text: str, **environment: str) -> list[tuple[bool, set[str]]]:
        (tmp_path / "stackproof.toml").write_text(text)
        settings = load(tmp_path, environment=environment)
        plan = planned(registry, TWO, settings=settings)
        return [(s.requirements["kafka"].dedicated, set(s.exclusive)) for s in plan.scenarios]

    assert apart(EXACT) == [(True, set()), (False, set())]
    external = {"STACK": "external"}
    assert apart(EXACT, **external) == [(False, {"system pipe"}), (False, set())]
    own = EXACT.replace("exact", "own")
    assert apart(own) == apart(own, **external) == [(False, set()), (False, set())]


def test_who_breaks_somebodys_endpoint_has_it_for_itself(
    registry: StepRegistry, tmp_path: Any
) -> None:
    def apart(**environment: str) -> list[tuple[set[str], set[str]]]:
        settings = load(tmp_path, environment=environment)
        plan = planned(registry, text, settings=settings)
        return [(set(s.exclusive), set(s.uses)) for s in plan.scenarios]

    text = """
        Feature: f
          Scenario: breaks it
            Given a broker
            And a broker that is broken
          Scenario: uses it
            Given a broker
          Scenario: needs nothing
            Given nothing
        """
    nothing: tuple[set[str], set[str]] = (set(), set())
    assert apart() == [nothing] * 3
    broken = {"endpoint kafka"}
    assert apart(STACK="external") == [(broken, set()), (set(), broken), nothing]


def test_what_a_system_is_granted_extends_its_scenarios_deadlines(
    registry: StepRegistry, tmp_path: Any
) -> None:
    text = EXACT.replace("exact", "own") + "\n[systems.pipe.limits]\ntime_factor = 4\n"
    (tmp_path / "stackproof.toml").write_text(text)
    plan = planned(registry, TWO, factor=2, settings=load(tmp_path, environment={}))
    assert [scenario.deadline for scenario in plan.scenarios] == [480, 120]


def test_what_is_measured_has_time_to_wait_for_a_quiet_machine(
    registry: StepRegistry, tmp_path: Any
) -> None:
    text = """
    Feature: f
      @performance
      Scenario: s
        Given nothing
      Scenario: t
        Given nothing
    """
    settings = load(tmp_path, environment={"STACKPROOF_QUIET_WITHIN": "45"})
    plan = planned(registry, text, factor=2, settings=settings)
    assert [scenario.deadline for scenario in plan.scenarios] == [165, 120]
