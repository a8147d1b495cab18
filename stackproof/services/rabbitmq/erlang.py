"""RabbitMQ as a process of this machine: its own Erlang, without Erlang's port mapper.

An Erlang node is entered with a port mapper (epmd) that other nodes ask for it. That is a daemon
which outlives every run, and which two runs on a machine would share. A module stands in for its
client here: it is told the ports of a cluster's nodes.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain import Cache, DebianArtifact, Say
from stackproof.obtain.debian import library_path
from stackproof.processes.environment import server_environment
from stackproof.services.where import Node

#: What RabbitMQ's own start script hands to Erlang in addition.
FLAGS = "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"
_MODULE = """-module(no_epmd).
-export([start_link/0, register_node/2, register_node/3, port_please/2, port_please/3,
         listen_port_please/2, address_please/3, names/1]).
start_link() -> ignore.
register_node(_Name, _Port) -> {ok, rand:uniform(1 bsl 30)}.
register_node(Name, Port, _Family) -> register_node(Name, Port).
port_please(Name, _Host) ->
    case init:get_argument(peers) of
        {ok, [Known | _]} -> port(lists:flatten(io_lib:format("~s", [Name])), Known);
        error -> noport
    end.
port_please(Name, Host, _Timeout) -> port_please(Name, Host).
port(Name, [Name, Port | _]) -> {port, list_to_integer(Port), 6};
port(Name, [_, _ | Others]) -> port(Name, Others);
port(_, []) -> noport.
listen_port_please(_Name, _Host) -> {ok, 0}.
address_please(_Name, _Host, _Family) -> {ok, {127, 0, 0, 1}}.
names(_Host) -> {ok, []}.
"""
_COMPILE = """{ok, no_epmd} = compile:file("no_epmd.erl", [deterministic]),
{ok, _} = application:ensure_all_started(ssl), halt()."""
#: As RabbitMQ's own start script has them; smaller tables.
_EMULATOR = (
    "-noinput", "-boot", "start_sasl", "-s", "rabbit", "boot",
    "+W", "w", "+B", "i", "+P", "262144", "+t", "1048576",
    "+MBas", "ageffcbf", "+MHas", "ageffcbf", "+MBlmbcs", "512", "+MHlmbcs", "512", "+MMmcs", "30",
    "-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false",
    "-syslog", "protocol", "{rfc3164,udp,[{ip,{127,0,0,1}}]}",  # it opens a socket, used or not
    "-kernel", "prevent_overlapping_partitions", "false",
    "-start_epmd", "false", "-epmd_module", "no_epmd", "-erl_epmd_port", "1",
)  # fmt: skip
_ALONE = ("-dist_listen", "false")
_ON_LOOPBACK = ("-kernel", "inet_dist_use_interface", "{127,0,0,1}")


def _emulator(root: Path) -> tuple[Path, dict[str, str]]:
    """Erlang's emulator unpacked below ``root``, and the variables that it needs there."""
    erlang = root / "usr" / "lib" / "erlang"
    binaries = next(erlang.glob("erts-*/bin"))
    return binaries / "erlexec", {
        "ROOTDIR": str(erlang),
        "BINDIR": str(binaries),
        "EMU": "beam",
        "PROGNAME": "erl",
    }


@dataclass(frozen=True)
class WithoutPortMapper:
    """The compiled `_MODULE`. Making it also proves that the emulator finds its libraries."""

    server: DebianArtifact

    @cached_property
    def key(self) -> str:
        """Names the server's version and the module's content."""
        digest = hashlib.sha256((_MODULE + _COMPILE).encode()).hexdigest()[:8]
        return f"{self.server.key}-no-epmd-{digest}"

    @property
    def title(self) -> str:
        """Name for people."""
        return f"{self.server.title} without port mapper"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Compile it with the server's own Erlang."""
        say(f"{self.title}: compiling a module")
        root = cache.path(self.server)
        launcher, variables = _emulator(root)
        (into / "no_epmd.erl").write_text(_MODULE, encoding="utf-8")
        command = [str(launcher), "-noinput", "-boot", "no_dot_erlang",
                   "-eval", _COMPILE.replace("\n", " ")]  # fmt: skip
        try:
            env = server_environment({**library_path(root), **variables})
            done = cache.run(command, within=60, cwd=into, env=env)
            said = done.output.strip()
        except subprocess.TimeoutExpired as error:
            said = str(error)
        if not (into / "no_epmd.beam").exists() or done.code:
            raise Trouble(
                f"{self.title} could not be made",
                f"its Erlang says: {said[-2000:] or 'nothing'}",
                "remove the servers' cache (stackproof doctor names it) and run again",
            )


def as_process(
    node: Node, plugins: Iterable[str], peers: Mapping[str, int], *, root: Path, module: Path
) -> Node:
    """A node of the image as one that the emulator runs, in a directory of its own.

    What is a list of paths, with colons in between, is relative to that, because nobody knows
    which characters stand above.

    Args:
        node: as its image's own script starts it.
        plugins: names of all that shall run.
        peers: by which port it reaches each of the others; none: it is alone.
        root: where the server is unpacked.
        module: what `WithoutPortMapper` made.

    Raises:
        Trouble: a plugin is not there.
    """
    launcher, variables = _emulator(root)
    home = next((root / "usr" / "lib" / "rabbitmq" / "lib").glob("rabbitmq_server-*"))
    below = Path(node.data).parent
    # With all plugins on its path a node takes twice as long to start.
    needed = _applications(home / "plugins", ["rabbit", *plugins])
    known = [word for name, port in peers.items() for word in (name, str(port))]
    among = ("-peers", *known, *_ON_LOOPBACK) if known else _ALONE
    own = {
        "HOME": below,
        "RABBITMQ_HOME": home,
        "RABBITMQ_MNESIA_BASE": node.data,
        "RABBITMQ_LOG_BASE": below / "log",
        "RABBITMQ_ADVANCED_CONFIG_FILE": below / "absent.config",
        "RABBITMQ_CONF_ENV_FILE": below / "absent",
        "RABBITMQ_FEATURE_FLAGS_FILE": below / "feature_flags",
        "RABBITMQ_GENERATED_CONFIG_DIR": below / "generated",
        "RABBITMQ_SCHEMA_DIR": below / "schema",
        "RABBITMQ_PID_FILE": below / "pid",
        "ERL_LIBS": "libraries",
        "RABBITMQ_PLUGINS_DIR": "libraries",
        "SYS_PREFIX": "",
        "ERL_MAX_ETS_TABLES": 50000,
        "ERL_MAX_PORTS": 4096,
    }
    return replace(
        node,
        argv=[str(launcher), "-pa", str(module), *_EMULATOR, *node.env[FLAGS].split(), *among],
        env={**node.env, **variables, **{name: str(value) for name, value in own.items()}},
        links={f"libraries/{place.name}": place for place in needed},
    )


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
