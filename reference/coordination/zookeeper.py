"""Locks and elections by ZooKeeper, by Kazoo's recipes.

Whose ephemeral node has the lowest number holds the lock, or is the leader.
"""

from __future__ import annotations

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, LockTimeout, NoNodeError, SessionExpiredError
from kazoo.recipe.lock import Lock

from reference.coordination.errors import NotAcquiredError, StaleTokenError


class ZooKeeperLock:
    """One client of locks.

    Args:
        hosts: of the servers, ``host:port``, comma-separated.
        prefix: path below which all nodes lie.
        ttl: seconds after which a holder that is silent has lost its lock.
    """

    def __init__(self, hosts: str, prefix: str, ttl: float = 5):
        self._prefix = prefix
        self._held: dict[str, Lock] = {}
        self._client = KazooClient(hosts, timeout=ttl, connection_retry={"max_tries": -1})
        self._client.start(timeout=30)

    def _path(self, name: str, what: str) -> str:
        return f"{self._prefix}/{name}/{what}"

    def acquire(self, name: str, wait: float) -> int:
        """Wait for the lock; its fencing token.

        Raises:
            NotAcquiredError: it was not free within ``wait`` seconds.
        """
        self._client.ensure_path(self._path(name, "value"))
        lock = self._lock(self._path(name, "lock"))
        try:
            lock.acquire(timeout=wait)
        except LockTimeout:
            raise NotAcquiredError(f"{name} was not free within {wait:g} s") from None
        self._held[name] = lock
        return self._token(lock)

    def _lock(self, path: str) -> Lock:
        return self._client.Lock(path)

    def _token(self, lock: Lock) -> int:
        """The transaction that has made the lock's node: each is greater than all before."""
        _, stat = self._client.get(f"{lock.path}/{lock.node}")
        return int(stat.czxid)

    def release(self, name: str) -> None:
        """Give the lock back; the servers forget it with the session otherwise."""
        try:
            self._held.pop(name).release()
        except NoNodeError:
            return

    def write(self, name: str, value: str, token: int) -> None:
        """Write what the lock protects.

        Raises:
            StaleTokenError: the lock with this token is not held any more.
        """
        lock = self._held[name]
        transaction = self._client.transaction()
        self._fence(transaction, f"{lock.path}/{lock.node}")
        transaction.set_data(self._path(name, "value"), value.encode())
        stale = StaleTokenError(f"the lock {name} with the token {token} is not held any more")
        try:
            if any(isinstance(one, KazooException) for one in transaction.commit()):
                raise stale
        except SessionExpiredError:
            raise stale from None

    def _fence(self, transaction: object, node: str) -> None:
        """What must hold for a write: the node of this very acquisition is there."""
        transaction.check(node, 0)  # type: ignore[attr-defined]


class ZooKeeperElection(ZooKeeperLock):
    """One candidate for being the leader, by Kazoo's recipe for elections."""

    def _lock(self, path: str) -> Lock:
        return self._client.Election(path).lock
