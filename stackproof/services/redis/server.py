"""Redis, in memory only: one server, a primary with replicas, with Sentinels, or a Cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from shlex import quote
from typing import Any

from stackproof.access import Access
from stackproof.obtain import DebianArtifact
from stackproof.ports import LOOPBACK
from stackproof.services.base import ConnectionSetting, Endpoint, Image, Leftover
from stackproof.services.location import Location
from stackproof.services.nodes import Service
from stackproof.services.probe import Probe
from stackproof.services.redis.known import SERVER, WATCHED, clustered, names, share
from stackproof.services.where import Node, Where
from stackproof.services.writer import Writer

#: What an idle server takes besides its data, measured: 10 MiB; doubled for its buffers.
_BESIDES_MB = 20
_SENTINEL_MB = 24
_DATA, _FILE = "/data", "redis.conf"
#: A key is set and got.
_HEALTH = """\
redis-cli set stackproof-check $$ ex 60 > /dev/null \
&& test "$(redis-cli get stackproof-check)" = $$"""
#: A node of a Cluster joins it, where nobody else sees to that, until it has slots or a primary.
_JOINS = """\
ask() {{ redis-cli -p {port} "$@"; }}
ask cluster info | grep -q ^cluster_state:ok \
&& ask cluster nodes | grep -qE 'myself,slave|myself.* connected [0-9]' && exit
ask cluster meet $(getent hosts {first} | cut -d ' ' -f 1) {of_first} {bus}
{share}
exit 1"""
_OF_SLOTS = "ask cluster addslotsrange {first} {last}"
_OF_COPIES = "ask cluster replicate $(redis-cli -h {primary} -p {port} cluster myid)"
#: Who has which role is written there by the servers themselves.
_OWN_FILE = """\
[ -f {own} ] || cat {given} > {own}
"""
#: Replicas are sent at once what they lack; primary and replicas hear of each other every second.
_REPLICATED = {
    "repl-diskless-sync-delay": 0,
    "repl-ping-replica-period": 1,
    "repl-timeout": 10,
    "repl-backlog-size": "16mb",
    "min-replicas-max-lag": 2,
}
#: A node of a Cluster that is silent for so long has failed; a primary that Sentinels watch, too.
_SILENT_MS = 3000
_WATCHING = f"""\
sentinel down-after-milliseconds {WATCHED} {_SILENT_MS}
sentinel failover-timeout {WATCHED} 10000
sentinel parallel-syncs {WATCHED} 2
"""


class Redis(Service):
    """The service ``redis``.

    Options: ``max_memory_mb`` (of data), ``policy`` (what becomes of data above that; by default
    writes are refused), ``config`` (pairs),
    ``replicas`` (of the primary, in a Cluster of each), ``synchronous`` (a write waits for so many
    of them), ``sentinels`` (how many watch), ``nodes`` (of a Cluster, in all; 0: it is none).
    """

    name = "redis"
    title = "Redis"
    server = DebianArtifact("redis-server", "Redis", ("usr/bin/redis-server", "--version"))
    files_suffice = True
    unfit = "*?["  # it takes its file's path for a pattern
    image = Image("REDIS_IMAGE", "redis:7.0.15", "stackproof/redis:7.0.15")
    hello = b"PING\r\n"
    untold: Mapping[str, str] = {
        "cut one way of primary": "replicas connect to it, not it to them, so that nobody misses it"
    }
    verified_options = ("nodes", "replicas")
    ports: Mapping[str, int] = {"client": 6379, "bus": 16379}
    options: Mapping[str, Any] = {
        "max_memory_mb": 64, "policy": "noeviction", "config": (),
        "replicas": 0, "synchronous": 0, "sentinels": 0, "nodes": 0,
    }  # fmt: skip
    compose_files: Mapping[str, Mapping[str, Any]] = {
        "redis-cluster": {"nodes": 6, "replicas": 1},
        "redis-sentinel": {"replicas": 2, "sentinels": 3},
    }
    location = Location(
        plain=("redis",),
        encrypted=("rediss",),
        path="database",
        default_path="0",
        default_is_implied=True,
        path_is_number=True,
        several="cluster_nodes",
        variables={
            "url": ("REDIS_URL",),
            "host": ("REDIS_HOST",),
            "port": ("REDIS_PORT",),
            "database": ("REDIS_DB",),
            "cluster_nodes": ("REDIS_NODES",),
            "sentinels": ("REDIS_SENTINELS",),
        },
    )

    def nodes(self, where: Where) -> list[Node]:
        """Those that keep data, then the Sentinels; each has one configuration file."""
        watching = [f"sentinel-{n + 1}" for n in range(where.options["sentinels"])]
        return [
            *(self._server(where, name) for name in names(where.options)),
            *(self._sentinel(where, name) for name in watching),
        ]

    def _server(self, where: Where, name: str) -> Node:
        address, data = where.listen(name)[0], where.data(name, _DATA)
        settings = {
            "bind": address,
            "port": _port(where, name),
            "dir": _quoted(data),
            "protected-mode": "no",  # reached from this machine or its own network alone
            "save": '""',
            "appendonly": "no",
            "maxmemory": f"{where.options['max_memory_mb']}mb",
            "maxmemory-policy": where.options["policy"],
            **self._joined(where, name),
            **dict(where.options["config"]),
        }
        return self._node(
            where, name, "".join(f"{key} {value}\n" for key, value in settings.items()),
            memory_mb=where.options["max_memory_mb"] + _BESIDES_MB,
        )  # fmt: skip

    def _joined(self, where: Where, name: str) -> dict[str, Any]:
        """What a server that has others beside it is told."""
        first, *others = names(where.options)
        if where.options["nodes"]:
            return {
                **_REPLICATED,
                "cluster-enabled": "yes",
                "cluster-port": where.listen(name, "bus")[1],
                "cluster-node-timeout": _SILENT_MS,
                "cluster-allow-replica-migration": "no",
                # The suite's clients find names among their addresses, others look them up.
                "cluster-announce-hostname": LOOPBACK if where.alone else name,
                "cluster-preferred-endpoint-type": "hostname",
            }
        if not others:
            return {}
        host, port = _peer(where, first)
        return {
            **_REPLICATED,
            "min-replicas-to-write": where.options["synchronous"],
            "replica-announce-ip": where.peer(name)[0],
            **({"replicaof": f"{host} {port}"} if name != first else {}),
        }

    def _sentinel(self, where: Where, name: str) -> Node:
        address, first = where.listen(name)[0], names(where.options)[0]
        host, of_first = _peer(where, first)
        most = where.options["sentinels"] // 2 + 1
        text = (
            f"bind {address}\nport {_port(where, name)}\ndir {_quoted(where.data(name, _DATA))}\n"
            "protected-mode no\nsentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n"
            f"sentinel announce-ip {where.peer(name)[0]}\n"
            f"sentinel monitor {WATCHED} {host} {of_first} {most}\n{_WATCHING}"
        )
        return self._node(where, name, text, "--sentinel", memory_mb=_SENTINEL_MB, after=(first,))

    def _node(self, where: Where, name: str, text: str, *arguments: str, **more: Any) -> Node:
        data, given = where.data(name, _DATA), where.file(name, _FILE)
        alone = names(where.options) == [SERVER]
        own = given if alone else f"{data}/{_FILE}"
        return Node(
            name,
            [where.program("redis-server"), own, *arguments],
            before="" if alone else _OWN_FILE.format(own=quote(own), given=quote(given)),
            files={_FILE: text},
            data=data,
            user="redis",
            # A name that is looked up in vain, for its container is down, must not hold up others.
            env={} if alone else {"RES_OPTIONS": "timeout:1 attempts:1"},
            health=self._health(where, name),
            on_published=_on_published(where),
            **more,
        )

    def _health(self, where: Where, name: str) -> Sequence[str]:
        kept = names(where.options)
        if kept == [SERVER]:
            return "sh", "-c", _HEALTH
        if not (where.alone and where.options["nodes"]):
            return "redis-cli", "-p", str(_port(where, name)), "ping"
        number, count = kept.index(name), len(kept) // (1 + where.options["replicas"])
        if number < count:
            first, end = share(number, count)
            part = _OF_SLOTS.format(first=first, last=end - 1)
        else:
            primary = kept[number % count]
            part = _OF_COPIES.format(primary=primary, port=_port(where, primary))
        script = _JOINS.format(
            port=_port(where, name), first=kept[0], of_first=_port(where, kept[0]),
            bus=self.ports["bus"], share=part,
        )  # fmt: skip
        return "sh", "-c", script

    def form(self, endpoint: Endpoint, *, within: float) -> None:
        """Give the nodes of a Cluster their slots and their primaries; others find each other."""
        from stackproof.services.redis.slots import form

        if clustered(endpoint.addresses):
            form(endpoint, int(endpoint.options["replicas"]), within=within)

    def connection_settings(self) -> Sequence[ConnectionSetting]:
        """Nodes are those of a Cluster; Sentinels may be named instead of what they watch."""
        return [
            *super().connection_settings(),
            ConnectionSetting("sentinels", self.location.variables["sentinels"],
                              "host:port of Sentinels, comma-separated"),
            ConnectionSetting("sentinel_master", ("REDIS_SENTINEL_MASTER",),
                              f"what they call what they watch (default: {WATCHED})"),
        ]  # fmt: skip

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """See `Service.connect`."""
        if not texts.get("sentinels"):
            return super().connect(texts, access)
        location = replace(self.location, several="sentinels")
        found, access = location.each(self, texts, access, usual=26379)
        called = f"/{name}" if (name := texts.get("sentinel_master", "")) else ""
        return {f"sentinel-{n + 1}": f"{one}{called}" for n, one in enumerate(found)}, access

    def probe(self, endpoint: Endpoint, *, timeout: float) -> Probe:
        """See `stackproof.services.redis.probe`."""
        from stackproof.services.redis.probe import RedisProbe

        return RedisProbe(endpoint, timeout=timeout)

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """See `stackproof.services.redis.writer`."""
        from stackproof.services.redis.writer import KeysWriter

        return KeysWriter(endpoint, name, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and servers without their data, or without their role."""
        from redis import exceptions

        return (
            exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError,
            exceptions.ReadOnlyError, exceptions.MasterDownError, exceptions.ClusterError,
            exceptions.RedisClusterException, OSError,
        )  # fmt: skip

    def version(self, endpoint: Endpoint) -> str:
        """Valkey says a version of Redis that it is compatible with, and its own besides."""
        from stackproof.services.redis.client import connect

        with connect(endpoint, timeout=5.0) as client:
            told = client.info("server")
        name = str(told.get("server_name", "redis"))
        return f"{name.capitalize()} {told.get(f'{name}_version', told.get('redis_version'))}"

    def leftovers(self, endpoint: Endpoint, prefix: str) -> list[Leftover]:
        """Keys, found without holding up the server."""
        from stackproof.services.redis.client import connect, keys_with

        with connect(endpoint) as client:
            found = keys_with(client, prefix)
        return [Leftover("key", key.decode("utf-8", "backslashreplace")) for key in found]

    def remove(self, endpoint: Endpoint, leftovers: Sequence[Leftover]) -> None:
        """A thousand keys at a time."""
        from stackproof.services.redis.client import connect, delete_all

        with connect(endpoint) as client:
            delete_all(client, [item.name for item in leftovers])


def _on_published(where: Where) -> bool:
    """Whether clients outside are told of a node by others, and come by its published port."""
    return where.alone and len(names(where.options)) > 1


def _port(where: Where, name: str) -> int:
    """On which a node listens for clients."""
    return (where.advertised if _on_published(where) else where.listen)(name)[1]


def _peer(where: Where, name: str) -> tuple[str, int]:
    """By which other nodes reach a node."""
    host, port = where.peer(name)
    return host, _port(where, name) if where.alone else port


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


SERVICE = Redis
