"""What server, client and probe of PostgreSQL call the same."""

from collections.abc import Iterable

PRIMARY = "primary"
#: The node in which agents keep who is the primary, where they choose it.
ETCD = "etcd"
#: The user and the database that every new server has.
USER, DATABASE = "postgres", "postgres"


def slot_of(replica: str) -> str:
    """What the primary calls a replica: its slot, and its connection."""
    return replica.replace("-", "_")


def servers(nodes: Iterable[str]) -> list[str]:
    """Those of a cluster's nodes that keep data."""
    return [node for node in nodes if node != ETCD]
