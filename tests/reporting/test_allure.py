"""What an Allure result tells, and what joins it to its predecessors."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from behave.formatter.base import StreamOpener

from stackproof.reporting import masking
from stackproof.reporting.allure import AllureFormatter
from stackproof.reporting.allure_files import LARGEST_TEXT
from stackproof.reporting.evidence import Attachment, ScenarioProof
from stackproof.reporting.lifecycle import report_not_run
from tests.reporting.conftest import (
    Run,
    end_scenario,
    labels,
    make_config,
    message,
    parse,
    read_results,
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


class Allure:
    """A formatter under test and the directory it writes to."""

    def __init__(self, folder: Path, *arguments: str, base_dir: str = "."):
        self.folder = folder / "results"
        self.config = make_config(*arguments, base_dir=base_dir)
        self.formatter = AllureFormatter(StreamOpener(str(self.folder)), self.config)

    def results(self) -> dict[str, dict[str, Any]]:
        return read_results(self.folder)


@pytest.fixture
def allure(tmp_path: Path) -> Allure:
    return Allure(tmp_path)


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


FAILING = """
    Feature: F
      Background:
        Given a broker
      Scenario: Complete
        When 100 messages are sent
        Then 100 predictions are received
        And the group is empty
"""


def failing(**proof: Any) -> Any:
    scenario = parse(FAILING).scenarios[0]
    end_scenario(scenario, failing=2, error="7 lost")
    scenario.proof = ScenarioProof(100.0, 103.5, verdict="failed", **proof)
    return scenario


def test_a_proof_is_shown(allure: Allure):
    scenario = failing(
        worker="worker-3",
        provider="native",
        parameters={"kafka": "127.0.0.1:4711", "sasl.password": "hunter22"},
        figures={"lost": "7"},
        category="product",
        reason="7 of 100 messages were lost\n  first: c-17",
        trace="in check_lost",
        step_starts=[100.5, 101.0, 102.0, 0.0],
    )
    replay(allure.formatter, scenario)
    result = allure.results()["Complete"]
    assert (result["start"], result["stop"]) == (100_000, 103_500)
    assert [(s.get("start"), s.get("stop")) for s in result["steps"]] == [
        (100_500, 100_750),
        (101_000, 101_250),
        (102_000, 102_250),
        (102_250, 102_250),
    ]
    assert result["status"] == "failed"
    assert message(result) == "7 of 100 messages were lost\n  first: c-17"
    assert result["steps"][2]["statusDetails"]["message"] == message(result)
    assert result["statusDetails"]["trace"] == "in check_lost"
    assert labels(result, "thread") == ["worker-3"]
    assert labels(result, "category") == ["product"]
    assert [(p["name"], p["value"], p.get("excluded", False)) for p in result["parameters"]] == [
        ("provider", "native", False),
        ("kafka", "127.0.0.1:4711", True),
        ("sasl.password", "*****", True),
        ("lost", "7", True),
    ]


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("passed", "passed"),
        ("broken", "broken"),
        ("skipped", "skipped"),
        ("refused", "skipped"),
        ("not supported", "skipped"),
        ("unknown", "unknown"),
    ],
)
def test_the_proofs_verdict_decides(allure: Allure, verdict: Any, status: str):
    scenario = failing()
    scenario.proof.verdict = verdict
    replay(allure.formatter, scenario)
    assert allure.results()["Complete"]["status"] == status


def test_a_proof_without_a_verdict_leaves_it_to_the_model(allure: Allure):
    scenario = failing()
    scenario.proof.verdict = ""
    replay(allure.formatter, scenario)
    result = allure.results()["Complete"]
    assert (result["status"], message(result)) == ("failed", "7 lost")


def test_evidence_is_ordered_for_reading(allure: Allure, tmp_path: Path):
    picture = tmp_path / "timeline.png"
    picture.write_bytes(b"\x89PNG")
    scenario = failing(
        attachments=[
            Attachment("kafka-1 log", "text/plain", text="INFO started"),
            Attachment("history", "application/x-ndjson", text="{}"),
            Attachment("witness", "text/plain", text="offset 17"),
            Attachment("pipeline output", "text/plain", text="x"),
            Attachment("timeline", "image/png", path=picture),
            Attachment("request", "application/json", text="{}", step=1),
            Attachment("gone", "text/plain", path=tmp_path / "gone.log"),
        ]
    )
    replay(allure.formatter, scenario)
    result = allure.results()["Complete"]
    names = [a["name"] for a in result["attachments"]]
    assert names == ["timeline", "witness", "history", "kafka-1 log", "pipeline output", "gone"]
    assert [a["name"] for a in result["steps"][1]["attachments"]] == ["request"]
    sources = {a["name"]: allure.folder / a["source"] for a in result["attachments"]}
    assert sources["timeline"].read_bytes() == b"\x89PNG"
    assert sources["timeline"].suffix == ".png"
    assert sources["witness"].read_text() == "offset 17"
    assert "gone.log does not exist" in sources["gone"].read_text()


def test_the_first_picture_and_witness_are_seen_at_once(allure: Allure, tmp_path: Path):
    for name in ("timeline.png", "other.png"):
        (tmp_path / name).write_bytes(name.encode())
    scenario = failing(
        attachments=[
            Attachment("other", "image/png", path=tmp_path / "other.png"),
            Attachment("timeline", "image/png", path=tmp_path / "timeline.png"),
            Attachment("witness", "text/plain", text="<b>1</b> password=hunter22\n" + "x\n" * 60),
            Attachment("log", "text/plain", text="a log line"),
        ]
    )
    replay(allure.formatter, scenario)
    shown = allure.results()["Complete"]["descriptionHtml"]
    assert shown.count("<img") == 1
    assert f"data:image/png;base64,{base64.b64encode(b'timeline.png').decode()}" in shown
    assert "&lt;b&gt;1&lt;/b&gt; password=*****" in shown
    assert "21 more lines in the attachment" in shown
    assert "a log line" not in shown


def test_without_a_picture_or_witness_the_description_is_text(allure: Allure, tmp_path: Path):
    huge = tmp_path / "timeline.png"
    huge.write_bytes(b"x" * 600_000)
    scenario = failing(
        attachments=[
            Attachment("timeline", "image/png", path=huge),
            Attachment("gone", "image/png", path=tmp_path / "gone.png"),
        ]
    )
    replay(allure.formatter, scenario)
    result = allure.results()["Complete"]
    assert "descriptionHtml" not in result
    assert result["description"] == "`features/messaging/demo.feature:5`"


def test_lines_of_json_are_published_as_something_allure_previews(allure: Allure):
    history = Attachment("history", "application/x-ndjson", text="{}")
    replay(allure.formatter, failing(attachments=[history]))
    [attachment] = allure.results()["Complete"]["attachments"]
    assert attachment["type"] == "text/plain"
    assert attachment["source"].endswith(".jsonl")


def test_secrets_are_masked_everywhere(allure: Allure, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(masking, "_default", masking.Masker(["opensesame"]))
    log = tmp_path / "kafka.log"
    log.write_text("a\nopensesame\nDB_PASSWORD=hunter22\n")
    scenario = failing(
        parameters={"url": "amqp://u:hunter22@h", "note": "opensesame"},
        reason="login with opensesame failed",
        trace="password='hunter22'",
        expected="opensesame",
        actual="opensesame!",
        attachments=[
            Attachment("log", "text/plain", path=log),
            Attachment("history", "application/x-ndjson", text='{"secret": "hunter22"}'),
        ],
    )
    list(scenario.all_steps)[1].text = "opensesame"
    scenario.name = "Complete opensesame"
    replay(allure.formatter, scenario)
    allure.formatter.report_run_error("after_all: opensesame", "password=hunter22")
    written = [path.read_text() for path in allure.folder.iterdir()]
    assert len(written) == 5
    for text in written:
        assert "opensesame" not in text
        assert "hunter22" not in text


def test_secrets_are_masked_under_plain_behave_too(tmp_path: Path):
    feature = "Feature: F\n  Scenario: leak\n    Given a secret is printed\n"
    run = run_behave(tmp_path, {"f.feature": feature})
    assert "login failed" in message(run.results["leak"])
    written = [path.read_text() for path in run.folder.iterdir()]
    assert not any("hunter22" in text for text in written)
    [captured] = run.results["leak"]["attachments"]
    assert captured["name"] == "captured output"
    assert run.attachment(captured["source"]) == "connecting to amqp://app:*****@localhost/"


def test_a_huge_log_is_bounded_and_keeps_both_ends(allure: Allure, tmp_path: Path):
    log = tmp_path / "big.log"
    log.write_text("first\n" + "x" * (2 * LARGEST_TEXT) + "\nlast")
    replay(allure.formatter, failing(attachments=[Attachment("big log", "text/plain", path=log)]))
    source = allure.results()["Complete"]["attachments"][0]["source"]
    text = (allure.folder / source).read_text()
    assert len(text) < LARGEST_TEXT + 100
    assert text.startswith("first")
    assert text.endswith("last")
    assert re.search(r"\.\.\. [\d,]+ characters left out", text)


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


def test_an_unwritable_directory_costs_evidence_not_the_run(allure: Allure, monkeypatch, capsys):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    allure.formatter.results._logger.report_result = full
    replay(allure.formatter, failing(attachments=[Attachment("a", "text/plain", text="b")]))
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_the_default_directory_is_reports(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    formatter = AllureFormatter(StreamOpener(), make_config())
    formatter.close()
    assert (tmp_path / "reports/allure-results/environment.properties").is_file()
