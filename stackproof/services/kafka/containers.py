"""Kafka in containers: what ``compose/kafka.yml`` is filled with."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from stackproof.errors import NotSupported, Trouble
from stackproof.ports import LOOPBACK
from stackproof.services.base import Composition, Image, Site, readable
from stackproof.services.kafka.properties import (
    LOG4J_CONFIGURATION,
    Node,
    cluster_id,
    jvm_flags,
    properties_of,
)

FLAVOUR_VARIABLE = "KAFKA_FLAVOUR"
_IMAGES = {
    "apache": Image("KAFKA_IMAGE", "apache/kafka:4.3.1", "stackproof/kafka:4.3.1"),
    "redpanda": Image("REDPANDA_IMAGE", "redpandadata/redpanda:v24.2.4"),
}
# Inside the containers.
_CLIENT, _BETWEEN, _CONTROLLER = 9092, 19092, 9093
_DATA = PurePosixPath("/var/lib/kafka/data")


def flavour() -> str:
    """Which make of broker containers run: "apache" or "redpanda".

    Raises:
        Trouble: another one is asked for.
    """
    asked = os.environ.get(FLAVOUR_VARIABLE) or "apache"
    if asked not in _IMAGES:
        raise Trouble(
            f"{FLAVOUR_VARIABLE} cannot be {asked!r}",
            f"it can be: {', '.join(_IMAGES)}",
            "correct the variable or unset it",
        )
    return asked


def image() -> Image:
    """The image of the flavour asked for."""
    return _IMAGES[flavour()]


def compose(site: Site) -> Composition:
    """The containers of one cluster.

    Raises:
        NotSupported: Redpanda with several brokers.
    """
    brokers = site.options["brokers"]
    if flavour() == "redpanda" and (brokers > 1 or site.options["config"]):
        raise NotSupported(
            "Redpanda runs as one broker with its own configuration here",
            f"asked for: {brokers} brokers, configuration {dict(site.options['config'])}",
            f"unset {FLAVOUR_VARIABLE}",
        )
    numbers = range(1, brokers + 1)
    if brokers not in (1, 3):
        raise NotSupported(
            f"{brokers} Kafka brokers in containers are not possible",
            "compose/kafka.yml has one or three",
            "take brokers=1 or brokers=3, or STACK=native",
        )
    chosen = {1: site.options["port"]}  # of the first broker, as natively
    ports = {number: site.port(f"client-{number}", chosen.get(number, 0)) for number in numbers}
    told = dict(ports)
    if site.options["proxied"]:
        told = {number: site.port(f"proxy-{number}") for number in numbers}
    disks = {}
    if site.options["disk_mb"]:
        disks = {number: site.directory / f"disk-{number}" for number in numbers}
    place = site.directory / "config"
    write_configuration(place, ports, dict(site.options["config"]))
    names = {n: f"{site.cluster}-{n}" if brokers > 1 else site.cluster for n in numbers}
    return Composition(
        instances={name: f"kafka-{n}" for n, name in names.items()},
        environment={
            "KAFKA_CONFIG": str(place),
            "KAFKA_CLUSTER_ID": cluster_id(),
            "KAFKA_JVM": " ".join(jvm_flags(site.options["heap_mb"])[1:]),
            "KAFKA_HEAP": f"{site.options['heap_mb']}m",
            "KAFKA_MEMORY": f"{site.options['heap_mb'] + 128}m",
            **{f"KAFKA_PORT_{number}": str(port) for number, port in ports.items()},
            **{f"KAFKA_TOLD_{number}": str(port) for number, port in told.items()},
            **{f"KAFKA_DISK_{number}": f"{disk}:" for number, disk in disks.items()},
        },
        profiles=("three",) if brokers == 3 else (),
        data=str(_DATA),
        disks={names[number]: disk for number, disk in disks.items()},
    )


def write_configuration(place: Path, ports: dict[int, int], extra: dict[str, str]) -> None:
    """Write what the containers of a cluster read; ``ports``: node -> port on this machine."""
    nodes = {
        number: Node(
            listeners={
                "PLAINTEXT": f"0.0.0.0:{_CLIENT}",
                "BETWEEN": f"0.0.0.0:{_BETWEEN}",
                "CONTROLLER": f"0.0.0.0:{_CONTROLLER}",
            },
            advertised={
                "PLAINTEXT": f"{LOOPBACK}:{port}",
                "BETWEEN": f"kafka-{number}:{_BETWEEN}",
            },
            voter=f"kafka-{number}:{_CONTROLLER}",
            between="BETWEEN",
        )
        for number, port in ports.items()
    }
    readable(place / "log4j2.xml", LOG4J_CONFIGURATION)
    for number in nodes:
        text = properties_of(number, nodes, data=_DATA, extra=extra)
        readable(place / f"kafka-{number}.properties", text)
