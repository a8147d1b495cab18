"""A lock in Redis, with a lease and with fencing tokens."""

from __future__ import annotations

from redis import Redis, WatchError


class Lock:
    """Held by one client at a time. Safe to use from several threads and processes.

    Whoever holds a lock may be late without knowing it. The fencing token says so: each holder's is
    greater than all before, and what the lock protects refuses one that is less than it has seen.

    Args:
        redis_url: where locks are.
        prefix: of the keys under which they are kept.
        lease: seconds after which a lock that was not released is free again.
        ca_file: whom to trust where Redis is reached by TLS (PEM).
    """

    def __init__(self, redis_url: str, prefix: str = "", lease: float = 10.0, ca_file: str = ""):
        tls = {"ssl_ca_certs": ca_file} if ca_file else {}
        self._redis = Redis.from_url(redis_url, socket_timeout=10, **tls)
        self._prefix, self._lease_ms = prefix, int(lease * 1000)

    def acquire(self, name: str) -> int | None:
        """Acquire a lock; its fencing token, or None: somebody else holds it."""
        lock, tokens = f"{self._prefix}{name}", f"{self._prefix}{name}:tokens"
        with self._redis.pipeline() as pipeline:
            try:
                pipeline.watch(lock, tokens)
                if pipeline.exists(lock):
                    return None
                token = int(pipeline.get(tokens) or 0) + 1
                pipeline.multi()
                pipeline.set(lock, token, px=self._lease_ms)
                pipeline.set(tokens, token)
                pipeline.execute()
            except WatchError:
                return None
        return token

    def release(self, name: str, token: int) -> bool:
        """Release a lock; False: it is not held by this token any more."""
        lock = f"{self._prefix}{name}"
        with self._redis.pipeline() as pipeline:
            try:
                pipeline.watch(lock)
                if int(pipeline.get(lock) or 0) != token:
                    return False
                pipeline.multi()
                pipeline.delete(lock)
                pipeline.execute()
            except WatchError:
                return False
        return True
