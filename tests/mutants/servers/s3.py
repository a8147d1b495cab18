"""Object stores with faults: each changes what is told of a request, or keeps it from the server.

What a client has signed cannot be changed on its way.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from tests.mutants.servers.http import Asked, Fault, Send, Told
from tests.mutants.servers.http import serve as serve_http
from tests.mutants.servers.state import State

_MIB5 = 5 * 1024 * 1024


def sound(state: State, asked: Asked, send: Send) -> Told:
    """No fault: the control."""
    return send(asked)


def _object(asked: Asked, method: str) -> bool:
    """Whether it is about an object, and nothing but that."""
    return asked.method == method and asked.path.count("/") > 1 and "?" not in asked.path


def serves_stale_objects(state: State, asked: Asked, send: Send) -> Told:
    """A content that was downloaded once is served for another 100 ms."""
    if not _object(asked, "GET"):
        return send(asked)
    key = asked.path.encode()
    with state.lock:
        since, body = state.old.get(key, (0.0, b""))
    told = send(asked)
    if time.monotonic() - since < 0.1:
        return replace(told, status=200, body=body)
    if told.status == 200:
        with state.lock:
            state.old[key] = time.monotonic(), told.body
    return told


def truncates_at_5_mib(state: State, asked: Asked, send: Send) -> Told:
    """What is larger comes back shorter."""
    told = send(asked)
    return replace(told, body=told.body[:_MIB5]) if _object(asked, "GET") else told


def drops_the_last_page(state: State, asked: Asked, send: Send) -> Told:
    """The last page of a listing that has several is empty."""
    told = send(asked)
    if "continuation-token=" not in asked.path or b"<IsTruncated>true" in told.body:
        return told
    return replace(told, body=re.sub(rb"<Contents>.*</Contents>", b"", told.body, flags=re.DOTALL))


def keeps_deleted_objects(state: State, asked: Asked, send: Send) -> Told:
    """A deletion is answered, and not carried out."""
    return Told(204) if _object(asked, "DELETE") else send(asked)


def loses_metadata(state: State, asked: Asked, send: Send) -> Told:
    """Metadata of one's own are not told."""
    told = send(asked)
    return replace(
        told, headers={k: v for k, v in told.headers.items() if "x-amz-meta" not in k.lower()}
    )


def one_not_a_number_stored(state: State, asked: Asked, send: Send) -> Told:
    """Quiet NaNs lose their payload, as in a store that keeps vectors as numbers."""
    told = send(asked)
    body = told.body.replace(b"\x01\x00\xc0\x7f", b"\x00\x00\xc0\x7f")
    return replace(told, body=body) if _object(asked, "GET") else told


def mixes_up_parts(state: State, asked: Asked, send: Send) -> Told:
    """Of an object in three parts, the first two come back in another order."""
    told = send(asked)
    if not _object(asked, "GET") or len(told.body) <= 3 * _MIB5:
        return told
    body = told.body[_MIB5 : 2 * _MIB5] + told.body[:_MIB5] + told.body[2 * _MIB5 :]
    return replace(told, body=body)


def ends_ranges_early(state: State, asked: Asked, send: Send) -> Told:
    """The last byte of a range is missing, as where its end is taken for exclusive."""
    told = send(asked)
    return replace(told, body=told.body[:-1]) if told.status == 206 else told


def never_aborts(state: State, asked: Asked, send: Send) -> Told:
    """An upload that is aborted stays."""
    return Told(204) if asked.method == "DELETE" and "uploadId=" in asked.path else send(asked)


def loses_a_version(state: State, asked: Asked, send: Send) -> Told:
    """Of several versions, the oldest is not listed."""
    told = send(asked)
    if "versions" not in asked.path.partition("?")[2] or told.body.count(b"<Version>") < 2:
        return told
    before, found, after = told.body.rpartition(b"<Version>")
    return replace(told, body=before + after.partition(b"</Version>")[2]) if found else told


def rounds_rules(state: State, asked: Asked, send: Send) -> Told:
    """Lifecycle rules are stored by whole weeks."""
    told = send(asked)
    if asked.method != "GET" or "lifecycle" not in asked.path:
        return told
    return replace(
        told, body=re.sub(rb"<Days>(\d+)", lambda m: b"<Days>%d" % (int(m[1]) // 7 * 7), told.body)
    )


def lets_everybody_in(state: State, asked: Asked, send: Send) -> Told:
    """Whoever is forbidden to download is let in all the same."""
    told = send(asked)
    return Told(200, b"x") if told.status == 403 and asked.method == "GET" else told


def takes_corrupted(state: State, asked: Asked, send: Send) -> Told:
    """A body that is not what its checksum says is taken, so it seems."""
    told = send(asked)
    return Told(200) if told.status == 400 and asked.method == "PUT" else told


def ignores_conditions(state: State, asked: Asked, send: Send) -> Told:
    """An upload on a condition that is not met seems to succeed."""
    told = send(asked)
    return Told(200, headers={"ETag": '"0"'}) if told.status == 412 else told


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        sound, serves_stale_objects, truncates_at_5_mib, drops_the_last_page, keeps_deleted_objects,
        loses_metadata, one_not_a_number_stored, mixes_up_parts, ends_ranges_early, never_aborts,
        loses_a_version, rounds_rules, lets_everybody_in, takes_corrupted, ignores_conditions,
    )
}  # fmt: skip


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    return serve_http(FAULTS[fault])
