"""Container engines that are not there, not allowed, or have nothing to run."""

from __future__ import annotations

import os
import shutil
import socket
import sys

from tests import engine
from tests.troubles.case import trouble
from tests.troubles.configuration import SEED
from tests.troubles.machine import not_root
from tests.troubles.sandbox import Outcome, Sandbox

CONTAINERS = "Containers"


def no_image(*services: str):
    """Why a case cannot be provoked: it needs an engine with images of these services."""
    return lambda: engine.missing(*services)


@trouble(CONTAINERS, "No container engine", "no container engine answers", "No such file",
         remedy="start Docker.*STACK=native")  # fmt: skip
def no_engine(box: Sandbox) -> Outcome:
    return box.features(*SEED, "--stack", "docker")


@trouble(CONTAINERS, "A container engine that this user may not use",
         "the container engine must not be used by this user", "Permission denied",
         remedy="usermod -aG docker", missing=not_root)  # fmt: skip
def no_permission(box: Sandbox) -> Outcome:
    path = box.root / "engine.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o600)
        # Root without the right to pass over permissions, in a directory it may use.
        drop = [str(shutil.which("setpriv")), "--bounding-set=-dac_override,-dac_read_search",
                "--inh-caps=-dac_override,-dac_read_search"]  # fmt: skip
        os.chown(path, 65534, 65534)
        program = [sys.executable, "-m", "stackproof", "run", "--no-report", *SEED]
        return box.program([*drop, *program, "--stack", "docker"], DOCKER_HOST=f"unix://{path}")


@trouble(CONTAINERS, "An engine on another machine",
         "the container engine is another machine's", "cannot be reached from here",
         remedy="unset DOCKER_HOST")  # fmt: skip
def foreign_engine(box: Sandbox) -> Outcome:
    return box.features(*SEED, "--stack", "docker", DOCKER_HOST="tcp://engine.example:2375")


@trouble(CONTAINERS, "No Compose", "Docker Compose is missing|Docker Compose cannot be used",
         "docker", remedy="install Compose", missing=no_image())  # fmt: skip
def no_compose(box: Sandbox) -> Outcome:
    box.without("docker")
    return box.features(*SEED, "--stack", "docker", DOCKER_HOST=engine.the_engine().host,
                        STACKPROOF_CACHE=str(box.root / "cache"))  # fmt: skip


@trouble(CONTAINERS, "A Compose that is too old", "Docker Compose cannot be used",
         "is version 2.11.0", remedy="Compose 2.23.1 or newer", missing=no_image())  # fmt: skip
def old_compose(box: Sandbox) -> Outcome:
    box.command("docker", "echo 2.11.0")
    return box.features(*SEED, "--stack", "docker", DOCKER_HOST=engine.the_engine().host,
                        STACKPROOF_CACHE=str(box.root / "cache"))  # fmt: skip


@trouble(CONTAINERS, "No image", "Kafka has no container image",
         "is not present and cannot be pulled", "KAFKA_IMAGE names it",
         remedy="KAFKA_IMAGE", missing=no_image())  # fmt: skip
def image_missing(box: Sandbox) -> Outcome:
    return box.features(*SEED, "--stack", "docker", DOCKER_HOST=engine.the_engine().host,
                        KAFKA_IMAGE="127.0.0.1:9/nobody/kafka:none")  # fmt: skip


@trouble(CONTAINERS, "A container that ends at once", "Kafka died while it was starting",
         "ended with exit code 127", "not found", remedy="log's end",
         missing=no_image("kafka", "redis"))  # fmt: skip
def container_ends(box: Sandbox) -> Outcome:
    # An image in which there is no Kafka.
    return box.features(*SEED, "--stack", "docker", DOCKER_HOST=engine.the_engine().host,
                        KAFKA_IMAGE="stackproof/redis:7.0.15")  # fmt: skip


@trouble(CONTAINERS, "An unknown make of broker", "KAFKA_FLAVOUR cannot be 'rabbit'",
         "apache, redpanda", remedy="correct the variable", missing=no_image())  # fmt: skip
def unknown_flavour(box: Sandbox) -> Outcome:
    return box.features(*SEED, "--stack", "docker", KAFKA_FLAVOUR="rabbit",
                        DOCKER_HOST=engine.the_engine().host)  # fmt: skip
