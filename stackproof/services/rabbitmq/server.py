"""RabbitMQ: one node, or a cluster of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from stackproof.obtain import Artifact, DebianArtifact
from stackproof.ports import LOOPBACK
from stackproof.services.base import Endpoint, Image
from stackproof.services.location import Location
from stackproof.services.probe import Probe
from stackproof.services.rabbitmq import erlang
from stackproof.services.rabbitmq.known import FIRST, VIRTUAL_HOST
from stackproof.services.renewal import Renewal, Renewing
from stackproof.services.where import Node, Where
from stackproof.services.writer import Writer

#: Seconds; a node of which the others have heard nothing for as long, and a quarter, is down.
_SILENT_AFTER = 8
_COOKIE = ".erlang.cookie"
_VOLUME = "/var/lib/rabbitmq"
#: What shows a node's queues, and its peers, to whoever asks by HTTP. (In 3.10 an orderly end takes
#: five seconds longer with it.)
_MANAGEMENT = "rabbitmq_management"
#: Clients come from this machine, or from the run's own container network, alone. Dead letters that
#: their queue refused are tried again after two seconds, not after three minutes.
_SETTINGS = """\
[{{rabbit, [{{tcp_listeners, [{client}]}}, {{num_tcp_acceptors, 2}},
  {{loopback_users, []}},
  {{vm_memory_high_watermark, {{absolute, "{memory}MiB"}}}},
  {{disk_free_limit, 50000000}},
  {{dead_letter_worker_publisher_confirm_timeout, 2000}},
  {{cluster_nodes, {{[{cluster}], disc}}}}, {{cluster_partition_handling, autoheal}},
  {{log, [{{console, [{{enabled, true}}, {{level, info}}]}}, {{file, [{{file, false}}]}}]}}]}},
 {{rabbitmq_management, [{{tcp_config, [{management}]}}]}},
 {{rabbitmq_management_agent, [{{disable_metrics_collector, true}}]}}].
"""
#: For work to come; it would take the processors from everybody else on this machine.
_NO_BUSY_WAITING = "+sbwt none +sbwtdcpu none +sbwtdio none"
#: The handshake of AMQP 0-9-1, answered with a method's frame. RabbitMQ's own tool would start a
#: virtual machine for it each time.
_HEALTH = """\
exec 3<>/dev/tcp/127.0.0.1/5672 && printf 'AMQP\\0\\0\\011\\001' >&3 \
&& test "$(head -c 1 <&3 | od -An -tu1 | tr -d ' ')" = 1"""


class RabbitMQ(Renewing):
    """The service ``rabbitmq``.

    Options: ``nodes`` (how many), ``max_memory_mb`` (of each; above that, publishers are held
    back), ``plugins`` (names).
    """

    name = "rabbitmq"
    title = "RabbitMQ"
    start_within = 60.0
    server = DebianArtifact("rabbitmq-server", "RabbitMQ", without=("python3", "socat", "openssl"))
    unfit = "\\'\"`$!#*?[]{}()<>|&"  # it hands paths to a shell, and looks for files by patterns
    image = Image("RABBITMQ_IMAGE", "rabbitmq:3.10.8", "stackproof/rabbitmq:3.10.8")
    untold: Mapping[str, str] = {
        "power loss in containers": "it syncs what it confirms: there is seldom anything on its "
        "disk to be lost, and nobody can tell a loss of power from a crash then"
    }
    hello = b"AMQP\x00\x00\x09\x01"
    ports: Mapping[str, int] = {"client": 5672, "management": 15672, "peer": 25672}
    peer_roles = ("peer",)
    options: Mapping[str, Any] = {"nodes": 1, "max_memory_mb": 256, "plugins": ()}
    location = Location(
        plain=("amqp",),
        encrypted=("amqps",),
        encrypted_port=5671,
        path="virtual_host",
        default_path=VIRTUAL_HOST,
        default_is_implied=True,
        variables={
            "url": ("RABBITMQ_URL", "AMQP_URL"),
            "host": ("RABBITMQ_HOST",),
            "port": ("RABBITMQ_PORT",),
            "virtual_host": ("RABBITMQ_VHOST",),
        },
    )

    @property
    def _alone(self) -> erlang.WithoutPortMapper:
        return erlang.WithoutPortMapper(self.server)

    def artifacts(self) -> Sequence[Artifact]:
        """The server's package with Erlang, then a module made with it."""
        return (self.server, self._alone)

    def nodes(self, where: Where) -> list[Node]:
        """Each joins the first; its management listens besides, and tells what it has."""
        names = [f"node-{number + 1}" for number in range(where.options["nodes"])]
        return [self._node(where, name, names) for name in names]

    def _node(self, where: Where, name: str, names: Sequence[str]) -> Node:
        options = where.options
        plugins = [_MANAGEMENT, *options["plugins"]]
        peers = {other: where.peer(other, "peer") for other in names if other != name}
        address, port = where.listen(name)
        _, management = where.listen(name, "management")
        everywhere = address == "*"
        flags = _NO_BUSY_WAITING
        files = {
            "rabbitmq.config": _SETTINGS.format(
                client=port if everywhere else f'{{"{address}", {port}}}',
                management=f"{{port, {management}}}"
                + ("" if everywhere else f', {{ip, "{address}"}}'),
                memory=options["max_memory_mb"],
                cluster="" if name == FIRST else f"'{_called(FIRST, peers[FIRST][0])}'",
            ),
            "enabled_plugins": f"[{','.join(plugins)}].\n",
        }
        root, module = where.obtained(self.server), where.obtained(self._alone)
        if peers:
            flags += f" -kernel net_ticktime {_SILENT_AFTER}"
        if peers and root is None:
            flags += f" -setcookie {where.secret}"
        elif peers:
            files[_COOKIE] = where.secret
        node = Node(
            name,
            [where.program("rabbitmq-server")],
            roles=("client", "management"),
            files=files,
            env={
                "RABBITMQ_NODENAME": _called(name, where.peer(name, "peer")[0] if peers else ""),
                "RABBITMQ_DIST_PORT": str(where.listen(name, "peer")[1]),
                "RABBITMQ_CONFIG_FILE": where.file(name, "rabbitmq.config"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": where.file(name, "enabled_plugins"),
                "RABBITMQ_LOGS": "-",
                erlang.FLAGS: flags,
            },
            data=where.data(name, _VOLUME),
            user="rabbitmq",
            after=() if name == FIRST else (FIRST,),
            memory_mb=2 * options["max_memory_mb"],  # while it collects garbage
            health=("bash", "-c", _HEALTH),
        )
        if root is None or module is None:
            return node
        ports = {other: port for other, (_, port) in peers.items()}
        return erlang.as_process(node, plugins, ports, root=root, module=module)

    def probe(self, endpoint: Endpoint, *, timeout: float) -> Probe:
        """See `stackproof.services.rabbitmq.probe`."""
        from stackproof.services.rabbitmq.probe import RabbitMQProbe

        return RabbitMQProbe(endpoint, timeout=timeout)

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """See `stackproof.services.rabbitmq.writer`."""
        from stackproof.services.rabbitmq.writer import MessagesWriter

        return MessagesWriter(endpoint, name, timeout=timeout)

    def renewal(self, endpoint: Endpoint, *, timeout: float) -> Renewal:
        """See `stackproof.services.rabbitmq.renewal`."""
        from stackproof.services.rabbitmq.renewal import RabbitMQRenewal

        return RabbitMQRenewal(endpoint, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and a node that is still starting."""
        from pika.exceptions import AMQPError

        return (AMQPError, OSError)

    def version(self, endpoint: Endpoint) -> str:
        """Product and version of the server's greeting."""
        from stackproof.services.rabbitmq.client import connect

        with connect(endpoint) as connection:
            told = connection._impl.server_properties
        return " ".join(
            text.decode() if isinstance(text, bytes) else str(text)
            for text in (told.get("product", self.title), told.get("version", ""))
        )


def _called(node: str, host: str) -> str:
    """What Erlang calls a node; ``host``: where others find it, if there are others."""
    return f"{node}@{'localhost' if host in ('', LOOPBACK) else host}"


SERVICE = RabbitMQ
