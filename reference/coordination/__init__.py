"""Locks and elections for clients on several machines, by etcd, by ZooKeeper or by Redis.

A lock is held as long as its holder's lease, or session, is kept alive. A holder that was away for
longer may not know that it has lost it; so each acquisition has a fencing token, and what the lock
protects takes a write only from whoever holds it at that moment.
"""

from reference.coordination.errors import NotAcquiredError, StaleTokenError
from reference.coordination.etcd import EtcdElection, EtcdLock
from reference.coordination.redis import RedisLock
from reference.coordination.zookeeper import ZooKeeperElection, ZooKeeperLock

__all__ = [
    "EtcdElection",
    "EtcdLock",
    "NotAcquiredError",
    "RedisLock",
    "StaleTokenError",
    "ZooKeeperElection",
    "ZooKeeperLock",
]
