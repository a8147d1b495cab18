"""The lines a person reads while a run goes on, and the screen at its end."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from behave.formatter.base import StreamOpener

from stackproof.errors import EXIT_COULD_NOT_RUN
from stackproof.reporting.console import ConsoleFormatter, render_summary
from stackproof.reporting.evidence import Attachment, ScenarioProof
from tests.reporting.conftest import end_scenario, make_config, parse, replay, run_behave
from tests.reporting.test_allure_faults import AFTER_FEATURE, HOOKS, SCENARIOS, TWO

FORMATTER = "stackproof.reporting.console:ConsoleFormatter"
FEATURE = """
    Feature: Dead letters
      Scenario: passes
        When it is sent
      Scenario: fails
        When it is sent
        Then it arrives
        And it is alone
      Scenario: not here
        When it is sent
      Rule: Order
        Scenario: kept
          When it is sent
"""


class Terminal(io.StringIO):
    """A stream with an encoding, which may be a terminal."""

    def __init__(self, encoding: str = "utf-8", tty: bool = False):
        super().__init__()
        self._encoding, self._tty = encoding, tty

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._tty


def finished() -> Any:
    feature = parse(FEATURE)
    passes, fails, not_here, kept = feature.walk_scenarios()
    for scenario in (passes, not_here, kept):
        end_scenario(scenario)
    end_scenario(fails, failing=1)
    passes.proof = ScenarioProof(100.0, 100.42, verdict="passed")
    fails.proof = ScenarioProof(
        100.0,
        115.3,
        verdict="failed",
        category="product",
        reason="7 of 100 lost\nExpected: 100\n     but: 93",
        trace="in check",
        step_starts=[100.0, 100.3],
        attachments=[
            Attachment("kafka log", "text/plain", path=Path("reports/kafka.log")),
            Attachment("timeline", "image/png", path=Path.cwd() / "reports/t.png"),
            Attachment("counterexamples", "text/plain", text="offset 17"),
        ],
    )
    not_here.proof = ScenarioProof(100.0, 100.0, verdict="not supported", reason="no partitions")
    kept.proof = ScenarioProof(100.0, 361.0, verdict="passed")
    return feature


def printed(stream: Terminal, *arguments: str, features: Any = None, **config: Any) -> str:
    settings = make_config(*arguments)
    for name, value in config.items():
        setattr(settings, name, value)
    formatter = ConsoleFormatter(StreamOpener(stream=stream), settings)
    for feature in features or [finished()]:
        for scenario in feature.walk_scenarios():
            replay(formatter, scenario)
    formatter.close()
    return stream.getvalue()


def test_a_line_per_scenario_and_more_on_failure():
    assert printed(Terminal()) == (
        "\nDead letters  features/messaging/demo.feature\n"
        "  ✓ passes  420 ms\n"
        "  ✗ fails  15.3 s\n"
        "      Then it arrives\n"
        "        7 of 100 lost\n"
        "        Expected: 100\n"
        "             but: 93\n"
        "      timeline: reports/t.png\n"
        "      kafka log: reports/kafka.log\n"
        "  \N{EN DASH} not here  0 ms\n"
        "      not supported: no partitions\n"
        "  Order\n"
        "    ✓ kept  4 min 21 s\n"
    )


def test_verbose_shows_the_steps():
    text = printed(Terminal(), verbose=True)
    assert "    ✓ When it is sent  250 ms\n    ✗ Then it arrives  250 ms\n" in text
    assert "    \N{EN DASH} And it is alone\n" in text


def test_a_stream_without_the_marks_gets_plain_ones():
    text = printed(Terminal("ascii"))
    assert "  + passes" in text
    assert "  x fails" in text
    assert "  - not here" in text
    text.encode("ascii")


@pytest.mark.parametrize(
    ("tty", "color", "no_color", "colored"),
    [
        (True, "auto", "", True),
        (True, "auto", "1", False),
        (False, "auto", "", False),
        (True, "off", "", False),
        (False, "on", "", True),
        (True, "on", "1", True),
    ],
)
def test_colours_only_where_they_are_wanted(tty, color, no_color, colored, monkeypatch):
    monkeypatch.setenv("NO_COLOR", no_color)
    text = printed(Terminal(tty=tty), color=color)
    assert ("\x1b[" in text) == colored
    assert "passes" in text


def test_a_long_message_is_bounded_and_masked():
    feature = finished()
    fails = feature.scenarios[1]
    fails.proof.reason = "password=hunter22\n" + "\n".join(f"line {i}" for i in range(100))
    text = printed(Terminal(), features=[feature])
    assert "line 0\n" in text
    assert "line 99\n" in text
    assert "line 60\n" not in text
    assert "... (42 lines left out)\n" in text
    assert "hunter22" not in text


def test_interleaved_features_are_told_apart():
    one, two = finished(), parse("Feature: Other\n  Scenario: other\n    When it is sent\n")
    end_scenario(two.scenarios[0])
    two.scenarios[0].proof = ScenarioProof(1.0, 2.0, verdict="passed")
    stream, settings = Terminal(), make_config()
    formatter = ConsoleFormatter(StreamOpener(stream=stream), settings)
    for scenario in (one.scenarios[0], two.scenarios[0], one.scenarios[2]):
        replay(formatter, scenario)
    heads = [line for line in stream.getvalue().splitlines() if "features/" in line]
    assert [line.split("  ")[0] for line in heads] == ["Dead letters", "Other", "Dead letters"]


def test_plain_behave_prints_hook_errors_too(tmp_path: Path):
    features = {"messaging/s.feature": SCENARIOS, "messaging/after.feature": AFTER_FEATURE}
    run_behave(tmp_path, features, "--tags=not @slow", environment=HOOKS, formatter=FORMATTER)
    text = (tmp_path / "results").read_text(encoding="utf-8")
    assert re.search(r"! after_scenario  .*\n +HOOK-ERROR in after_scenario: RuntimeError", text)
    assert re.search(r"! under a failing rule  .*\n +HOOK-ERROR in before_rule", text)
    assert "! Hooks of the feature 'After'\n      HOOK-ERROR in after_feature" in text
    assert "CLEANUP-ERROR in remove_topic: RuntimeError: topic is stuck" in text
    assert "✓ passes" in text
    assert "raise ValueError" in text  # the suite's own error shows its place
    assert "deselected" not in text


# -- the summary -------------------------------------------------------------
def summary(*features: Any, **options: Any) -> str:
    defaults = {"elapsed": 41.23, "provider": "native", "config": make_config(), "width": 100}
    return render_summary(features, **{**defaults, **options})


def test_the_summary_tells_all_that_matters():
    text = summary(finished(), report_path="allure-report/index.html", notes=["kept: yes"])
    assert text.splitlines() == [
        "4 scenarios in 41.2 s (native): 2 passed, 1 failed, 1 not supported",
        "did not pass:",
        "  Dead letters: fails",
        "      7 of 100 lost; Expected: 100; but: 93",
        "did not run:",
        "  Dead letters: not here",
        "      not supported: no partitions",
        "slowest: 4 min 21 s Dead letters: kept",
        "         15.3 s Dead letters: fails",
        "report: allure-report/index.html",
        "kept: yes",
        "exit code 1: something failed or did not run",
    ]


def test_a_green_summary():
    feature = parse("Feature: F\n  Scenario: s\n    When it is sent\n")
    end_scenario(feature.scenarios[0])
    assert summary(feature, provider="").splitlines() == [
        "1 scenario in 41.2 s: 1 passed",
        "exit code 0: everything passed",
    ]


def test_a_run_without_scenarios_is_not_green():
    assert summary(exit_code=EXIT_COULD_NOT_RUN).splitlines() == [
        "0 scenarios in 41.2 s (native): none ran",
        "exit code 2: could not run",
    ]
    assert "exit code 1" in summary()


@pytest.mark.parametrize("broken", [0, 3, 9, 40])
@pytest.mark.parametrize("idle", [0, 2, 9, 40])
@pytest.mark.parametrize("notes", [0, 6, 30])
def test_a_summary_fits_a_screen_and_hides_no_count(broken: int, idle: int, notes: int):
    lines = ["Feature: F"]
    lines += [f"  Scenario: broken {i}\n    When it is sent" for i in range(broken)]
    lines += [f"  Scenario: idle {i} {'x' * 200}\n    When it is sent" for i in range(idle)]
    feature = parse("\n".join(lines) + "\n")
    for index, scenario in enumerate(feature.walk_scenarios()):
        end_scenario(scenario)
        verdict = "broken" if index < broken else "skipped"
        reason = f"reason {index}: password=hunter22 " + "y" * 300
        scenario.proof = ScenarioProof(1.0, 2.0 + index, verdict=verdict, reason=reason)
    text = summary(feature, report_path="r", width=80, notes=["note"] * notes)
    shown = text.splitlines()
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 80
    assert "hunter22" not in text
    assert shown[-1].startswith("exit code 1")
    assert ("  and 25 more" in shown) == (notes == 30)
    for count, word, title in ((broken, "broken", "pass"), (idle, "idle", "run")):
        named = [line for line in shown if line.startswith(f"  F: {word}")]
        assert bool(named) == bool(count)
        assert (f"did not {title}:" in shown) == bool(count)
        if 0 < len(named) < count:
            assert f"  and {count - len(named)} more" in shown
        else:
            assert len(named) == count


def test_a_summary_of_a_run_that_never_began():
    feature = parse("Feature: F\n  Scenario: s\n    When it is sent\n")
    text = summary(feature)
    assert "1 broken" in text
    assert "broken: not run: the run ended before this scenario" in text


def test_the_summary_counts_what_plain_behave_ran(tmp_path: Path):
    hooks = """
        from stackproof.reporting.summary import render_summary
        def after_feature(context, feature):
            if feature.name == "One": raise RuntimeError("late")
        def before_all(context): context.all = []
        def before_feature(context, feature): context.all.append(feature)
        def after_all(context):
            print(render_summary(context.all, elapsed=1, config=context.config, width=100))
        after_all.capture = False
    """
    run = run_behave(
        tmp_path, TWO, "--tags=not @slow", "--no-capture", environment=hooks, formatter="null"
    )
    assert "4 scenarios in 1.0 s: 2 passed, 2 broken\n" in run.output
    assert "Hooks of the feature 'One'\n      broken: HOOK-ERROR in after_feature" in run.output
    assert "  Two: second\n      broken: ValueError: not a number" in run.output
