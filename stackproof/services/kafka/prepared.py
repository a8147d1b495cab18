"""What a quick start of Kafka needs on top of its jars."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stackproof.obtain import Cache, Say
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.services.kafka.client.librdkafka import admin_client
from stackproof.services.kafka.properties import (
    BROKERS,
    CLIENTS,
    CONTROLLER,
    Logging,
    Reached,
    jvm_flags,
    kafka_id,
    properties_of,
)
from stackproof.services.prepared import PreparedJars, java, run_once

CHECKPOINT, CLASSES = "bootstrap.checkpoint", "classes.jsa"


def class_path(jars: Path) -> str:
    """Explicit and sorted: class-data sharing demands the same string each time."""
    return os.pathsep.join(str(jar) for jar in sorted((jars / "lib").glob("*.jar")))


def alone(client: int, *, extra: dict[str, str]) -> str:
    """The ``server.properties`` of a single broker on loopback; its data go to ``data``."""
    places = {CLIENTS: client, BROKERS: free_port(), CONTROLLER: free_port()}
    listens = {name: f"{LOOPBACK}:{port}" for name, port in places.items()}
    one = Reached(listens, listens[CLIENTS], listens[BROKERS], listens[CONTROLLER])
    return properties_of(1, {1: one}, data="data", extra=extra)


@dataclass(frozen=True)
class PreparedNode(PreparedJars):
    """Made once by running one node.

    ``bootstrap.checkpoint`` spares the formatting tool's JVM at each start; the
    archive of loaded classes (AppCDS) spares most of the class loading. Both are
    bound to the exact jars, the archive also to the exact Java and place.
    """

    logging: Logging

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Format a node, run it once, and keep its checkpoint and class archive."""
        say(f"{self.title}: running a node once")
        launcher = java()
        classes = class_path(cache.path(self.jars))
        # Inside the artifact's place, which is cleared whatever happens.
        place = into / "scratch"
        place.mkdir()
        port = free_port()
        properties = place / "server.properties"
        properties.write_text(alone(port, extra={"num.partitions": "1"}), encoding="utf-8")
        (place / self.logging.file).write_text(self.logging.text, encoding="utf-8")
        checkpoint = place / "data" / CHECKPOINT
        self.run_tool(
            cache,
            [launcher, "-cp", classes, "kafka.tools.StorageTool", "format", "-t",
             kafka_id(self.key), "-c", properties.name],
            checkpoint, remedy="run again", cwd=place,
        )  # fmt: skip
        shutil.copy(checkpoint, into)
        archive = into / CLASSES
        run_once(
            self.title,
            [launcher, *jvm_flags(384), f"-XX:ArchiveClassesAtExit={archive}",
             self.logging.flag(self.logging.file),
             "-cp", classes, "kafka.Kafka", properties.name],
            partial(self._exercise, f"{LOOPBACK}:{port}"), place=place, cache=cache,
        )  # fmt: skip
        shutil.rmtree(place)
        if not archive.exists():
            say(f"{self.title}: this Java makes no class archive; starts will take 2 s longer")

    @staticmethod
    def _exercise(bootstrap: str, node: subprocess.Popen) -> None:
        """Touch what every scenario touches, so that its classes get into the archive."""
        from confluent_kafka.admin import NewTopic
        from kafka import KafkaConsumer, KafkaProducer
        from kafka.errors import KafkaError

        with contextlib.ExitStack() as clients:
            admin = poll(
                lambda: admin_client({"bootstrap": bootstrap}, timeout=0.5),
                until=lambda _: True,  # its length is that of a queue: an idle one counts as false
                within=60,
                awaiting="the node's first answer",
                retry_on=(KafkaError, OSError),
                alive=lambda: None if node.poll() is None else "it has ended",
            )
            admin.create_topics([NewTopic("warm-up", 1, 1)])["warm-up"].result()
            producer = KafkaProducer(bootstrap_servers=bootstrap)
            clients.callback(producer.close, timeout=5)
            producer.send("warm-up", b"value", key=b"key").get(timeout=20)
            consumer = KafkaConsumer(
                "warm-up", bootstrap_servers=bootstrap, group_id="g", auto_offset_reset="earliest"
            )
            clients.callback(consumer.close)
            poll(lambda: consumer.poll(timeout_ms=200), within=20, awaiting="the first record")
            consumer.commit()
