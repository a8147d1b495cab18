"""What Redis servers and Sentinels say of themselves and each other, by connections of its own."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis import Redis, exceptions

from stackproof.errors import NotSupported
from stackproof.services.base import Endpoint
from stackproof.services.redis.client import connect, node_at, watched
from stackproof.services.redis.known import clustered, sentinels
from stackproof.services.redis.refusals import IN_CLUSTER, NAME_NODES
from stackproof.urls import split_host_and_port

#: Seconds of silence after which a replica does not follow: each side is heard of every second.
_FOLLOWS_WITHIN = 3


@dataclass(frozen=True)
class Replica:
    """A replica as its primary sees it.

    Attributes:
        online: it is connected, and has had everything once.
        behind: bytes of the stream of writes that it has not confirmed.
        silent: seconds since it confirmed something last.
    """

    online: bool
    behind: int
    silent: int


class RedisProbe:
    """See `stackproof.services.probe.Probe`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout
        self._watching = sentinels(endpoint.addresses)
        self._watched = watched(endpoint)
        self._clustered = clustered(endpoint.addresses)

    def _client(self, node: str) -> Redis:
        return connect(self._endpoint, node, timeout=self._timeout)

    @property
    def _servers(self) -> list[str]:
        """The nodes that keep data."""
        return [node for node in self._endpoint.addresses if node not in self._watching]

    def answers(self, node: str = "") -> None:
        """It lets a client in and answers."""
        with self._client(node) as client:
            client.ping()

    def accepts_writes(self, node: str = "") -> None:
        """A key of its own is set and got again; it does not outlive ten seconds."""
        key, value = self._endpoint.check_name(), uuid.uuid4().bytes
        with self._client(node) as client:
            client.set(key, value, px=10_000)
            got = client.get(key)
            client.delete(key)
        if got != value:
            raise exceptions.ConnectionError(f"{got!r} was got where {value!r} was set")

    def carries(self, node: str, size: int) -> None:
        """It echoes a word of that size."""
        with self._client(node) as client:
            if len(client.echo(b"x" * size)) != size:
                raise exceptions.ConnectionError("the echo is not what was sent")

    def healthy(self) -> None:
        """Every node answers and has its peers, and writes are accepted.

        Raises:
            NotSupported: one server is named, and it is part of a Cluster, or a Sentinel.
        """
        nodes = list(self._endpoint.addresses)
        if len(nodes) == 1 and not self._clustered:
            with self._client(nodes[0]) as client:
                _refuse_other_modes(client, self._endpoint.addresses[nodes[0]])
        else:
            for node in nodes:
                self.answers(node)
            if self._clustered and not self.formed():
                return
            for node in nodes if self._endpoint.ours else ():  # others are named as somebody likes
                self.seen_by_peers(node)
        self.accepts_writes()

    def close(self) -> None:
        """Each question has a connection of its own."""

    # -- who has which role, and who misses whom ---------------------------------
    def holder(self, role: str) -> str:
        """The "primary": whom most of the Sentinels name, and who says so itself.

        Raises:
            NotSupported: a Cluster has several.
        """
        if self._clustered:
            raise NotSupported(f"in a Redis Cluster nobody is the {role}", "there are several")
        named: Counter[str] = Counter()
        for sentinel in self._watching:
            with suppress(*_SILENT), self._client(sentinel) as client:
                named[node_at(self._endpoint, _place(client.sentinel_master(self._watched)))] += 1
        if not self._watching:
            named[self._servers[0]] += 1
        node, count = (named or Counter({"": 0})).most_common(1)[0]
        if 2 * count <= len(self._watching) or self.replication(node)["role"] != "master":
            raise exceptions.ConnectionError(f"nobody is the {role} for most Sentinels: {named}")
        return node

    def replaced(self, node: str) -> bool:
        """Another one is the primary, or has its slots: in the words of a node that is there."""
        if not self._clustered:
            return self.holder("primary") != node
        for other in self._servers:
            with suppress(*_SILENT):
                if other != node:
                    return not self.members(other)[node]["slots"]
        return False

    def replication(self, node: str) -> Mapping[str, Any]:
        """What a node says of its role, and of whom it replicates."""
        with self._client(node) as client:
            return client.info("replication")

    def replicas(self) -> dict[str, Replica]:
        """Those that the primary has, by node."""
        return self._replicas_of(self.holder("primary"))

    def _replicas_of(self, primary: str) -> dict[str, Replica]:
        told = self.replication(primary)
        found = {}
        for one in (told[f"slave{n}"] for n in range(told["connected_slaves"])):
            found[node_at(self._endpoint, _place(one))] = Replica(
                one["state"] == "online", told["master_repl_offset"] - one["offset"], one["lag"]
            )
        return found

    def seen_by_peers(self, node: str) -> None:
        """All others work with it: Sentinels, nodes of a Cluster, its primary or its replicas."""
        if missed := next(self._missing(node), ""):
            raise exceptions.ConnectionError(missed)

    def _missing(self, node: str) -> Iterator[str]:
        """Who is without it, and how."""
        if self._clustered:
            yield from self._missing_in_cluster(node)
        if self._clustered or len(self._endpoint.addresses) == 1:
            return
        others = [sentinel for sentinel in self._watching if sentinel != node]
        for sentinel in others:
            if flags := self._flags(sentinel, node):
                yield f"{sentinel} has {node} as {', '.join(flags)}"
        if node in self._watching:
            return
        if node != (primary := self.holder("primary")):
            seen = self._replicas_of(primary).get(node)
            if not (seen and seen.online and seen.silent < _FOLLOWS_WITHIN):
                yield f"the primary has {node} as {seen}"
            return
        for other in self._servers:
            told = self.replication(other)
            silent = told.get("master_last_io_seconds_ago", 0)
            if other != node and not (
                told.get("master_link_status") == "up" and 0 <= silent < _FOLLOWS_WITHIN
            ):
                yield f"{other} has not heard of {node} for {silent} s"

    def _flags(self, sentinel: str, node: str) -> list[str]:
        """What one Sentinel thinks of a node that it does not reach; none: it does."""
        with self._client(sentinel) as client:
            known = [
                client.sentinel_master(self._watched), *client.sentinel_slaves(self._watched),
                *client.sentinel_sentinels(self._watched),
            ]  # fmt: skip
        for one in known:
            if node_at(self._endpoint, _place(one)) == node:
                return [flag for flag in ("sdown", "odown", "disconnected") if one[f"is_{flag}"]]
        return ["unknown"]

    def _missing_in_cluster(self, node: str) -> Iterator[str]:
        for other in self._servers:
            if other == node:
                continue
            seen = self.members(other).get(node, {"connected": False, "flags": "unknown"})
            if not seen["connected"]:
                yield f"{other} has {node} as disconnected"
            if "fail" in seen["flags"]:
                yield f"{other} has {node} as {seen['flags']}"

    def members(self, node: str) -> dict[str, Any]:
        """The nodes of a Cluster as one of them knows them; one without a name by its address."""
        with self._client(node) as client:
            told = client.execute_command("CLUSTER NODES")
        return {
            node_at(self._endpoint, (host, port))
            or node_at(self._endpoint, (one["hostname"], port))
            or address: one
            for address, one in told.items()
            for host, port in [split_host_and_port(address)]
        }

    def formed(self) -> bool:
        """Whether the nodes of a Cluster have slots, or have been told to have some."""
        return any(one["slots"] for one in self.members(self._servers[0]).values())


_SILENT = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)


def _place(told: Mapping[str, Any]) -> tuple[str, int]:
    return str(told["ip"]), int(told["port"])


def _refuse_other_modes(client: Redis, place: str) -> None:
    """Nothing but a server on its own will do; one that keeps its mode to itself may be one."""
    try:
        # Nearly every user may say HELLO, before Redis 6 nobody; INFO is often kept back.
        answer = client.execute_command("HELLO")
        mode = dict(zip(answer[::2], answer[1::2], strict=True)).get(b"mode", b"").decode()
    except exceptions.ResponseError:
        try:
            mode = client.info("server").get("redis_mode", "")
        except exceptions.ResponseError:
            return
    said = f"it says: its mode is {mode}"
    if mode == "cluster":
        raise NotSupported(f"{place} {IN_CLUSTER}", said, NAME_NODES)
    if mode == "sentinel":
        raise NotSupported(f"{place} is a Redis Sentinel, which holds no keys", said,
                           "name it so (services.redis.sentinels, REDIS_SENTINELS)")  # fmt: skip
