"""Locks and elections by etcd.

Of a lock, whose key is the oldest holds it, and each key lives as long as its lease.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import requests

from reference.coordination.errors import NotAcquiredError, StaleTokenError

_PAUSE = 0.03
_TROUBLES = (requests.RequestException, KeyError, ValueError)


class EtcdLock:
    """One client of locks.

    Args:
        endpoints: URLs of the members, comma-separated.
        prefix: of all keys.
        ttl: seconds after which a holder that is silent has lost its lock.
    """

    def __init__(self, endpoints: str, prefix: str, ttl: int = 5):
        self._urls = endpoints.split(",")
        self._prefix = prefix
        self._ttl = ttl
        self._own = threading.local()
        self._held: dict[str, tuple[str, str, threading.Event]] = {}
        self._leaders: dict[str, dict[str, str]] = {}

    # -- as a client -------------------------------------------------------------
    def acquire(self, name: str, wait: float) -> int:
        """Wait for the lock; its fencing token.

        Raises:
            NotAcquiredError: it was not free within ``wait`` seconds.
        """
        until = time.monotonic() + wait
        lease, key, ended = self._begin(name, until)
        self._insist("kv/put", {"key": _b(key), "value": "", "lease": lease}, until)
        while time.monotonic() < until:
            with suppress(*_TROUBLES):
                first = next(self._waiting(name))
                if first["key"] == _b(key):
                    return self._granted(first)
            ended.wait(_PAUSE)
        self.release(name)
        raise NotAcquiredError(f"{name} was not free within {wait:g} s")

    def _begin(self, name: str, until: float) -> tuple[str, str, threading.Event]:
        """A lease that is kept alive: its ID, the key that goes with it, and what ends it."""
        lease = str(self._insist("lease/grant", {"TTL": self._ttl}, until)["ID"])
        self._held[name] = held = lease, f"{self._prefix}{name}/{lease}", threading.Event()
        threading.Thread(target=self._keep_alive, args=(lease, held[2]), daemon=True).start()
        return held

    def _granted(self, first: dict[str, Any]) -> int:
        """The token: it grows with each key that is put."""
        return int(first["create_revision"])

    def _waiting(self, name: str) -> Iterator[dict[str, Any]]:
        """The keys of all who hold the lock or wait for it, the oldest first."""
        place = f"{self._prefix}{name}/"
        found = self._ask("kv/range", {
            "key": _b(place), "range_end": _b(place[:-1] + "0"), "sort_order": "ASCEND",
            "sort_target": "CREATE",
        })  # fmt: skip
        yield from found.get("kvs", ())

    def release(self, name: str) -> None:
        """Give the lock back; what cannot be reached will forget it with its lease."""
        lease, _, ended = self._held.pop(name)
        ended.set()
        with suppress(NotAcquiredError):
            self._insist("lease/revoke", {"ID": lease}, time.monotonic() + self._ttl)

    def write(self, name: str, value: str, token: int) -> None:
        """Write what the lock protects.

        Raises:
            StaleTokenError: the lock with this token is not held any more.
        """
        _, key, _ = self._held[name]
        put = {"request_put": {"key": _b(f"{self._prefix}{name}"), "value": _b(value)}}
        compared = {"key": _b(key), "target": "CREATE", "result": "EQUAL",
                    "create_revision": token}  # fmt: skip
        done = self._ask("kv/txn", {"compare": self._fence(compared), "success": [put]})
        if not done.get("succeeded"):
            raise StaleTokenError(f"the lock {name} with the token {token} is not held any more")

    def _fence(self, compared: dict[str, Any]) -> list[dict[str, Any]]:
        """What must hold for a write."""
        return [compared]

    # -- the members ---------------------------------------------------------------
    def _keep_alive(self, lease: str, ended: threading.Event) -> None:
        while not ended.wait(self._ttl / 4):
            with suppress(*_TROUBLES):
                self._ask("lease/keepalive", {"ID": lease})

    def _insist(self, path: str, asked: dict[str, Any], until: float) -> Any:
        while True:
            try:
                return self._ask(path, asked)
            except _TROUBLES as error:
                if time.monotonic() > until:
                    raise NotAcquiredError(f"etcd does not answer: {error}") from error
                threading.Event().wait(_PAUSE)

    def _ask(self, path: str, asked: dict[str, Any], within: float = 0) -> Any:
        """Ask one member, ``within`` seconds; after a failure the next one, from then on."""
        if not hasattr(self._own, "session"):
            self._own.session, self._own.urls = requests.Session(), list(self._urls)
            self._own.session.trust_env = False
        try:
            url = f"{self._own.urls[0]}/v3/{path}"
            answer = self._own.session.post(url, json=asked, timeout=within or self._ttl / 4)
            answer.raise_for_status()
        except requests.RequestException:
            self._own.urls.append(self._own.urls.pop(0))
            raise
        return answer.json()


class EtcdElection(EtcdLock):
    """One candidate for being the leader, by etcd's own elections."""

    def acquire(self, name: str, wait: float) -> int:
        """Wait to be elected; the revision of the election, which grows.

        Raises:
            NotAcquiredError: another one was the leader for all of ``wait`` seconds.
        """
        until = time.monotonic() + wait
        lease, _, ended = self._begin(name, until)
        asked = {"name": _b(f"{self._prefix}{name}"), "value": _b("elected"), "lease": lease}
        while (left := until - time.monotonic()) > 0:
            with suppress(*_TROUBLES):
                # A member that dies meanwhile may not say so: another one is asked now and then.
                leader = self._ask("election/campaign", asked, min(left, self._ttl))["leader"]
                self._leaders[name] = leader
                return int(leader["rev"])
            ended.wait(_PAUSE)
        self.release(name)
        raise NotAcquiredError(f"{name} was led by another one for {wait:g} s")

    def write(self, name: str, value: str, token: int) -> None:
        """Proclaim something as the leader.

        Raises:
            StaleTokenError: the election with this revision is over.
        """
        leader = {**self._leaders[name], "rev": str(token)}
        try:
            self._ask("election/proclaim", {"leader": leader, "value": _b(value)})
        except requests.HTTPError as error:
            if "not leader" not in error.response.text:
                raise
            raise StaleTokenError(f"the leader of {name} by {token} is not it any more") from error


def _b(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
