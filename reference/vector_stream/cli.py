"""The command line: options, signals, exit codes."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException

from reference.vector_stream.stream import Config, FencedError, NoBrokerError, StreamError
from reference.vector_stream.stream import VectorStream as Stream

EXIT_STOPPED, EXIT_FAILED, EXIT_USAGE, EXIT_NO_BROKER, EXIT_FENCED = range(5)

log = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """The command line's parser."""
    parser = argparse.ArgumentParser(
        prog="vector_stream",
        description="Normalise vectors on their way from one Kafka topic to another.",
        epilog="exit codes: 0 stopped on request; 1 failed; 2 wrong usage; 3 no broker answered; "
        "4 another instance has taken over the transactional ID",
        allow_abbrev=False,
    )
    for name in ("broker", "input-topic", "output-topic", "dead-letter-topic", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--dimension", type=int, required=True, help="of every vector")
    parser.add_argument("--batch-messages", type=int, default=4000)
    parser.add_argument("--batch-bytes", type=int, default=4 * 1024 * 1024)
    parser.add_argument("--max-message-bytes", type=int, default=8 * 1024 * 1024)
    parser.add_argument("--transactional-id", default="", help="turns on exactly-once")
    parser.add_argument("--give-up-after", type=float, default=0.0, metavar="SECONDS",
                        help="without a broker at the start; 0: wait for ever")  # fmt: skip
    parser.add_argument("--kafka-config", action="append", default=[], metavar="KEY=VALUE",
                        help="librdkafka property; 'consumer.' or 'producer.' before it: for one "
                        "client")  # fmt: skip
    parser.add_argument("--kafka-config-file", type=Path, help="such properties, one a line")
    return parser


def parse_config(arguments: Sequence[str] | None) -> Config:
    """The settings on the command line; ends the program with 2 if they are wrong."""
    parser = build_parser()
    options = vars(parser.parse_args(arguments))
    file = options.pop("kafka_config_file")
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file else []
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"--kafka-config-file {file}: {error}")
    pairs = [
        line for line in lines if line.strip() and not line.startswith(("#", "bootstrap.servers="))
    ]
    pairs += options.pop("kafka_config")
    kafka = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            parser.error("--kafka-config takes key=value")
        kafka[key] = value
    if options["dimension"] < 1 or options["batch_messages"] < 1:
        parser.error("--dimension and --batch-messages are 1 or more")
    return Config(**options, kafka=kafka)


def main(arguments: Sequence[str] | None = None, stream_class: type[Stream] = Stream) -> int:
    """Run until it is told to stop; the exit code.

    Args:
        arguments: the command line, without the program; ``sys.argv`` if None.
        stream_class: the program to run.
    """
    config = parse_config(arguments)
    logging.basicConfig(
        stream=sys.stderr, level="INFO", format="%(asctime)s %(levelname)s %(message)s"
    )
    # librdkafka says the same through its error callback.
    logging.getLogger("librdkafka").setLevel("CRITICAL")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        stream = stream_class(config, stop)
    except (KafkaException, ValueError) as error:
        print(f"vector_stream: error: Kafka client settings: {error}", file=sys.stderr)
        return EXIT_USAGE
    log.info("starting: broker %s, input topic %s", config.broker, config.input_topic)
    try:
        stream.run()
    except NoBrokerError as error:
        log.error("failed: %s", error)
        return EXIT_NO_BROKER
    except FencedError as error:
        log.error("fenced: %s", error)
        return EXIT_FENCED
    except (StreamError, KafkaException) as error:
        log.error("failed: %s", error)
        return EXIT_FAILED
    log.info("stopped on request")
    return EXIT_STOPPED
