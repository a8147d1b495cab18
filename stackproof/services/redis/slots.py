"""The slots of a Redis Cluster: given out, moved, and asked for."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from redis import Redis, exceptions

from stackproof.errors import Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.base import Endpoint
from stackproof.services.redis.client import connect
from stackproof.services.redis.probe import RedisProbe

SLOTS = 16384


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
        idents = [client.execute_command("CLUSTER MYID").decode() for client in clients]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number < count:
                first, end = SLOTS * number // count, SLOTS * (number + 1) // count
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
