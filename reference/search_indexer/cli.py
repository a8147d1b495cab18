"""The command line: options, signals, exit codes."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException

from reference.search_indexer.indexer import Config, Indexer, IndexerError

EXIT_STOPPED, EXIT_FAILED, EXIT_USAGE = range(3)

log = logging.getLogger(__name__)


def parse_config(arguments: Sequence[str] | None) -> Config:
    """The settings on the command line; ends the program with 2 if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="search_indexer",
        description="Make documents of a search engine from the messages of a Kafka topic.",
        epilog="exit codes: 0 stopped on request; 1 failed; 2 wrong usage",
        allow_abbrev=False,
    )
    for name in ("broker", "input-topic", "dead-letter-topic", "group", "url"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--ca-file", default="", help="whom to trust by TLS")
    parser.add_argument("--mapping", type=Path, help="how fields are mapped (JSON)")
    parser.add_argument("--batch-messages", type=int, default=500)
    parser.add_argument("--kafka-config-file", type=Path, help="librdkafka's, one a line")
    options = vars(parser.parse_args(arguments))
    file, mapping = options.pop("kafka_config_file"), options.pop("mapping")
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file else []
        fields = json.loads(mapping.read_text(encoding="utf-8")) if mapping else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if options["batch_messages"] < 1:
        parser.error("--batch-messages is 1 or more")
    pairs = [line.partition("=") for line in lines if line.strip() and not line.startswith("#")]
    kafka = {name: value for name, _, value in pairs if name != "bootstrap.servers"}
    return Config(**options, mapping=fields, kafka=kafka)


def main(arguments: Sequence[str] | None = None, indexer_class: type[Indexer] = Indexer) -> int:
    """Run until it is told to stop; the exit code.

    Args:
        arguments: the command line, without the program; ``sys.argv`` if None.
        indexer_class: the program to run.
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
        indexer_class(config, stop).run()
    except (IndexerError, KafkaException) as error:
        log.error("failed: %s", error)
        return EXIT_FAILED
    log.info("stopped on request")
    return EXIT_STOPPED
