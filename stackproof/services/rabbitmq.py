"""RabbitMQ: one node, without the port mapper and the distribution ports of Erlang."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stackproof.access import Access
from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Artifact, Cache, DebianArtifact, Say
from stackproof.obtain.debian import library_path
from stackproof.paths import demand_plain
from stackproof.ports import LOOPBACK
from stackproof.processes.environment import server_environment
from stackproof.services.base import (
    Composition,
    ConnectionSetting,
    Endpoint,
    Image,
    ProcessSpec,
    Site,
)
from stackproof.services.external import logged_in, number, read_url, required, url_text
from stackproof.urls import ServiceUrl, host_and_port

_PORT, _TLS_PORT = 5672, 5671
#: An Erlang node is entered with a port mapper (epmd) that other nodes ask for it. That is a
#: daemon which outlives every run, and which two runs on a machine would share. A single node
#: needs none: this module stands in for its client.
_NO_EPMD = """-module(no_epmd).
-export([start_link/0, register_node/2, register_node/3, port_please/2, port_please/3,
         listen_port_please/2, address_please/3, names/1]).
start_link() -> ignore.
register_node(_Name, _Port) -> {ok, 1}.
register_node(_Name, _Port, _Family) -> {ok, 1}.
port_please(_Name, _Host) -> noport.
port_please(_Name, _Host, _Timeout) -> noport.
listen_port_please(_Name, _Host) -> {ok, 0}.
address_please(_Name, _Host, _Family) -> {error, nxdomain}.
names(_Host) -> {ok, []}.
"""
_COMPILE = """{ok, no_epmd} = compile:file("no_epmd.erl", [deterministic]),
{ok, _} = application:ensure_all_started(ssl), halt()."""
#: As RabbitMQ's own start script has them; smaller tables, and no busy waiting for work, which
#: would take the processors from everybody else on this machine.
_EMULATOR = (
    "+W", "w", "+B", "i", "+P", "262144", "+t", "1048576",
    "+MBas", "ageffcbf", "+MHas", "ageffcbf", "+MBlmbcs", "512", "+MHlmbcs", "512", "+MMmcs", "30",
    "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
    "-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false",
    "-kernel", "prevent_overlapping_partitions", "false",
    "-start_epmd", "false", "-epmd_module", "no_epmd", "-erl_epmd_port", "1",
    "-dist_listen", "false",
)  # fmt: skip
_NODE = "rabbit@localhost"
#: It hands paths to a shell, and looks for files by patterns.
_UNFIT = "'\"`$!#*?[]{}()<>|&"


def _emulator(root: Path) -> tuple[Path, dict[str, str]]:
    """Erlang's emulator unpacked below ``root``, and the variables that it needs there."""
    erlang = root / "usr" / "lib" / "erlang"
    binaries = next(erlang.glob("erts-*/bin"))
    return binaries / "erlexec", {
        **library_path(root),
        "ROOTDIR": str(erlang),
        "BINDIR": str(binaries),
        "EMU": "beam",
        "PROGNAME": "erl",
    }


@dataclass(frozen=True)
class WithoutPortMapper:
    """The compiled `_NO_EPMD`. Making it also proves that the emulator finds its libraries."""

    server: DebianArtifact

    @cached_property
    def key(self) -> str:
        """Names the server's version and the module's content."""
        digest = hashlib.sha256((_NO_EPMD + _COMPILE).encode()).hexdigest()[:8]
        return f"{self.server.key}-no-epmd-{digest}"

    @property
    def title(self) -> str:
        """Name for people."""
        return f"{self.server.title} without port mapper"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Compile it with the server's own Erlang."""
        say(f"{self.title}: compiling a module")
        launcher, variables = _emulator(cache.path(self.server))
        (into / "no_epmd.erl").write_text(_NO_EPMD, encoding="utf-8")
        command = [str(launcher), "-noinput", "-boot", "no_dot_erlang",
                   "-eval", _COMPILE.replace("\n", " ")]  # fmt: skip
        try:
            done = cache.run(command, within=60, cwd=into, env=server_environment(variables))
            said = done.output.strip()
        except subprocess.TimeoutExpired as error:
            said = str(error)
        if not (into / "no_epmd.beam").exists() or done.code:
            raise Trouble(
                f"{self.title} could not be made",
                f"its Erlang says: {said[-2000:] or 'nothing'}",
                "remove the servers' cache (stackproof doctor names it) and run again",
            )


class RabbitMQ:
    """The service ``rabbitmq``; options: ``max_memory_mb``, ``plugins`` (names)."""

    name = "rabbitmq"
    title = "RabbitMQ"
    start_within = 60.0

    def __init__(self) -> None:
        self._server = DebianArtifact(
            "rabbitmq-server", "RabbitMQ", without=("python3", "socat", "openssl")
        )
        self._alone = WithoutPortMapper(self._server)

    def default_options(self) -> dict[str, Any]:
        """256 MiB, above which publishers are held back; no plugins."""
        return {"max_memory_mb": 256, "plugins": ()}

    def memory_mb(self, options: Mapping[str, Any]) -> int:
        """The node's own limit; idle it takes 135 MiB."""
        return options["max_memory_mb"]

    def artifacts(self) -> Sequence[Artifact]:
        """The server's package with Erlang, then a module made with it."""
        return (self._server, self._alone)

    def lay_out(self, site: Site) -> list[ProcessSpec]:
        """One node in a directory of its own; it listens on its AMQP port and nowhere else."""
        root = site.cache.path(self._server)
        launcher, variables = _emulator(root)
        home = next((root / "usr" / "lib" / "rabbitmq" / "lib").glob("rabbitmq_server-*"))
        place = site.directory / site.cluster
        demand_plain(place, "RabbitMQ", _UNFIT)
        (place / "libraries").mkdir(parents=True)
        plugins = site.options["plugins"]
        # With all plugins on its path a node takes twice as long to start.
        for library in _applications(home / "plugins", ["rabbit", *plugins]):
            (place / "libraries" / library.name).symlink_to(library)
        (place / "rabbitmq.config").write_text(
            f'[{{rabbit, [{{tcp_listeners, [{{"{LOOPBACK}", {site.port("client")}}}]}},\n'
            "  {num_tcp_acceptors, 2},\n"
            f'  {{vm_memory_high_watermark, {{absolute, "{site.options["max_memory_mb"]}MiB"}}}},\n'
            "  {disk_free_limit, 50000000},\n"
            "  {log, [{console, [{enabled, true}, {level, info}]},\n"
            "         {file, [{file, false}]}]}]}].\n",
            encoding="utf-8",
        )
        (place / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n", encoding="utf-8")
        return [
            ProcessSpec(
                site.cluster,
                [str(launcher), "-pa", str(site.cache.path(self._alone)), "-noinput",
                 "-boot", "start_sasl", "-s", "rabbit", "boot", *_EMULATOR],
                place,
                {**variables, **_places(place, home)},
            )
        ]  # fmt: skip

    def images(self) -> Sequence[Image]:
        """The official one in the version that Debian's package has."""
        return (Image("RABBITMQ_IMAGE", "rabbitmq:3.10.8", "stackproof/rabbitmq:3.10.8"),)

    def compose(self, site: Site) -> Composition:
        """One container."""
        if site.options["plugins"]:
            raise NotSupported(
                "RabbitMQ runs with its image's plugins in containers",
                f"asked for: {', '.join(site.options['plugins'])}",
                "take an image that has them (RABBITMQ_IMAGE), or STACK=native",
            )
        limit = site.options["max_memory_mb"]
        return Composition(
            instances={site.cluster: "rabbitmq"},
            environment={
                "RABBITMQ_PUBLISHED": str(site.port("client")),
                "RABBITMQ_MAX_MEMORY": str(limit * 2**20),
                "RABBITMQ_MEMORY": f"{2 * limit}m",
            },
        )

    def addresses(self, site: Site) -> dict[str, str]:
        """``server``: ``host:port``, followed by ``/name`` for a virtual host other than /."""
        return {"server": f"{LOOPBACK}:{site.port('client')}"}

    def connection_settings(self) -> Sequence[ConnectionSetting]:
        """A URL, or host, port and virtual host."""
        return (
            ConnectionSetting(
                "url", ("RABBITMQ_URL", "AMQP_URL"),
                "amqp://user:password@host:port/virtual-host, or amqps://", secret=True,
            ),
            ConnectionSetting(
                "url_file", ("RABBITMQ_URL_FILE",), "file that holds it", is_file=True
            ),
            ConnectionSetting(
                "host", ("RABBITMQ_HOST",), "where the server is, if no URL says it"
            ),
            ConnectionSetting(
                "port", ("RABBITMQ_PORT",), f"its port; default: {_PORT}, with TLS {_TLS_PORT}"
            ),
            ConnectionSetting("virtual_host", ("RABBITMQ_VHOST",), "default: /"),
        )  # fmt: skip

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """``server``: as the native provider's."""
        text = url_text(self, texts)
        url = read_url(self, text, ("amqp", "amqps")) if text else ServiceUrl("", "")
        access = logged_in(access, url, tls=url.scheme == "amqps")
        host = url.host or required(self, texts, "host")
        default = _TLS_PORT if access.tls else _PORT
        port = number(self, "port", url.port or texts.get("port") or default)
        virtual_host = url.path or texts.get("virtual_host") or "/"
        suffix = "" if virtual_host == "/" else f"/{quote(virtual_host, safe='')}"
        return {"server": host_and_port(host, port) + suffix}, access

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        """Publish to a queue that nobody else sees, and get it back from there."""
        from stackproof.clients.rabbitmq.connection import round_trip

        name = endpoint.check_name()
        round_trip(endpoint.addresses, endpoint.access, name, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and a node that is still starting."""
        from pika.exceptions import AMQPError

        return (AMQPError, OSError)

    def why_unreachable(self, endpoint: Endpoint, *, timeout: float) -> Trouble | None:
        """Network, TLS, log-in, in this order."""
        from stackproof.clients.rabbitmq.diagnosis import diagnose

        name = endpoint.check_name()
        return diagnose(endpoint.addresses, endpoint.access, name, timeout=timeout)

    def version(self, endpoint: Endpoint) -> str:
        """Product and version of the server's greeting."""
        from stackproof.clients.rabbitmq.connection import connect, parameters

        with connect(parameters(endpoint.addresses, endpoint.access)) as connection:
            told = connection._impl.server_properties
        return " ".join(
            text.decode() if isinstance(text, bytes) else str(text)
            for text in (told.get("product", self.title), told.get("version", ""))
        )

    def ready_line(self, endpoint: Endpoint) -> str:
        """Its URL, without credentials."""
        scheme = "amqps" if endpoint.access.tls else "amqp"
        return f"{scheme}://{endpoint.addresses['server']}"


def _applications(plugins: Path, names: Iterable[str]) -> list[Path]:
    """Directories of these Erlang applications and of all that they depend on, if they are here.

    Raises:
        Trouble: a name that is asked for is not here.
    """
    found: dict[str, Path] = {}
    asked = [*names]
    for name in asked:
        if not list(plugins.glob(f"{name}-[0-9]*")):
            raise Trouble(f"RabbitMQ has no plugin {name!r}", "", "correct the option `plugins`")
    while asked:
        name = asked.pop()
        place = next(iter(plugins.glob(f"{name}-[0-9]*")), None)
        if place is None or name in found:  # it is one of Erlang's own
            continue
        found[name] = place
        described = (place / "ebin" / f"{name}.app").read_text(encoding="utf-8")
        for listed in re.findall(r"\{applications,\s*\[([^\]]*)\]", described):
            asked += re.findall(r"\w+", listed)
    return sorted(found.values())


def _places(place: Path, home: Path) -> dict[str, str]:
    """RabbitMQ's variables: everything that it reads or writes lies below ``place``.

    It is its working directory. What is a list of paths, with colons in between, is relative to
    it, because nobody knows which characters stand above.
    """
    paths = {
        "HOME": place,
        "RABBITMQ_HOME": home,
        "RABBITMQ_MNESIA_BASE": place / "data",
        "RABBITMQ_LOG_BASE": place / "log",
        "RABBITMQ_CONFIG_FILE": place / "rabbitmq.config",
        "RABBITMQ_ADVANCED_CONFIG_FILE": place / "advanced.config",
        "RABBITMQ_CONF_ENV_FILE": place / "absent",
        "RABBITMQ_ENABLED_PLUGINS_FILE": place / "enabled_plugins",
        "RABBITMQ_FEATURE_FLAGS_FILE": place / "feature_flags",
        "RABBITMQ_GENERATED_CONFIG_DIR": place / "generated",
        "RABBITMQ_SCHEMA_DIR": place / "schema",
        "RABBITMQ_PID_FILE": place / "pid",
    }
    return {
        **{name: str(path) for name, path in paths.items()},
        "ERL_LIBS": "libraries",
        "RABBITMQ_PLUGINS_DIR": "libraries",
        "RABBITMQ_NODENAME": _NODE,
        "RABBITMQ_LOGS": "-",
        "SYS_PREFIX": "",
        "ERL_MAX_ETS_TABLES": "50000",
        "ERL_MAX_PORTS": "4096",
    }


SERVICE = RabbitMQ
