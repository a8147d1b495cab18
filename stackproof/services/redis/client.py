"""Connections to Redis."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import AskError, AuthenticationError, RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

import stackproof.services.redis.refusals  # noqa: F401 -- whoever connects may be refused
from stackproof.services.base import Endpoint
from stackproof.services.redis.known import WATCHED, clustered, sentinels
from stackproof.urls import path_of, split_host_and_port

Place = tuple[str, int]
_AT_ONCE = 1000


def url(endpoint: Endpoint, node: str = "") -> str:
    """Where a server is, for any client, with user and password; "": the first one."""
    access = endpoint.access
    login = f"{quote(access.username, safe='')}:{quote(access.password, safe='')}@"
    scheme = "rediss" if access.tls else "redis"
    address = endpoint.addresses[node or next(iter(endpoint.addresses))]
    return f"{scheme}://{login if login != ':@' else ''}{address}"


def connect(endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Redis:
    """A client whose answers are bytes; safe to use from several threads.

    Args:
        endpoint: where the servers are: ``host:port`` or ``host:port/database``.
        node: which of them; "": whichever takes the write, as Sentinels or a Cluster say.
        timeout: seconds until a connection or an answer counts as failed.
    """
    how = _how(endpoint, timeout)
    if not node and clustered(endpoint.addresses):
        return cast(Redis, _Cluster(endpoint, how))
    if not node and (watching := sentinels(endpoint.addresses)):
        places = [place_of(endpoint, one) for one in watching]
        return cast(Redis, _Sentinels(endpoint, places, how).master_for(watched(endpoint)))
    node = node or next(iter(endpoint.addresses))
    host, port = place_of(endpoint, node)
    if sentinels([node]):
        return Redis(host=host, port=port, retry=_once(), **_of_sentinel((host, port), how))
    database = int(path_of(endpoint.addresses[node]) or 0)
    # The library would repeat commands three times: a loss would go unseen.
    return Redis(host=host, port=port, db=database, retry=_once(), **how)


def _once() -> Retry:
    return Retry(NoBackoff(), 0)


def watched(endpoint: Endpoint) -> str:
    """What its Sentinels call what they watch."""
    return next((path_of(endpoint.addresses[one]) for one in sentinels(endpoint.addresses)), "") \
        or WATCHED  # fmt: skip


def _of_sentinel(place: Place, how: dict[str, Any]) -> dict[str, Any]:
    """How a Sentinel is reached: many have no password, though what they watch has one."""
    if how["password"]:
        with Redis(host=place[0], port=place[1], retry=_once(), **how) as client:
            try:
                client.ping()
            except AuthenticationError as refused:
                if "without any password" in str(refused):
                    return {**how, "username": None, "password": None}
            except RedisError:
                pass  # whoever asks it then is told
    return how


def keys_with(client: Redis, prefix: str) -> list[bytes]:
    """All keys that begin so, in order; found without holding up the server."""
    pattern = re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"
    return sorted(set(client.scan_iter(match=pattern, count=_AT_ONCE)))


def values_with(client: Redis, prefix: str) -> dict[bytes, bytes]:
    """What these keys hold, got a thousand at a time; of a Cluster from all of its nodes."""
    keys, many = keys_with(client, prefix), getattr(client, "mget_nonatomic", client.mget)
    found: dict[bytes, bytes] = {}
    for first in range(0, len(keys), _AT_ONCE):
        some = keys[first : first + _AT_ONCE]
        found |= {
            key: value for key, value in zip(some, many(some), strict=True) if value is not None
        }
    return found


def delete_all(client: Redis, names: Sequence[str | bytes]) -> None:
    """Delete keys, a thousand at a time."""
    for first in range(0, len(names), _AT_ONCE):
        client.delete(*names[first : first + _AT_ONCE])


def _how(endpoint: Endpoint, timeout: float) -> dict[str, Any]:
    access = endpoint.access
    tls: dict[str, Any] = {}
    if access.tls:
        files = {
            "ssl_ca_certs": access.ca_file,
            "ssl_certfile": access.certificate_file,
            "ssl_keyfile": access.key_file,
            "ssl_password": access.key_password,
        }
        tls = {"ssl": True, "ssl_check_hostname": access.verify_hostname}
        tls |= {name: value for name, value in files.items() if value}
    return {
        "username": access.username or None,
        "password": access.password or None,
        "socket_connect_timeout": timeout,
        "socket_timeout": timeout,
        "protocol": 2,
        **tls,
    }


def place_of(endpoint: Endpoint, node: str) -> Place:
    """Host and port of a node."""
    return split_host_and_port(endpoint.addresses[node].partition("/")[0])


def node_at(endpoint: Endpoint, told: Place) -> str:
    """The node that servers call by a host and a port; "": none that is known.

    They call each other by the nodes' names, or as they are reached past proxies; those of
    somebody else by whatever they announce, which each is asked for itself.
    """
    if endpoint.ours and told[0] in endpoint.addresses:
        return told[0]
    direct = endpoint.past_proxies()
    known = (node for node in direct.addresses if place_of(direct, node) == told)
    return next(known, "") or ("" if endpoint.ours else _announced(endpoint).get(told, ""))


_asked: dict[tuple[tuple[str, str], ...], dict[Place, str]] = {}


def _announced(endpoint: Endpoint) -> dict[Place, str]:
    """The nodes of a Cluster by what each says of itself; asked once in a process."""
    key = tuple(endpoint.addresses.items())
    if key not in _asked and clustered(endpoint.addresses):
        found: dict[Place, str] = {}
        for node in endpoint.addresses:
            with suppress(RedisError, OSError), connect(endpoint, node) as client:
                told = client.execute_command("CLUSTER NODES")
                for address, one in told.items():
                    if "myself" in one["flags"]:
                        host, port = split_host_and_port(address)
                        found |= {(host, port): node, (one["hostname"] or host, port): node}
        _asked[key] = found
    return _asked.get(key, {})


def _reached(endpoint: Endpoint, told: Place) -> Place:
    """Where clients reach what servers call by a host and a port."""
    node = node_at(endpoint, told)
    return place_of(endpoint, node) if node else told


class _Sentinels(Sentinel):
    def __init__(self, endpoint: Endpoint, places: list[Place], how: dict[str, Any]):
        once = {**how, "retry": _once()}
        super().__init__([], **once)
        self.sentinels = [
            Redis(host=host, port=port, retry=_once(), **_of_sentinel((host, port), how))
            for host, port in places
        ]
        self._endpoint = endpoint

    def discover_master(self, service_name: str) -> Place:
        return _reached(self._endpoint, super().discover_master(service_name))


class _Cluster(RedisCluster):
    """The library maps the addresses that CLUSTER SLOTS tells, but not those of MOVED and ASK."""

    def __init__(self, endpoint: Endpoint, how: dict[str, Any]):
        self._endpoint = endpoint
        super().__init__(
            startup_nodes=[ClusterNode(*place_of(endpoint, node)) for node in endpoint.addresses],
            address_remap=partial(_reached, endpoint),
            retry=_once(),
            **how,
        )

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)
        read = type(connection).read_response.__get__(connection)
        connection.read_response = partial(self._read, read)

    def _read(self, read: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            return read(*arguments, **named)
        except AskError as told:  # MOVED is one, too
            told.host, told.port = _reached(self._endpoint, (told.host, told.port))
            raise
