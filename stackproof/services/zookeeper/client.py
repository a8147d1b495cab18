"""Sessions with ZooKeeper, and what a server says of itself and of the others."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    ConnectionLoss,
    KazooException,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    SessionExpiredError,
    UnimplementedError,
)
from kazoo.handlers.threading import KazooTimeoutError

from stackproof.access import Access, tls_context
from stackproof.errors import NotSupported, Trouble, answered, explains
from stackproof.services.base import Endpoint
from stackproof.urls import path_of, split_host_and_port

_TOLD = re.compile(r"^([\w ]+?)(?::\s*|\t)(.*)$", re.MULTILINE)


def connect(
    addresses: Sequence[str], access: Access, *, timeout: float = 10.0, session: float = 10.0
) -> KazooClient:
    """A client with a session; it reconnects by itself.

    Args:
        addresses: ``host:port`` or ``host:port/chroot``, of one server or several.
        access: TLS, user and password (of the scheme "digest").
        timeout: seconds for the session to be there.
        session: seconds after which the servers forget a client that is silent.

    Raises:
        KazooTimeoutError: there is none in time.
        Trouble: the chroot is not there; whatever was made in it would make it, too.
    """
    hosts = ",".join(address.partition("/")[0] for address in addresses)
    chroot = path_of(addresses[0])
    tls: dict[str, Any] = {}
    if access.tls:
        tls = {
            "use_ssl": True, "ca": access.ca_file or None, "verify_certs": True,
            "certfile": access.certificate_file or None, "keyfile": access.key_file or None,
            "keyfile_password": access.key_password or None,
            "check_hostname": access.verify_hostname,
        }  # fmt: skip
    login = [("digest", f"{access.username}:{access.password}")] if access.username else None
    client = KazooClient(
        hosts + f"/{chroot}" * bool(chroot), timeout=session, auth_data=login,
        # The library would repeat operations: a loss would go unseen.
        command_retry={"max_tries": 0}, connection_retry={"max_tries": -1, "max_delay": 0.5},
        **tls,
    )  # fmt: skip
    try:
        client.start(timeout=timeout)
        if chroot and client.exists("/") is None:
            raise Trouble(
                f"the chroot /{chroot} is not there in ZooKeeper",
                f"{addresses[0]} is to be used below it",
                "have its owner create it, or correct the setting",
            )
    except BaseException:
        leave(client)
        raise
    return client


def leave(client: KazooClient) -> None:
    """End a session, and all that belongs to the client."""
    with suppress(KazooException, KazooTimeoutError, OSError):
        client.stop()
    with suppress(KazooException, KazooTimeoutError, OSError):
        client.close()


class ZooKeeperKeeper:
    """Keeps content in znodes. See `stackproof.services.keeping.Member`.

    Args:
        endpoint: where the servers are.
        node: which one is asked; "": one that serves.
        timeout: seconds for an operation.
    """

    def __init__(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0):
        self._endpoint = endpoint
        self._nodes = [node] if node else list(endpoint.addresses)
        self._timeout = timeout
        self._opened: KazooClient | None = None
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[bytes, int]] = {}  # content and version, as last read

    @property
    def client(self) -> KazooClient:
        """Its session, with whichever server serves."""
        with self._lock:
            if self._opened is None:
                addresses = [self._endpoint.addresses[node] for node in self._nodes]
                self._opened = connect(
                    addresses, self._endpoint.access, timeout=self._timeout, session=self._timeout
                )
            return self._opened

    def done(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Have an operation of the client done; what it returns.

        Raises:
            KazooException, KazooTimeoutError: it was refused, or there was no answer in time.
        """
        begun = getattr(self.client, f"{operation}_async")(*arguments, **named)
        return begun.get(timeout=self._timeout)

    # -- as a keeper -----------------------------------------------------------
    def answers(self) -> None:
        """It tells what it is, whether it serves clients or not."""
        self.told(self._nodes[0])

    def put(self, name: str, content: str | bytes) -> None:
        """Create the znode, or set what is in it."""
        data = content.encode() if isinstance(content, str) else content
        self._seen.pop(name, None)
        try:
            self.done("create", f"/{name}", data, makepath=True)
        except NodeExistsError:
            self.done("set", f"/{name}", data)

    def get(self, name: str) -> str | None:
        """What is in the znode, as text."""
        found = self.read(name)
        return None if found is None else found.decode(errors="replace")

    def read(self, name: str) -> bytes | None:
        """What is in the znode now; None: it is not there."""
        self._seen.pop(name, None)
        self.done("sync", f"/{name}")
        with suppress(NoNodeError):
            data, stat = self.done("get", f"/{name}")
            self._seen[name] = data, stat.version
            return bytes(data)
        return None

    def swap(self, name: str, expected: bytes | None, content: bytes) -> bool:
        """Set the znode in the version in which it was last read; None: create it.

        The server alone tells whether another client has set it since, as for every user of
        versions; it is read first where it was not read before.
        """
        try:
            if expected is None:
                self.done("create", f"/{name}", content, makepath=True)
                return True
            data, version = self._seen.pop(name, (None, -1))
            if data != expected:
                if self.read(name) != expected:
                    return False
                _, version = self._seen.pop(name)
            self.done("set", f"/{name}", content, version=version)
        except (BadVersionError, NodeExistsError, NoNodeError):
            return False
        return True

    def names(self, prefix: str) -> list[str]:
        """Znodes of the highest level that begin so."""
        self.done("sync", "/")
        return [name for name in self.done("get_children", "/") if name.startswith(prefix)]

    def drop(self, names: Sequence[str]) -> None:
        """Delete these znodes and all below them."""
        for name in names:
            with suppress(NoNodeError):
                self.client.delete(f"/{name}", recursive=True)

    def close(self) -> None:
        """End the session."""
        with self._lock:
            if self._opened is not None:
                leave(self._opened)
                self._opened = None

    # -- as a member -----------------------------------------------------------
    def told(self, node: str, word: str = "srvr") -> dict[str, str]:
        """What a server answers to a four-letter word, by what it calls it.

        Raises:
            OSError: it does not answer.
            NotSupported: its owner does not let it.
        """
        place = split_host_and_port(self._endpoint.addresses[node])
        access = self._endpoint.access
        with socket.create_connection(place, self._timeout) as plain:
            opened = tls_context(access).wrap_socket(plain, server_hostname=place[0]) if (
                access.tls) else plain  # fmt: skip
            opened.settimeout(self._timeout)
            opened.sendall(word.encode())
            said = b""
            while more := opened.recv(65536):
                said += more
        if not said:
            raise ConnectionResetError(f"{node} says nothing to {word}")
        text = said.decode(errors="replace")
        if "not in the whitelist" in text:
            raise NotSupported(
                "ZooKeeper does not say of itself what the suite asks for",
                f"{self._endpoint.addresses[node]}: {text.strip()}",
                "give its servers 4lw.commands.whitelist=srvr,mntr",
            )
        return dict(_TOLD.findall(text))

    def _role(self, node: str) -> str:
        return self.told(node).get("Mode", "without a quorum")

    def seen_by_peers(self, node: str) -> None:
        """All others serve clients, and the leader has so many followers as there are others.

        With one node broken at a time, the follower that it misses is that one.
        """
        everybody = list(self._endpoint.addresses)
        if len(everybody) == 1:
            return
        for other in everybody:
            if other == node:
                continue
            role = self._role(other)
            if role not in ("leader", "follower"):
                raise ConnectionLoss(f"{other} is {role}")
            if role == "leader":
                followers = self.told(other, "mntr").get("zk_synced_followers", "0")
                if round(float(followers)) < len(everybody) - 1:
                    raise ConnectionLoss(f"{other}, the leader, has {followers} followers in sync")

    def holder(self, role: str) -> str:
        """The only server that says so of itself; all others follow."""
        roles = {node: self._role(node) for node in self._endpoint.addresses}
        found = [node for node, one in roles.items() if one == role]
        if len(found) != 1 or len(found) + list(roles.values()).count("follower") != len(roles):
            raise ConnectionLoss(f"the servers are {roles}")
        return found[0]


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of ZooKeeper means, in words for people; None: nothing definite."""
    kinds = {
        NoAuthError: "forbidden", AuthFailedError: "forbidden", UnimplementedError: "lacking",
        ConnectionLoss: "lost", SessionExpiredError: "lost",
    }  # fmt: skip
    kind = next((kind for of, kind in kinds.items() if isinstance(error, of)), "")
    return answered("ZooKeeper", kind, str(error) or type(error).__name__) if kind else None
