"""What an Allure result tells, and what joins it to its predecessors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from behave.formatter.base import StreamOpener

from stackproof.errors import Trouble
from stackproof.reporting.allure import AllureFormatter
from stackproof.reporting.evidence import Attachment, ScenarioProof
from stackproof.reporting.lifecycle import report_not_run
from tests.reporting.conftest import (
    FAILING,
    Allure,
    Run,
    end_scenario,
    failing,
    labels,
    make_config,
    message,
    parse,
    replay,
    run_behave,
)

DEAD_LETTERS = """
    @messaging @nightly
    Feature: Dead letters
      Nothing gets lost.

      @PIPE-05 @critical
      Scenario Outline: A <kind> message is set aside
        Its reason is told.
        Given the kind is <kind>
        When it works
          | customer | plan |
          | c-1      | a,b  |
        Then it works
          '''
          {"a": 1}
          '''
        Examples: bad
          | kind  | error   |
          | empty | no text |
          | null  | no text |
      @PIPE-06 @severity:blocker
      Scenario: Plain
        Given it takes 40 ms
        And it takes 80 ms
      Scenario Outline: Rows without placeholders
        Given it works
        Examples:
          | a | b |
          | 1 | 2 |
          | 3 | 4 |
      Rule: Inner
        @release @minor
        Scenario: Plain
          Given it works
"""
ROOT_FEATURE = """
    Feature: Other
      Scenario: Plain
        Given it works
"""


def allure3_identity(result: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """What Allure 3 computes its history ID from; it ignores ours."""
    parameters = [p for p in result.get("parameters", []) if not p.get("excluded")]
    return result["testCaseId"], tuple(sorted(f"{p['name']}:{p['value']}" for p in parameters))


def test_labels(tmp_path: Path):
    feature = DEAD_LETTERS.replace("Scenario: Plain", "Scenario: Outer", 1)
    run = run_behave(tmp_path, {"messaging/dead_letters.feature": feature})
    row, outer, inner = (
        run.results[name] for name in ("A empty message is set aside", "Outer", "Plain")
    )
    assert labels(row, "epic") == ["Messaging"]
    assert labels(row, "feature") == ["Dead letters"]
    assert labels(row, "story") == []
    assert labels(inner, "story") == ["Inner"]
    assert [labels(r, "severity") for r in (row, outer, inner)] == [
        ["critical"],
        ["blocker"],
        ["minor"],
    ]
    assert [labels(r, "suite") for r in (row, inner)] == [["nightly"], ["release"]]
    assert labels(row, "requirement") == ["PIPE-05"]
    assert labels(row, "tag") == ["messaging", "nightly", "PIPE-05", "critical"]
    assert labels(row, "package") == ["messaging.dead_letters"]
    assert labels(row, "framework") == ["behave"]
    assert labels(row, "thread") == ["main"]
    assert "links" not in row
    assert row["titlePath"] == ["Messaging", "Dead letters"]


def test_severity_is_normal_and_the_suite_pull_request_without_tags(tmp_path: Path):
    run = run_behave(tmp_path, {"other.feature": ROOT_FEATURE})
    assert labels(run.results["Plain"], "severity") == ["normal"]
    assert labels(run.results["Plain"], "suite") == ["pull-request"]
    assert labels(run.results["Plain"], "epic") == ["General"]


def test_the_innermost_severity_counts(tmp_path: Path):
    feature = """
        @trivial
        Feature: F
          Scenario: outer
            Given it works
          @critical
          Scenario: inner
            Given it works
    """
    run = run_behave(tmp_path, {"f.feature": feature})
    assert labels(run.results["outer"], "severity") == ["trivial"]
    assert labels(run.results["inner"], "severity") == ["critical"]


def plain_names(text: str) -> str:
    """Distinct names for scenarios that share one on purpose."""
    return text.replace("Scenario: Plain", "Scenario: Outer", 1)


def test_a_row_tells_its_cells_and_the_step_its_arguments(tmp_path: Path):
    run = run_behave(tmp_path, {"messaging/d.feature": plain_names(DEAD_LETTERS)})
    row = run.results["A empty message is set aside"]
    assert [(p["name"], p["value"]) for p in row["parameters"]] == [
        ("kind", "empty"),
        ("error", "no text"),
        ("examples", "bad"),
    ]
    assert "Its reason is told." in row["description"]
    assert "features/messaging/d.feature:19" in row["description"]
    table, text = (row["steps"][i]["attachments"][0] for i in (1, 2))
    assert table["type"] == "text/csv"
    assert run.attachment(table["source"]) == 'customer,plan\nc-1,"a,b"\n'
    assert run.attachment(text["source"]) == '{"a": 1}'
    assert {"Rows without placeholders [1, 2]", "Rows without placeholders [3, 4]"} <= set(
        run.results
    )


def test_requirements_link_to_the_tracker(run_with_links: Run):
    links = run_with_links.results["A empty message is set aside"]["links"]
    assert links == [{"type": "tms", "url": "https://tracker.example/PIPE-05", "name": "PIPE-05"}]


@pytest.fixture(scope="module")
def run_with_links(project: Path) -> Run:
    features = {"messaging/d.feature": plain_names(DEAD_LETTERS)}
    return run_behave(project, features, "-D", "requirement_url=https://tracker.example/{}")


def test_times_are_real(run_with_links: Run):
    result = run_with_links.results["Outer"]
    first, second = result["steps"]
    assert 40 <= first["stop"] - first["start"] < 80
    assert 80 <= second["stop"] - second["start"] < 300
    assert first["stop"] <= second["start"] + 1
    assert result["start"] <= first["start"] + 1
    assert result["stop"] >= second["stop"]


def collect(
    allure: Allure, *features: Any, provider: str = "native", backwards: bool = False, **proof: Any
) -> list[dict[str, Any]]:
    """The results of the features' scenarios, all passed, one by one."""
    scenarios = [scenario for feature in features for scenario in feature.walk_scenarios()]
    found = []
    for scenario in reversed(scenarios) if backwards else scenarios:
        end_scenario(scenario)
        scenario.proof = ScenarioProof(1.0, 2.0, provider=provider, verdict="passed", **proof)
        replay(allure.formatter, scenario)
        found += list(allure.results().values())
        for path in allure.folder.glob("*-result.json"):
            path.unlink()
    return found


def test_identities_are_distinct(allure: Allure):
    def both() -> list[Any]:
        return [parse(DEAD_LETTERS), parse(ROOT_FEATURE, "features/messaging/other.feature")]

    native = collect(allure, *both())
    docker = collect(allure, *both(), provider="docker")
    assert len(native) == 7
    for key in (lambda r: r["historyId"], allure3_identity):
        assert len({key(result) for result in native + docker}) == 14


def test_identities_survive_other_lines_orders_workers_and_folders(tmp_path: Path):
    feature = parse(DEAD_LETTERS)
    moved = parse(
        "# a comment\n\n" + DEAD_LETTERS, str(tmp_path / "features/messaging/demo.feature")
    )
    for scenario in moved.walk_scenarios():
        scenario.reset()  # forgets its row
    second = Allure(tmp_path / "2", base_dir=str(tmp_path))
    before = collect(Allure(tmp_path / "1"), feature)
    after = collect(
        second,
        moved,
        worker="worker-2",
        parameters={"broker": "127.0.0.1:40001"},
        figures={"throughput": "12345/s"},
        backwards=True,
    )
    after.reverse()
    assert [r["historyId"] for r in before] == [r["historyId"] for r in after]
    assert list(map(allure3_identity, before)) == list(map(allure3_identity, after))


def test_exact_repetitions_are_told_apart(allure: Allure):
    feature = parse("""
        Feature: F
          Scenario: twice
            Given it works
          Scenario: twice
            Given it works
    """)
    first, second = collect(allure, feature)
    assert first["historyId"] != second["historyId"]
    assert first["testCaseId"] != second["testCaseId"]


def test_interleaved_features_keep_their_own_results(allure: Allure):
    one, two = (
        parse(FAILING, "features/a/one.feature"),
        parse(ROOT_FEATURE, "features/b/two.feature"),
    )
    more = parse(FAILING.replace("Complete", "Second"), "features/a/one.feature")
    for feature in (one, two, more):
        scenario = feature.scenarios[0]
        end_scenario(scenario)
        scenario.proof = ScenarioProof(1.0, 2.0, verdict="passed")
        replay(allure.formatter, scenario)
    allure.formatter.eof()
    allure.formatter.close()
    results = allure.results()
    assert {name: labels(r, "epic") for name, r in results.items()} == {
        "Complete": ["A"],
        "Second": ["A"],
        "Plain": ["B"],
    }


def test_scenarios_never_replayed_are_not_forgotten(allure: Allure):
    feature = parse(DEAD_LETTERS)
    feature.run_items = feature.run_items[:1]
    first, _second = feature.walk_scenarios()
    end_scenario(first)
    first.proof = ScenarioProof(1.0, 2.0, verdict="passed")
    replay(allure.formatter, first)
    allure.formatter.close()
    statuses = {name: r["status"] for name, r in allure.results().items()}
    assert statuses == {
        "A empty message is set aside": "passed",
        "A null message is set aside": "broken",
    }


def test_report_not_run_reports_every_selected_scenario(tmp_path: Path):
    allure = Allure(tmp_path, "--tags=not @PIPE-06")
    feature = parse(plain_names(DEAD_LETTERS))
    done, *_ = feature.walk_scenarios()
    end_scenario(done)
    done.proof = ScenarioProof(1.0, 2.0, verdict="passed")
    replay(allure.formatter, done)
    count = report_not_run(
        [feature], "kafka did not start", formatters=[allure.formatter], config=allure.config
    )
    results = allure.results()
    assert count == 4
    assert len(results) == 5
    assert "Outer" not in results
    assert results["A empty message is set aside"]["status"] == "passed"
    late = results["A null message is set aside"]
    assert (late["status"], message(late)) == ("broken", "kafka did not start")
    assert labels(late, "category") == ["environment"]
    assert {s["status"] for s in late["steps"]} == {"skipped"}


def test_a_new_run_replaces_the_previous_one(tmp_path: Path):
    first = Allure(tmp_path)
    replay(first.formatter, failing())
    (first.folder / "notes.txt").write_text("not ours")
    assert len(Allure(tmp_path, "-D", "allure_clean=no").results()) == 1
    assert len(Allure(tmp_path).results()) == 0
    assert (first.folder / "notes.txt").exists()


def test_a_full_disk_is_told_once(allure: Allure, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    allure.formatter.results._logger.report_result = full
    evidence = [Attachment("a", "text/plain", text="b")]
    with pytest.raises(Trouble, match=r"results: No space left on device"):
        replay(allure.formatter, failing(attachments=evidence))
    replay(allure.formatter, failing(attachments=evidence))


def test_the_default_directory_is_reports(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    formatter = AllureFormatter(StreamOpener(), make_config())
    formatter.close()
    assert (tmp_path / "reports/allure-results/environment.properties").is_file()
