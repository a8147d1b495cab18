"""Connections to etcd by its HTTP gateway, and what a member says of itself and of the others."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import ConnectionFailedError, Etcd3Exception
from etcd3gw.lease import Lease

from stackproof.access import Access
from stackproof.errors import Trouble, answered, explains
from stackproof.services.base import Endpoint
from stackproof.services.web import session_of
from stackproof.urls import split_host_and_port

T = TypeVar("T")
_LOG_IN = "correct username and password of etcd in the settings"
_NOT_FOUND = 12  # gRPC's number for what a server does not have; HTTP says it in words
#: What gRPC's numbers mean; those that are missing may pass: no leader, too many requests.
_KINDS = {3: "refused", 7: "forbidden", 16: "forbidden", _NOT_FOUND: "lacking"}
#: Not guessed from the server's version, which would be another request.
_API = "/v3/"
_PEERS = re.compile(r'^etcd_network_active_peers\{.*Remote="(\w+)"\} (\d+)$', re.MULTILINE)


def connect(address: str, access: Access, *, timeout: float = 10.0) -> Etcd3Client:
    """A client of one member; safe to use from several threads.

    Args:
        address: ``host:port``.
        access: TLS, user and password.
        timeout: seconds for a connection, and for each silence in an answer.
    """
    host, port = split_host_and_port(address)
    session = session_of(access)
    protocol = "https" if access.tls else "http"
    client = Etcd3Client(host, port, protocol, timeout=timeout, api_path=_API, session=session)
    if access.username:
        who = {"name": access.username, "password": access.password}
        token = client.post(client.get_url("/auth/authenticate"), json=who)["token"]
        session.headers["Authorization"] = token
    return client


def utf8(text: str | bytes) -> bytes:
    """Bytes of a key or value; the library would take a text for Latin-1."""
    return text.encode() if isinstance(text, str) else text


def after(prefix: bytes) -> bytes:
    """The end of the range of keys that begin so."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else b"\0"


def base64_of(data: bytes) -> str:
    """Bytes as the gateway wants them."""
    return base64.b64encode(data).decode()


class EtcdKeeper:
    """Puts and gets. See `stackproof.services.keeping.Member`.

    Args:
        endpoint: where the members are.
        node: which one is asked; "": one that serves, another one after each failure.
        timeout: seconds for an operation.
    """

    def __init__(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0):
        self._endpoint = endpoint
        self._timeout = timeout
        self._nodes = [node] if node else list(endpoint.addresses)
        self._clients: dict[str, Etcd3Client] = {}

    def at(self, node: str) -> Etcd3Client:
        """A client of one member."""
        if node not in self._clients:
            address = self._endpoint.addresses[node]
            self._clients[node] = connect(address, self._endpoint.access, timeout=self._timeout)
        return self._clients[node]

    def ask(self, operation: Callable[[Etcd3Client], T]) -> T:
        """Have the present member do something; after a new log-in where the last one has expired.

        Raises:
            Etcd3Exception, OSError: it did not; the next operation goes to another one.
        """
        node = self._nodes[0]
        try:
            try:
                return operation(self.at(node))
            except Etcd3Exception as error:
                if not _logged_out(error):
                    raise
                self._clients.pop(node, None)
                return operation(self.at(node))
        except (Etcd3Exception, OSError) as error:
            self._nodes.append(self._nodes.pop(0))
            if isinstance(error, Etcd3Exception) and not any(error.args):
                error.args = (said_of(error),)  # the library's own text says nothing
            raise

    def status(self, node: str = "") -> Any:
        """What a member says of itself."""
        return self.at(node or self._nodes[0]).status()

    # -- as a keeper -----------------------------------------------------------
    def answers(self) -> None:
        """It reads what it has itself, with or without the others."""
        name = utf8(self._endpoint.check_name())  # its rights may end with the names of the suite
        self.ask(lambda client: client.get(name, serializable=True))

    def put(self, name: str, content: str | bytes, lease: Lease | None = None) -> int:
        """Put a key; the revision that came of it."""
        asked = {"key": base64_of(utf8(name)), "value": base64_of(utf8(content))}
        if lease is not None:
            asked["lease"] = str(lease.id)
        return self._revised("/kv/put", asked)

    def delete(self, name: str) -> int:
        """Delete a key; the revision that came of it."""
        return self._revised("/kv/deleterange", {"key": base64_of(utf8(name))})

    def revision(self) -> int:
        """The present one, as the majority has it."""
        return self._revised("/kv/range", {"key": base64_of(utf8(self._endpoint.check_name()))})

    def _revised(self, path: str, asked: Mapping[str, str]) -> int:
        """The library keeps to itself what revision came of something."""
        told = self.ask(lambda client: client.post(client.get_url(path), json=asked))
        return int(told["header"]["revision"])

    def put_all(self, compared: Mapping[str, int], contents: Mapping[str, bytes]) -> bool:
        """Put keys in one transaction if keys were last changed at these revisions."""
        asked = {
            "compare": [
                {"key": base64_of(utf8(name)), "target": "MOD", "result": "EQUAL",
                 "mod_revision": revision}
                for name, revision in compared.items()
            ],
            "success": [
                {"request_put": {"key": base64_of(utf8(name)), "value": base64_of(content)}}
                for name, content in contents.items()
            ],
        }  # fmt: skip
        return bool(self.ask(lambda client: client.transaction(asked)).get("succeeded"))

    def range(self, first: str, end: str | None) -> list[tuple[str, bytes, int]]:
        """Name, value and revision of keys up to before ``end``; None: of all that begin so."""
        upto = after(utf8(first)) if end is None else utf8(end)
        found = self.ask(lambda client: client.get(utf8(first), metadata=True, range_end=upto))
        return [(meta["key"].decode(), value, int(meta["mod_revision"])) for value, meta in found]

    def get(self, name: str) -> str | None:
        """Its value as text."""
        found = self.read(name)
        return None if found is None else found.decode(errors="replace")

    def read(self, name: str) -> bytes | None:
        """Its value, as the majority has it; None: it is not there."""
        found = self.ask(lambda client: client.get(utf8(name)))
        return found[0] if found else None

    def swap(self, name: str, expected: bytes | None, content: bytes) -> bool:
        """Compare its value, None: that it is not there, and put it, in one transaction."""
        if expected is None:
            return self.ask(lambda client: client.create(utf8(name), content))
        return self.ask(lambda client: client.replace(utf8(name), expected, content))

    def names(self, prefix: str) -> list[str]:
        """Keys that begin so."""
        end = after(utf8(prefix))
        found = self.ask(
            lambda client: client.get(utf8(prefix), metadata=True, range_end=end, keys_only=True)
        )
        return [meta["key"].decode(errors="replace") for _, meta in found]

    def drop(self, names: Sequence[str]) -> None:
        """Delete these keys."""
        for name in names:
            self.ask(lambda client, name=name: client.delete(utf8(name)))  # type: ignore[misc]

    def drop_all(self, prefix: str) -> None:
        """Delete the keys that begin so."""
        end = after(utf8(prefix))
        self.ask(lambda client: client.delete(utf8(prefix), range_end=end))

    def close(self) -> None:
        """End its connections."""
        for client in self._clients.values():
            client.session.close()

    # -- as a member -----------------------------------------------------------
    def seen_by_peers(self, node: str) -> None:
        """It and each other member have connections to each other on which something came of late.

        Both are asked: a member that cannot connect is still sent to, and may answer, on
        connections that the others have made; they call it active then, now and again.
        """
        told = {
            one: _hexadecimal(self.status(one)["header"]["member_id"])
            for one in self._endpoint.addresses
        }
        active = {one: self._active_peers(one) for one in told}
        for other in told.keys() - {node}:
            for one, peer in ((other, node), (node, other)):
                if told[peer] not in active[one]:
                    raise ConnectionFailedError(f"{one} has no connection to {peer}")

    def _active_peers(self, node: str) -> set[str]:
        """Members from which something has come to a member of late, as it says."""
        client = self.at(node)
        told = client.session.get(f"{client.base_url}/metrics", timeout=self._timeout)
        return {name for name, count in _PEERS.findall(told.text) if count != "0"}

    def holder(self, role: str) -> str:
        """The leader that all members name."""
        told = {node: self.status(node) for node in self._endpoint.addresses}
        leaders = {status.get("leader", "0") for status in told.values()}
        for node, status in told.items():
            if leaders == {status["header"]["member_id"]}:
                return node
        raise ConnectionFailedError(f"the members do not agree who is the {role}")


def _logged_out(error: Etcd3Exception) -> bool:
    """Whether its token is not known any more: refused before anything was done."""
    said = said_of(error)
    return "invalid auth token" in said or "revision of auth store is old" in said


def said_of(error: Etcd3Exception) -> str:
    """What the member said; the library keeps it apart from the exception's own text."""
    return str(error.detail_text or error)


def _hexadecimal(ident: str) -> str:
    return f"{int(ident):x}"


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of etcd means, in words for people; None: nothing definite."""
    if not isinstance(error, Etcd3Exception):
        return None
    said = said_of(error)
    if isinstance(error, ConnectionFailedError):
        return answered("etcd", "lost", said)
    told, code = said, _NOT_FOUND if said.strip() == "Not Found" else 0
    with suppress(ValueError, KeyError, TypeError):
        told, code = (answer := json.loads(said))["error"], answer["code"]
    if "authentication failed" in told or "user name is" in told:
        return answered("etcd", "forbidden", told, _LOG_IN)
    kind = "refused" if "space exceeded" in told else _KINDS.get(code)
    return answered("etcd", kind, told) if kind else None
