"""The slots of a Redis Cluster: given out, moved, and asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from redis import Redis, exceptions

from stackproof.errors import ELSEWHERE, NotSupported, PremiseNotMet, Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.base import Endpoint
from stackproof.services.redis.client import connect
from stackproof.services.redis.known import share
from stackproof.services.redis.probe import RedisProbe


def demand_shape(endpoint: Endpoint, what: str, found: Sequence[str], count: int) -> None:
    """Be sure that there are so many nodes of a kind, all of them known by address.

    Raises:
        PremiseNotMet: there are others; `NotSupported`: of an endpoint that is somebody's own.
    """
    known = sorted(node for node in found if node in endpoint.addresses)
    if len(known) == count:
        return
    wanted = f"{count} {what} were to be there, known by address are {', '.join(known) or 'none'}"
    if endpoint.ours:
        raise PremiseNotMet(f"the Redis that was started has other {what}", wanted)
    raise NotSupported(f"the external Redis has other {what}", wanted, ELSEWHERE)


def form(endpoint: Endpoint, replicas: int, *, within: float) -> None:
    """Make a Cluster of nodes that know nothing of each other.

    Args:
        endpoint: its nodes; those in front become primaries, with equal shares of the slots.
        replicas: how many each primary is to have.
        within: seconds.

    Raises:
        Trouble: it did not come about in time.
    """
    nodes, probe = list(endpoint.addresses), RedisProbe(endpoint, timeout=5.0)
    count = len(nodes) // (1 + replicas)
    with ExitStack() as opened:
        clients = [opened.enter_context(connect(endpoint, node)) for node in nodes]
        idents = list(map(_ident, clients))
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number < count:
                first, end = share(number, count)
                client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
            clients[0].execute_command("CLUSTER MEET", *_place(client))

        def known(node: str) -> set[str]:
            return {one["node_id"] for one in probe.members(node).values()}

        def joined() -> list[str]:
            missing = [node for node in nodes if known(node) != set(idents)]
            for number, client in enumerate(clients[count:] if not missing else ()):
                client.execute_command("CLUSTER REPLICATE", idents[number % count])
            return missing

        def well() -> bool:
            probe.healthy()
            return all(_well(client) for client in clients)

        try:
            poll(joined, until=lambda missing: not missing, within=within,
                 awaiting="all nodes to know each other")  # fmt: skip
            poll(well, within=within, awaiting="the Cluster to be in order",
                 retry_on=(exceptions.RedisError, exceptions.RedisClusterException))  # fmt: skip
        except DeadlineExceeded as late:
            raise Trouble("the nodes do not become a Redis Cluster", str(late),
                          "their logs usually name the cause") from late  # fmt: skip


def _place(client: Redis) -> tuple[str, int, int]:
    """Host, port and port of the bus, as other nodes reach it: as it sees itself."""
    host, _, port = str(client.client_info()["laddr"]).rpartition(":")
    return host, int(port), int(client.config_get("cluster-port")["cluster-port"])


def _well(client: Redis) -> bool:
    told: dict[str, Any] = client.execute_command("CLUSTER INFO")
    link = client.info("replication").get("master_link_status", "up")
    return told["cluster_state"] == "ok" and link == "up"


class Moving:
    """Moves slots of a Cluster from one primary to another, as ``redis-cli --cluster`` does.

    Args:
        endpoint: of the Cluster.
        source: the node that has them.
        target: the one that is to have them.
        timeout: seconds for each command.
    """

    def __init__(self, endpoint: Endpoint, source: str, target: str, *, timeout: float):
        self._milliseconds = round(timeout * 1000)
        self._clients = {
            node: connect(endpoint, node, timeout=timeout) for node in (source, target)
        }
        self._source, self._target = self._clients.values()
        self._from, self._to = map(_ident, self._clients.values())

    def begin(self, slot: int) -> None:
        """From now on the source answers ASK for what is not there any more."""
        self._target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self._from)
        self._source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self._to)

    def carry(self, slot: int) -> int:
        """Move all keys of a slot; how many."""
        host, port, _ = _place(self._target)
        carried = 0
        while keys := self._source.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            self._source.execute_command(
                "MIGRATE", host, port, "", 0, self._milliseconds, "KEYS", *keys
            )
            carried += len(keys)
        return carried

    def finish(self, slot: int) -> None:
        """Have the target own the slot: it hears of that first."""
        for client in (self._target, self._source):
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", self._to)

    def move(self, slot: int) -> int:
        """All of that; how many keys have moved."""
        self.begin(slot)
        carried = self.carry(slot)
        self.finish(slot)
        return carried

    def close(self) -> None:
        """End its connections."""
        for client in self._clients.values():
            client.close()


def _ident(client: Redis) -> str:
    return str(client.execute_command("CLUSTER MYID").decode())
