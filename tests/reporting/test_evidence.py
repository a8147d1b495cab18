"""What the runner knows of a scenario, as a reader of its Allure result sees it."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from stackproof import masking
from stackproof.reporting.allure.files import LARGEST_TEXT
from stackproof.reporting.evidence import Attachment
from tests.reporting.conftest import Allure, failing, labels, message, replay, run_behave


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
    assert result["steps"][2]["statusDetails"]["message"] == "7 of 100 messages were lost"
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
        ("machine busy", "skipped"),
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
            Attachment("counterexamples: 1 lost", "text/plain", text="offset 17"),
            Attachment("pipeline output", "text/plain", text="x"),
            Attachment("timeline", "image/png", path=picture),
            Attachment("request", "application/json", text="{}", step=1),
            Attachment("gone", "text/plain", path=tmp_path / "gone.log"),
        ]
    )
    replay(allure.formatter, scenario)
    result = allure.results()["Complete"]
    names = [a["name"] for a in result["attachments"]]
    assert names[:3] == ["timeline", "counterexamples: 1 lost", "history"]
    assert names[3:] == ["kafka-1 log", "pipeline output", "gone"]
    assert [a["name"] for a in result["steps"][1]["attachments"]] == ["request"]
    sources = {a["name"]: allure.folder / a["source"] for a in result["attachments"]}
    assert sources["timeline"].read_bytes() == b"\x89PNG"
    assert sources["timeline"].suffix == ".png"
    assert sources["counterexamples: 1 lost"].read_text() == "offset 17"
    assert "gone.log does not exist" in sources["gone"].read_text()


def test_the_first_picture_is_seen_at_once_and_the_error_is_not_repeated(
    allure: Allure, tmp_path: Path
):
    for name in ("timeline.png", "other.png"):
        (tmp_path / name).write_bytes(name.encode())
    scenario = failing(
        attachments=[
            Attachment("other", "image/png", path=tmp_path / "other.png"),
            Attachment("timeline", "image/png", path=tmp_path / "timeline.png"),
            Attachment("counterexamples", "text/plain", text="1 lost"),
            Attachment("log", "text/plain", text="a log line"),
        ]
    )
    replay(allure.formatter, scenario)
    shown = allure.results()["Complete"]["descriptionHtml"]
    assert shown.count("<img") == 1
    assert f"data:image/png;base64,{base64.b64encode(b'timeline.png').decode()}" in shown
    assert "1 lost" not in shown
    assert "a log line" not in shown


def test_a_drawing_is_masked_as_the_text_it_is(allure: Allure, tmp_path: Path):
    drawing = tmp_path / "timeline.svg"
    drawing.write_text("<svg><text>password=hunter22</text></svg>")
    scenario = failing(attachments=[Attachment("timeline", "image/svg+xml", path=drawing)])
    replay(allure.formatter, scenario)
    result = allure.results()["Complete"]
    masked = b"<svg><text>password=*****</text></svg>"
    assert base64.b64encode(masked).decode() in result["descriptionHtml"]
    assert (allure.folder / result["attachments"][0]["source"]).read_bytes() == masked


def test_without_a_picture_the_description_is_text(allure: Allure, tmp_path: Path):
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
