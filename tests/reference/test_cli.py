from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from reference.churn_pipeline import cli
from reference.churn_pipeline.clients import Throttle
from reference.churn_pipeline.config import Config
from reference.churn_pipeline.metrics import Metrics, serve_metrics
from reference.churn_pipeline.model import load_model
from tests.reference.fakes import CONFIG, MODEL

ROOT = Path(__file__).resolve().parents[2]

TOPICS = ["--input-topic", "in", "--output-topic", "out", "--dead-letter-topic", "dlq"]
USUAL = ["--broker", "127.0.0.1:9092", *TOPICS]


def parse(*arguments: str, **environment: str) -> Config:
    return cli.parse_config(arguments, environment)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, **environment: str) -> str:
    with pytest.raises(SystemExit) as caught:
        parse(*arguments, **environment)
    assert caught.value.code == cli.EXIT_USAGE
    said = capsys.readouterr().err
    assert said.count("\n") == 1, "one clear line"
    return said


def test_the_least_command_line() -> None:
    config = parse(*USUAL)
    assert (config.broker, config.group, config.metrics_port) == (
        "127.0.0.1:9092",
        "churn-pipeline",
        0,
    )
    assert config.max_message_bytes < 1024 * 1024 < config.max_dead_letter_bytes


def test_the_environment_is_enough_and_the_command_line_wins() -> None:
    config = parse(
        "--group",
        "mine",
        CHURN_BROKER="b:1",
        CHURN_INPUT_TOPIC="i",
        CHURN_OUTPUT_TOPIC="o",
        CHURN_DEAD_LETTER_TOPIC="d",
        CHURN_GROUP="theirs",
        CHURN_BATCH_SIZE="7",
        CHURN_LOG_LEVEL="debug",
        CHURN_METRICS_PORT="",
        CHURN_KAFKA_CONFIG="sasl.username=me\n\n consumer.check.crcs=true\n",
    )
    assert (config.broker, config.group, config.batch_size) == ("b:1", "mine", 7)
    assert (config.log_level, config.metrics_port) == ("DEBUG", 0)
    assert config.consumer_properties()["check.crcs"] == "true"
    assert "check.crcs" not in config.producer_properties()
    assert config.producer_properties()["sasl.username"] == "me"


def test_every_option_has_a_variable() -> None:
    environment = {
        "CHURN_MODEL_CACHE": "here",
        "CHURN_CONTRACT_DIR": "there",
        "CHURN_MAX_MESSAGE_BYTES": "5",
        "CHURN_MAX_DEAD_LETTER_BYTES": "20000",
    }
    config = parse(*USUAL, **environment)
    assert (config.model_cache, config.contract_dir) == (Path("here"), Path("there"))
    assert (config.max_message_bytes, config.max_dead_letter_bytes) == (5, 20_000)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "missing --broker, --input-topic, --output-topic, --dead-letter-topic"),
        (["--broker", "b:1", *TOPICS[:-1]], "expected one argument"),
        ([*USUAL, "--bogus"], "unrecognized arguments: --bogus"),
        ([*USUAL, "--batch-size", "many"], "invalid int value: 'many'"),
        ([*USUAL, "--batch-size", "0"], "--batch-size must be between 1 and 10000, not 0"),
        ([*USUAL, "--metrics-port", "70000"], "--metrics-port must be between"),
        ([*USUAL, "--max-message-bytes", "0"], "--max-message-bytes must be"),
        ([*USUAL, "--max-dead-letter-bytes", "60000"], "must be smaller than"),
        ([*USUAL, "--log-level", "loud"], "--log-level must be one of DEBUG, INFO"),
        ([*USUAL, "--group", ""], "--group must not be empty"),
        ([*USUAL, "--output-topic", "in"], "the three topics must differ"),
        ([*USUAL, "--kafka-config", "novalue"], "--kafka-config takes key=value"),
        ([*USUAL, "--kafka-config", "=x"], "--kafka-config takes key=value"),
        ([*USUAL, "--kafka-config", "producer.acks=0"], "the delivery guarantees rest on it"),
        ([*USUAL, "--kafka-config", "enable.auto.commit=true"], "cannot be set"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert expected in refused(capsys, *arguments)


def test_a_wrong_variable_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid int value" in refused(capsys, *USUAL, CHURN_BATCH_SIZE="x")
    assert "must be one of" in refused(capsys, *USUAL, CHURN_LOG_LEVEL="x")


def test_a_secret_without_its_name_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "hunter2" not in refused(capsys, *USUAL, "--kafka-config", "hunter2")


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse("--help", CHURN_MODEL_CACHE="100%")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for option in (*USUAL[::2], "--kafka-config", "--model-cache", "CHURN_", "exit codes"):
        assert option in text


def test_new_groups_lose_the_properties_that_they_refuse() -> None:
    classic = parse(*USUAL).consumer_properties()
    new = parse(*USUAL, "--kafka-config", "consumer.group.protocol=consumer").consumer_properties()
    assert set(classic) - set(new) == {"session.timeout.ms", "heartbeat.interval.ms"}


def test_what_the_guarantees_rest_on() -> None:
    consumer, producer = CONFIG.consumer_properties(), CONFIG.producer_properties()
    assert consumer["enable.auto.commit"] is False
    assert consumer["auto.offset.reset"] == "earliest"
    assert (producer["acks"], producer["enable.idempotence"]) == ("all", True)
    assert producer["message.max.bytes"] == CONFIG.max_dead_letter_bytes
    assert producer["message.timeout.ms"] < consumer["max.poll.interval.ms"]  # type: ignore[operator]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cache with a model in it, so that no program under test has to train one."""
    directory = tmp_path_factory.mktemp("model")
    load_model(directory, lambda: MODEL)
    return str(directory)


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "reference.churn_pipeline", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "missing --broker"),
        ([*USUAL, "--kafka-config", "no.such.property=1"], "no.such.property"),
        ([*USUAL, "--contract-dir", "nowhere"], "cannot read the contract"),
    ],
)
def test_the_program_exits_with_2(cache: str, arguments: list[str], expected: str) -> None:
    with start(*arguments, CHURN_MODEL_CACHE=cache) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == cli.EXIT_USAGE
    assert expected in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
def test_without_a_broker_the_program_waits_until_it_is_stopped(cache: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
        process = start("--broker", nobody, *TOPICS, CHURN_MODEL_CACHE=cache)
        assert process.stderr is not None
        with process:
            said = next(line for line in process.stderr if "waiting for the broker" in line)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    assert nobody in said
    assert process.returncode == cli.EXIT_STOPPED


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_health_are_served() -> None:
    ready: list[bool] = []
    metrics = Metrics()
    metrics.received.inc(3)
    server = serve_metrics(metrics, 0, lambda: bool(ready))
    try:
        port = server.server_address[1]
        status, text = fetch(port, "/metrics")
        assert status == 200
        assert "churn_messages_received_total 3.0" in text
        assert 'churn_dead_letters_total{error_type="too_large"} 0.0' in text
        assert fetch(port, "/healthz")[0] == 503
        ready.append(True)
        assert fetch(port, "/healthz")[0] == 200
        assert fetch(port, "/")[0] == 404
    finally:
        server.shutdown()
        server.server_close()


def test_a_metrics_port_in_use_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "load_model", lambda directory: None)
    monkeypatch.setattr(cli, "_log_to_stderr", lambda level: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert cli.main([*USUAL, "--metrics-port", port]) == cli.EXIT_USAGE
    assert f"--metrics-port {port} on 127.0.0.1 cannot be used" in capsys.readouterr().err


def test_a_lasting_trouble_is_let_through_once_in_a_while() -> None:
    now = [0.0]
    throttle = Throttle(10, lambda: now[0])
    assert throttle.passes("a")
    assert throttle.passes("b")
    assert not throttle.passes("a")
    now[0] = 10.0
    assert throttle.passes("a")


def test_a_file_of_properties_is_read_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text(
        "# written by somebody\nbootstrap.servers=other:1\nsecurity.protocol=SASL_SSL\n\n"
        "sasl.password= a=b \\#ü'\" \nsasl.username=file\nsession.timeout.ms=7000\n",
        encoding="utf-8",
    )
    both = parse(*USUAL, "--kafka-config-file", str(file), "--kafka-config", "sasl.username=line")
    properties = both.consumer_properties()
    assert properties["sasl.password"] == " a=b \\#ü'\" ", "blanks and signs may be meant"
    assert properties["sasl.username"] == "line", "the command line wins"
    assert properties["bootstrap.servers"] == "127.0.0.1:9092", "--broker says it"
    assert parse(*USUAL, CHURN_KAFKA_CONFIG_FILE=str(file)).kafka["sasl.username"] == "file"


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), (b"\xff\xfe=", "not in UTF-8"), (b"hunter2\n", "takes key=value")],
)
def test_a_file_that_holds_no_properties(
    content: bytes | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "client.properties"
    if content is not None:
        file.write_bytes(content)
    said = refused(capsys, *USUAL, "--kafka-config-file", str(file))
    assert told in said and "hunter2" not in said
