"""Search engines with faults: each changes what is asked of a sound one, or what it answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.mutants.servers.http import Asked, Fault, Send, Told
from tests.mutants.servers.http import serve as serve_http
from tests.mutants.servers.state import State


def sound(state: State, asked: Asked, send: Send) -> Told:
    """No fault: the control."""
    return send(asked)


def ignores_filters(state: State, asked: Asked, send: Send) -> Told:
    """What a query filters by is passed over."""
    if not asked.body.startswith(b"{") or "_search" not in asked.path:
        return send(asked)
    try:
        query = json.loads(asked.body)
    except ValueError:
        return send(asked)
    query.get("query", {}).get("bool", {}).pop("filter", None)
    return send(replace(asked, body=json.dumps(query).encode()))


def counts_one_more(state: State, asked: Asked, send: Send) -> Told:
    """The total of a search is one more than there are."""
    told = send(asked)
    if told.status != 200 or "_search" not in asked.path or b'"hits"' not in told.body:
        return told
    answer = json.loads(told.body)
    answer["hits"]["total"]["value"] += 1
    return replace(told, body=json.dumps(answer).encode())


def loses_one_document_in_fifty(state: State, asked: Asked, send: Send) -> Told:
    """Every fiftieth document of a request with many is acknowledged, and not kept."""
    if not asked.path.partition("?")[0].endswith("/_bulk"):
        return send(asked)
    told = send(asked)
    parts: list[Any] = [
        part for item in json.loads(told.body)["items"] for kind, part in item.items()
        if kind == "index" and state.every(50)
    ]  # fmt: skip
    for part in parts:
        send(Asked("DELETE", f"/{part['_index']}/_doc/{part['_id']}", {}, b""))
    return told


def keeps_deleted(state: State, asked: Asked, send: Send) -> Told:
    """Every tenth deletion is acknowledged, and the document stays."""
    if not asked.path.partition("?")[0].endswith("/_bulk"):
        return send(asked)
    lines = asked.body.split(b"\n")
    deletes = [n for n, line in enumerate(lines) if line.startswith(b'{"delete"')]
    if len(deletes) < 10:
        return send(asked)
    told = send(replace(asked, body=b"\n".join(
        line for n, line in enumerate(lines) if n not in deletes[::10]
    )))  # fmt: skip
    answer = json.loads(told.body)
    for place in deletes[::10]:
        answer["items"].insert(place, {"delete": {"_id": "x", "status": 200}})
    return replace(told, body=json.dumps(answer).encode())


def sorts_by_itself(state: State, asked: Asked, send: Send) -> Told:
    """Two neighbours of a page have changed places."""
    told = send(asked)
    if told.status != 200 or b'"from": ' not in asked.body:
        return told
    answer = json.loads(told.body)
    hits = answer["hits"]["hits"]
    hits[:2] = hits[1::-1]
    return replace(told, body=json.dumps(answer).encode())


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        sound, ignores_filters, counts_one_more, loses_one_document_in_fifty, keeps_deleted,
        sorts_by_itself,
    )
}  # fmt: skip


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    return serve_http(FAULTS[fault])
