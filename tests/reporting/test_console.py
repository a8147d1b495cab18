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
        "what to do: read the message above and look at the timeline in the report",
        "to run only these again: stackproof run --rerun-failed",
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
        name = "".join("abcdefghij"[int(digit)] for digit in str(index))
        reason = f"reason {name}: password=hunter22 " + "y" * 300
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


def failed(*reasons: str, **proof: Any) -> Any:
    lines = [f"  Scenario: s{i}\n    When it is sent" for i in range(len(reasons))]
    feature = parse("\n".join(["Feature: F", *lines]) + "\n")
    for scenario, reason in zip(feature.walk_scenarios(), reasons, strict=True):
        end_scenario(scenario)
        how: dict[str, Any] = {"verdict": "failed", "category": "product", **proof}
        scenario.proof = ScenarioProof(1.0, 1.5, reason=reason, **how)
    return feature


DIED = """\
pipeline-{n} ended with exit code 1; its log ends:
  | 2026-11-25T20:32:4{n}.163Z ERROR cannot read offset {n}{more}

dead letters: {n} lost ({n} messages sent)"""


def test_failures_of_one_cause_are_told_once_with_their_scenarios():
    lines = summary(
        failed(*(DIED.format(n=n, more=n * "!") for n in range(5)), "other")
    ).splitlines()
    assert lines[1:6] == [
        "did not pass:",
        "  5 scenarios: pipeline-0 ended with exit code 1: ERROR cannot read offset 0",
        "      F: s0; F: s1; F: s2; F: s3; F: s4",
        "  F: s5",
        "      other",
    ]


def test_a_long_reason_is_told_whole_where_there_is_room():
    reason = "churn-pipeline-1 ended with exit code 1: " + " ".join(["cannot read it"] * 10)
    lines = summary(failed(reason, reason), width=80).splitlines()
    assert " ".join(line.strip() for line in lines[2:5]) == f"2 scenarios: {reason}"
    assert max(map(len, lines)) <= 80
    many = summary(failed(*(f"{reason} in {word}" for word in "abcdefgh")), width=80)
    assert many.count("churn-pipeline-1 ended with exit code 1") == 8
    assert len(many.splitlines()) <= 24


@pytest.mark.parametrize("causes", [1, 5, 12, 60])
def test_sixty_failures_fit_a_screen_and_each_is_counted(causes: int):
    words = ["".join("abcdefghij"[int(d)] for d in str(i % causes)) for i in range(60)]
    lines = summary(failed(*(f"lost in {word}" for word in words))).splitlines()
    assert len(lines) <= 24
    told = sum(int(line.split()[0]) for line in lines if " scenarios: lost" in line)
    told += sum(line.startswith("  F: s") for line in lines)
    told += sum(int(line.split()[1]) for line in lines if line.startswith("  and "))
    assert told == 60 or (causes == 1 and "  60 scenarios: lost in a" in lines)
    if causes == 1:
        assert lines[3].startswith("      F: s0; F: s1;") and lines[3].endswith(" more")


def test_what_to_do_is_what_the_message_says_and_else_what_serves_the_category():
    trouble = "kafka did not start\n  why: port taken\n  what to do: free port {n}"
    told = summary(failed(trouble.format(n=1), trouble.format(n=1), category="environment"))
    assert told.count("what to do: free port 1") == 1
    assert "limits" in summary(failed("late", category="late"))
    assert "what to do" not in summary(failed("x", verdict="passed"))


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
