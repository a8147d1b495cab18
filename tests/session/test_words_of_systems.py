"""Features call systems and their messages as stackproof.toml does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import parse
import pytest
from behave import register_type
from behave.matchers import ParseMatcher, RegexMatcher
from behave.parser import parse_feature

from stackproof import vocabulary
from stackproof.commands.steps import registered
from stackproof.errors import PremiseNotMet
from stackproof.session.needs import systems_of, uses_system
from stackproof.session.selection.unknown import unknown
from stackproof.settings import SystemSettings, load_systems
from stackproof.settings.systems import spoken
from stackproof.settings.vocabulary import RESERVED
from stackproof.systems import choosing

ROOT = Path(__file__).resolve().parents[2]


@parse.with_pattern(r"\w[\w-]*(?: \w[\w-]*){0,3}")
def words(text: str) -> str:
    return text


TYPES = {**vocabulary.TYPES, **vocabulary.types_of_systems({}), "Words": words}


def system(name: str, **nouns: tuple[str, str]) -> SystemSettings:
    return SystemSettings(name, ("p", "{kafka}"), Path(), nouns=nouns)


SYSTEMS = {
    one.name: one
    for one in (
        system("order-rater", input=("order", "orders"), output=("rating", "ratings")),
        system("exactly-once-stream", input=("vector", "vectors")),
        system("order", input=("order", "orders")),
        SystemSettings("pool", (), Path(), component="a:B"),
    )
}


def read(pattern: str, text: str, systems: Any = SYSTEMS) -> Any:
    return parse.parse(pattern, text, vocabulary.types_of_systems(systems))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("order rater", "order-rater"),
        ("order-rater", "order-rater"),
        ("Order Rater", "order-rater"),
        ("order", "order"),
        ("exactly-once stream", "exactly-once-stream"),
        ("exactly once stream", "exactly-once-stream"),
    ],
)
def test_a_system_is_called_as_its_section(text: str, name: str) -> None:
    assert read("the {system:System} is up", f"the {text} is up")["system"] is SYSTEMS[name]


@pytest.mark.parametrize("text", ["rater", "pool", "order raters", "order rater is"])
def test_what_is_no_system(text: str) -> None:
    assert read("the {system:System} is up", f"the {text} is up") is None


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("{n:d} {x:Inputs}", "3 orders", True),
        ("{n:d} {x:Inputs}", "3 vectors", True),
        ("{n:d} {x:Inputs}", "3 messages", True),
        ("{n:d} {x:Inputs}", "3 order", False),
        ("{n:d} {x:Inputs}", "3 ratings", False),
        ("a {x:Input}", "a vector", True),
        ("a {x:Input}", "a message", True),
        ("a {x:Output}", "a rating", True),
        ("a {x:Output}", "a output", True),
        ("{x:Outputs}", "ratings", True),
        ("{x:Outputs}", "orders", False),
    ],
)
def test_messages_are_called_by_the_nouns_of_all(pattern: str, text: str, fits: bool) -> None:
    assert bool(read(pattern, text)) == fits


def test_without_systems_nothing_fits_but_what_is_right_for_every_one() -> None:
    assert read("the {x:System} is up", "the order is up", {}) is None
    assert read("the {x:System} is up", "the  is up", {}) is None
    assert read("{x:Inputs} come", "messages come", {})


def test_a_step_uses_the_systems_that_it_names_and_those_that_it_declares() -> None:
    @uses_system("order")
    def step() -> None: ...

    assert systems_of(step) == ("order",)
    assert systems_of(step, {"system": SYSTEMS["order-rater"], "n": 3}) == ("order", "order-rater")


# -- what nobody has ----------------------------------------------------------
PATTERNS = (
    "the {system:System} is up",
    "{count:d} valid {inputs:Inputs} are published within {limit:Seconds}",
    "every {input:Input} gets one {output:Output}",
    "the leader is up",
    "the {system:System} is {colour:Colour}",
)


@pytest.mark.parametrize(
    ("wording", "told"),
    [
        ("the order cooker is up", ['no system is called "order cooker"; known: exactly once']),
        ("the pool is up", ['no system is called "pool"']),
        (
            "3 valid customers are published within 5 seconds",
            ['no system calls its inputs "customers"'],
        ),
        ("3 valid customers are published", []),
        ("every customer gets one score", ['"customer"; known: order, ', '"score"; known: output']),
        ("every order gets one score", ['"score"; known: output, rating']),
        ("every order gets one rating", []),
        ("the order cooker is red", ['no system is called "order cooker"']),
        ("something else", []),
    ],
)
def test_what_no_system_has_is_told_with_what_there_is(wording: str, told: list[str]) -> None:
    vocabulary.register(SYSTEMS)
    register_type(Colour=vocabulary.one_of(["red", "blue"]))
    matchers = [ParseMatcher(lambda: None, pattern) for pattern in PATTERNS]
    matchers.append(RegexMatcher(lambda: None, "the {system:System} ("))
    found = list(unknown(wording, matchers, SYSTEMS))
    assert len(found) == len(told)
    assert all(expected in said for expected, said in zip(told, found, strict=True))


# -- which one a step is about --------------------------------------------------
@pytest.fixture
def systems(monkeypatch: pytest.MonkeyPatch) -> choosing.Systems:
    made: dict[str, Any] = {}
    session: Any = SimpleNamespace(
        settings=SimpleNamespace(systems=SYSTEMS),
        use=lambda _, name: made.setdefault(name, SimpleNamespace(settings=SYSTEMS[name])),
    )
    return choosing.Systems(session)


def name(pipeline: Any) -> str:
    return str(pipeline.settings.name)


def test_a_step_that_names_none_is_about_the_last_one_named(systems: choosing.Systems) -> None:
    systems.named(SYSTEMS["order-rater"])
    systems.named(SYSTEMS["exactly-once-stream"])
    assert name(systems.current) == "exactly-once-stream"
    assert name(systems.having("messages", "output")) == "exactly-once-stream"
    systems.named(SYSTEMS["order-rater"])
    assert name(systems.current) == "order-rater"


def test_a_noun_is_that_of_the_last_one_named_that_has_it(systems: choosing.Systems) -> None:
    for one in ("order-rater", "order", "exactly-once-stream"):
        systems.named(SYSTEMS[one])
    assert name(systems.having("Orders")) == "order"
    assert name(systems.current) == "order"  # from here on it is about that one
    assert name(systems.having("order", "rating")) == "order-rater"
    assert name(systems.having("vector", "output")) == "exactly-once-stream"


def test_what_was_not_named_is_missing(systems: choosing.Systems) -> None:
    with pytest.raises(PremiseNotMet, match='"the order rater is running"'):
        _ = systems.current
    with pytest.raises(PremiseNotMet, match='"the order rater is running"'):
        systems.having("messages")
    systems.named(SYSTEMS["order-rater"])
    with pytest.raises(PremiseNotMet, match='"the exactly once stream is running"'):
        systems.having("vectors")


# -- names that mean something else ---------------------------------------------
def test_no_system_can_be_called_like_what_steps_of_others_are_about() -> None:
    """Whatever a step about a system would take for one in the shipped features is reserved."""
    known = {one.called.lower() for one in load_systems(ROOT).values()}
    typed = [
        matcher.pattern
        for _, matcher in registered(ROOT / "steps")
        if "{system:System}" in matcher.pattern
    ]
    readers = [
        parse.compile(pattern.replace("{system:System}", "{system:Words}"), TYPES)
        for pattern in typed
    ]
    said = {
        step.name
        for file in sorted((ROOT / "features").rglob("*.feature"))
        for scenario in parse_feature(file.read_text(), filename=str(file)).walk_scenarios()
        for step in scenario.all_steps
    }
    taken = {
        spoken(found["system"]).lower()
        for text in said
        for reader in readers
        if (found := reader.parse(text))
    }
    assert taken & known, "the features speak of no system"
    # "the broker crashes and is started again", "the server behind the sink crashes": nobody calls
    # a system so.
    unlike = {name for name in taken if name.endswith(" and") or " behind the " in name}
    assert taken - unlike - known <= RESERVED


@pytest.mark.parametrize("example", ["go_scorer", "orders"])
def test_examples_speak_of_their_own_systems(example: str) -> None:
    place = ROOT / "examples" / example
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", "--plan", str(place / "features")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "STACKPROOF_CONFIG": str(place / "stackproof.toml")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "shared:    kafka" in done.stdout
