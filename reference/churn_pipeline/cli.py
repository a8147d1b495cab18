"""The command line: options, environment, logging, signals and exit codes."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from reference.churn_pipeline import config as settings
from reference.churn_pipeline.clients import KafkaClients, LibrdkafkaLogFilter
from reference.churn_pipeline.clients import log as librdkafka_log
from reference.churn_pipeline.config import Config, ConfigError
from reference.churn_pipeline.metrics import Metrics, serve_metrics
from reference.churn_pipeline.model import ModelError, load_model
from reference.churn_pipeline.pipeline import ChurnPipeline, PipelineError
from reference.churn_pipeline.validation import ContractError, CustomerValidator

EXIT_STOPPED = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

PROGRAM = "churn_pipeline"

log = logging.getLogger(__name__)

_EPILOG = """\
Every option can also be set in the environment: CHURN_ and its name in capitals,
as in CHURN_BROKER or CHURN_INPUT_TOPIC; CHURN_KAFKA_CONFIG takes one key=value
per line. The command line wins.

The line 'ready: ...' on standard error says that the group has assigned its
partitions. SIGTERM or SIGINT: the batch at hand is finished and committed.

exit codes: 0 stopped on request; 1 something could not be delivered or committed
(start it again: it resumes at the last commit); 2 wrong usage or settings
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line; the usage alone would fill half a screen."""
        self.exit(EXIT_USAGE, f"{self.prog}: error: {message} (--help lists the options)\n")


def build_parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the parser; defaults come from ``environment`` where it sets them."""
    parser = _Parser(
        prog=PROGRAM,
        description="Predict which customers leave: reads customers from a Kafka topic, writes "
        "predictions to another and what it cannot process to a dead-letter topic.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def add(option: str, default: object, text: str, **more: object) -> None:
        if default is not None:
            text += f" (default: {default})".replace("%", "%%")
        # argparse converts a default only if it is a string.
        value = environment.get(_variable(option)) or (None if default is None else str(default))
        parser.add_argument(option, default=value, help=text, **more)  # type: ignore[arg-type]

    add("--broker", None, "Kafka bootstrap servers, host:port[,host:port...]; required")
    add("--input-topic", None, "topic of the customers; required", metavar="TOPIC")
    add("--output-topic", None, "topic for the predictions; required", metavar="TOPIC")
    add("--dead-letter-topic", None, "topic for the dead letters; required", metavar="TOPIC")
    add("--group", settings.DEFAULT_GROUP, "consumer group")
    add(
        "--batch-size",
        settings.DEFAULT_BATCH_SIZE,
        "messages that are delivered and committed together at most",
        type=int,
        metavar="N",
    )
    add(
        "--max-message-bytes",
        settings.DEFAULT_MAX_MESSAGE_BYTES,
        "contract limit for key, value and headers of a message together; above it, too_large",
        type=int,
        metavar="BYTES",
    )
    add(
        "--max-dead-letter-bytes",
        settings.DEFAULT_MAX_DEAD_LETTER_BYTES,
        "max.message.bytes of the dead-letter topic",
        type=int,
        metavar="BYTES",
    )
    add(
        "--metrics-port",
        0,
        "serve /metrics and /healthz on this port of 127.0.0.1; 0: do not",
        type=int,
        metavar="PORT",
    )
    add(
        "--model-cache",
        settings.default_model_cache(),
        "directory that keeps the trained model",
        type=Path,
        metavar="DIR",
    )
    add(
        "--contract-dir",
        settings.DEFAULT_CONTRACT_DIR,
        "directory of customer.schema.json",
        type=Path,
        metavar="DIR",
    )
    add(
        "--log-level",
        "INFO",
        f"least level that is logged: {', '.join(settings.LOG_LEVELS)}",
        type=str.upper,
        metavar="LEVEL",
    )
    parser.add_argument(
        "--kafka-config",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="librdkafka property for both clients, or for one if KEY begins with 'consumer.' "
        "or 'producer.'; may be repeated (SASL, TLS, time-outs, ...)",
    )
    add(
        "--kafka-config-file",
        None,
        "file of such properties, one key=value a line; the place for passwords",
        type=Path,
        metavar="FILE",
    )
    return parser


def parse_config(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> Config:
    """Return the settings from the command line and ``environment``.

    Raises:
        SystemExit: with code 0 for ``--help``, 2 for wrong usage, having said why.
    """
    parser = build_parser(environment)
    options = vars(parser.parse_args(arguments))
    required = ("broker", "input_topic", "output_topic", "dead_letter_topic")
    missing = [f"--{name.replace('_', '-')}" for name in required if not options[name]]
    if missing:
        parser.error(f"missing {', '.join(missing)}")
    lines = environment.get(_variable("--kafka-config"), "").splitlines()
    pairs = [line.strip() for line in lines if line.strip()] + options.pop("kafka_config")
    file = options.pop("kafka_config_file")
    try:
        # Blanks may belong to a password; what stands on the command line wins.
        text = file.read_text(encoding="utf-8") if file else ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not in UTF-8"
        parser.error(f"--kafka-config-file {file}: {reason}")
    in_file = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    # Named by --broker, which wins.
    pairs = [line for line in in_file if not line.startswith("bootstrap.servers=")] + pairs
    kafka: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            # The text may be a secret that lost its name: do not repeat it.
            parser.error("--kafka-config takes key=value")
        kafka[key] = value
    try:
        return Config(**options, kafka=kafka)
    except ConfigError as error:
        parser.error(str(error))


def main(
    arguments: Sequence[str] | None = None,
    pipeline_class: type[ChurnPipeline] = ChurnPipeline,
) -> int:
    """Run the pipeline until it is told to stop, and return the exit code.

    Args:
        arguments: the command line, without the program; ``sys.argv`` if None.
        pipeline_class: the pipeline to run.

    Raises:
        SystemExit: for ``--help`` and wrong usage.
    """
    config = parse_config(arguments, os.environ)
    _log_to_stderr(config.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        metrics = Metrics()
        validator = CustomerValidator(config.contract_dir, config.max_message_bytes)
        model = load_model(config.model_cache)
        pipeline = pipeline_class(config, KafkaClients(), validator, model, metrics, stop)
        if config.metrics_port:
            serve_metrics(metrics, config.metrics_port, pipeline.ready.is_set)
    except (ConfigError, ContractError, ModelError) as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return EXIT_USAGE
    log.info("starting: broker %s, input topic %s", config.broker, config.input_topic)
    try:
        pipeline.run()
    except PipelineError as error:
        log.error("failed: %s", error)
        return EXIT_FAILED
    log.info("stopped on request")
    return EXIT_STOPPED


def _variable(option: str) -> str:
    return "CHURN_" + option.removeprefix("--").replace("-", "_").upper()


def _log_to_stderr(level: str) -> None:
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    librdkafka_log.addFilter(LibrdkafkaLogFilter())
