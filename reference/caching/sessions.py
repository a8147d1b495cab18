"""Sessions in Redis: they live for a time that can be renewed, and no update is overwritten."""

from __future__ import annotations

from redis import Redis, WatchError


class SessionStore:
    """Safe to use from several threads and processes.

    Args:
        redis_url: where sessions are.
        prefix: of the keys under which they are kept.
        ttl: seconds for which a session lives after it was created or renewed.
        ca_file: whom to trust where Redis is reached by TLS (PEM).
    """

    def __init__(self, redis_url: str, prefix: str = "", ttl: float = 1800.0, ca_file: str = ""):
        tls = {"ssl_ca_certs": ca_file} if ca_file else {}
        self._redis = Redis.from_url(redis_url, decode_responses=True, socket_timeout=10, **tls)
        self._prefix, self._ttl_ms = prefix, int(ttl * 1000)

    def create(self, session: str, data: str) -> bool:
        """Create a session; False: there is one of this name."""
        key = f"{self._prefix}{session}"
        return bool(self._redis.set(key, data, px=self._ttl_ms, nx=True))

    def read(self, session: str) -> str | None:
        """What a session holds; None: there is none, or it has ended. Does not renew it."""
        found = self._redis.get(f"{self._prefix}{session}")
        return None if found is None else str(found)

    def renew(self, session: str) -> bool:
        """Let a session live for the whole time from now on; False: it has ended."""
        return bool(self._redis.pexpire(f"{self._prefix}{session}", self._ttl_ms))

    def update(self, session: str, before: str, after: str) -> bool:
        """Change what a session holds, if that is still as it was ``before``; its time stays."""
        key = f"{self._prefix}{session}"
        with self._redis.pipeline() as pipeline:
            try:
                pipeline.watch(key)
                if pipeline.get(key) != before:
                    return False
                pipeline.multi()
                pipeline.set(key, after, keepttl=True)
                pipeline.execute()
            except WatchError:
                return False
        return True
