"""What server, client, probe and steps of Redis call the same."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

SERVER, PRIMARY = "server", "primary"
#: Of every Redis Cluster.
SLOTS = 16384
#: What Sentinels call what they watch.
WATCHED = "mymaster"
#: What a full server does, by `maxmemory-policy`.
POLICIES = (
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu",
    "volatile-random", "volatile-ttl",
)  # fmt: skip
#: One command for each key; one MSET or MGET; all commands sent before the first answer is read.
Batching = Literal["one by one", "in one batch", "in one pipeline"]


def names(options: Mapping[str, Any]) -> list[str]:
    """Of the nodes that keep data, the first primary first.

    Where roles move, by Sentinels or in a Cluster, no name says one.
    """
    if options["nodes"]:
        return [f"node-{n + 1}" for n in range(options["nodes"])]
    if options["sentinels"]:
        return [f"node-{n + 1}" for n in range(1 + options["replicas"])]
    if options["replicas"]:
        return [PRIMARY, *(f"replica-{n + 1}" for n in range(options["replicas"]))]
    return [SERVER]


def share(number: int, count: int) -> tuple[int, int]:
    """The first slot of a primary, by its number, and the one after its last."""
    return SLOTS * number // count, SLOTS * (number + 1) // count


def sentinels(nodes: Iterable[str]) -> list[str]:
    """Those of these nodes that are Sentinels."""
    return [node for node in nodes if node.startswith("sentinel-")]


def clustered(nodes: Iterable[str]) -> bool:
    """Whether these nodes are a Redis Cluster."""
    return all(node.startswith("node-") for node in nodes)
