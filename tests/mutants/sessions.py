"""Stores of sessions with faults."""

from __future__ import annotations

from reference.caching import SessionStore


class LastWriterWins(SessionStore):
    """An update overwrites whatever is there."""

    def update(self, session: str, before: str, after: str) -> bool:
        return bool(self._redis.set(f"{self._prefix}{session}", after, keepttl=True, xx=True))


class NeverRenews(SessionStore):
    """A renewal is answered and not carried out."""

    def renew(self, session: str) -> bool:
        return self.read(session) is not None


class NeverEnds(SessionStore):
    """A session that was renewed lives for ever."""

    def renew(self, session: str) -> bool:
        return bool(self._redis.persist(f"{self._prefix}{session}")) or True
