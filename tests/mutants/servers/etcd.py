"""etcd with faults: each changes what is asked by its HTTP gateway, or what is answered."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.mutants.servers.http import Asked, Fault, Send, Told
from tests.mutants.servers.http import serve as serve_http
from tests.mutants.servers.state import State

#: Its answers have no end.
_STREAMS = ("/v3/watch",)


def sound(state: State, asked: Asked, send: Send) -> Told:
    """No fault: the control."""
    return send(asked)


def lease_never_ends(state: State, asked: Asked, send: Send) -> Told:
    """Every lease is granted for an hour."""
    return send(_changed(asked, "/lease/grant", lambda body: {**body, "TTL": 3600}))


def keeps_revoked(state: State, asked: Asked, send: Send) -> Told:
    """The revocation of a lease is answered and not carried out."""
    return Told(200, b"{}") if asked.path.endswith("/lease/revoke") else send(asked)


def ignores_compare(state: State, asked: Asked, send: Send) -> Told:
    """A transaction is carried out whatever it compares."""
    return send(_changed(asked, "/kv/txn", lambda body: {**body, "compare": []}))


def serves_what_it_got(state: State, asked: Asked, send: Send) -> Told:
    """What was got once is served for another 50 ms, whatever happens to its key."""
    if not asked.path.endswith("/kv/range"):
        return send(asked)
    with state.lock:
        since, old = state.old.get(asked.body, (0.0, b""))
        if time.monotonic() - since < 0.05:
            return Told(200, old)
    told = send(asked)
    with state.lock:
        state.old[asked.body] = time.monotonic(), told.body
    return told


def loses_the_last(state: State, asked: Asked, send: Send) -> Told:
    """A range lacks its last key, if it has several."""
    told = send(asked)
    if asked.path.endswith("/kv/range") and len(kvs := json.loads(told.body).get("kvs", ())) > 2:
        return replace(told, body=json.dumps({**json.loads(told.body), "kvs": kvs[:-1]}).encode())
    return told


def _changed(asked: Asked, path: str, change: Callable[[Any], Any]) -> Asked:
    if not asked.path.endswith(path):
        return asked
    return replace(asked, body=json.dumps(change(json.loads(asked.body))).encode())


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        sound, lease_never_ends, keeps_revoked, ignores_compare, serves_what_it_got, loses_the_last,
    )
}  # fmt: skip


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    return serve_http(FAULTS[fault], streams=_STREAMS)
