"""PostgreSQL 15: a primary, and replicas by streaming replication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cached_property
from shlex import quote
from typing import Any

from stackproof.access import Access
from stackproof.errors import Trouble
from stackproof.obtain import Artifact, DebianArtifact
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services import service
from stackproof.services.base import Endpoint, Image, Leftover
from stackproof.services.external import url_text
from stackproof.services.location import Location
from stackproof.services.postgresql.known import DATABASE, PRIMARY, USER, slot_of
from stackproof.services.postgresql.managed import IMAGE as PATRONI_IMAGE
from stackproof.services.postgresql.managed import PATRONI, managed_nodes
from stackproof.services.probe import Probe
from stackproof.services.renewal import Renewal, Renewing
from stackproof.services.web import Web
from stackproof.services.where import Node, Where
from stackproof.services.writer import Writer

_VOLUME = "/var/lib/postgresql/data"

#: Of one server, beside those of all.
_OWN = """\
listen_addresses = '{address}'
port = {port}
unix_socket_directories = ''
hba_file = {access}
"""
#: Of every server; texts stand in quotes in its file.
_SETTINGS: Mapping[str, Any] = {
    "shared_buffers": "32MB",
    "max_wal_senders": 10,
    "max_replication_slots": 10,
    "wal_level": "replica",
    "jit": "off",
    "hot_standby": "on",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "500ms",
    "timezone": "GMT",
    "log_timezone": "GMT",
    "log_line_prefix": "%m [%p] %a ",
}
_TIMEOUTS = ("wal_sender_timeout", "wal_receiver_timeout")
#: The server is reached from this machine, or from the run's own container network, alone.
_ACCESS = """\
local all all trust
host all all all trust
host replication all all trust
"""
#: Made beside, then moved: one that was interrupted is begun anew. A replica's slot comes first:
#: from then on the primary keeps what the copy will need.
_PRIMARY = """\
if [ ! -d {data}/main ]; then
  rm -rf {data}/new
  {initdb} -D {data}/new -U {user} -A trust -E UTF8 --locale=C --no-sync > /dev/null
  mv {data}/new {data}/main
fi
"""
_REPLICA = """\
if [ ! -d {data}/main ]; then
  rm -rf {data}/new
  {ask} -X -q -h {host} -p {port} -U {user} -d {database} -v ON_ERROR_STOP=1 -o /dev/null -c \\
    "SELECT pg_create_physical_replication_slot('{slot}', true) WHERE NOT EXISTS (
       SELECT FROM pg_replication_slots WHERE slot_name = '{slot}')"
  {copy} -D {data}/new -R -X stream -c fast --no-sync -S {slot} \\
    -d 'host={host} port={port} user={user} application_name={slot}'
  mv {data}/new {data}/main
fi
"""


#: What libpq is told in a URL, and what is done with several servers anyway.
_READ_WRITE = "?target_session_attrs=read-write"
_MISSED_BY_NOBODY = "no other node tells whether it misses the primary"


class PostgreSQL(Renewing):
    """The service ``postgresql``.

    Options: ``replicas`` (how many), ``synchronous`` (a commit waits for so many of them),
    ``fsync``, ``connections`` (how many at once), ``slot_mb`` (MiB of WAL that the primary keeps
    for a replica that is away; 0: all that it misses), ``managed`` (Patroni promotes a replica when
    the primary is gone; servers are called nodes then), ``config`` (more settings, as pairs).
    """

    name = "postgresql"
    title = "PostgreSQL"
    start_within = 60.0
    server = DebianArtifact(
        "postgresql-15", "PostgreSQL", ("usr/lib/postgresql/15/bin/postgres", "--version"),
        without=("postgresql-common", "postgresql-client-common", "perl", "ssl-cert", "tzdata",
                 "libllvm14"),  # the compiler of queries is left out: 100 MB
    )  # fmt: skip
    programs = ("usr/lib/postgresql/15/bin",)
    image = Image("POSTGRESQL_IMAGE", "postgres:15", "stackproof/postgres:15")
    untold: Mapping[str, str] = {
        "power loss in containers": "it writes its log over old segments of the same size, so "
        "that nobody can tell by a file's size how much of it is synced",
        "cut from its peers of primary": _MISSED_BY_NOBODY,
        "cut one way of primary": _MISSED_BY_NOBODY,
    }
    hello = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # SSLRequest
    ports: Mapping[str, int] = {"client": 5432, "agent": 8008}
    compose_files: Mapping[str, Mapping[str, Any]] = {
        "postgresql-patroni": {"managed": True, "replicas": 1}
    }
    options: Mapping[str, Any] = {
        "replicas": 0, "synchronous": 0, "fsync": True, "connections": 100, "slot_mb": 0,
        "managed": False, "config": (),
    }  # fmt: skip
    location = Location(
        plain=("postgresql", "postgres"),
        encrypted=(),
        path="database",
        default_path=DATABASE,
        variables={
            "url": ("POSTGRESQL_URL", "DATABASE_URL"),
            "host": ("POSTGRESQL_HOST", "PGHOST"),
            "port": ("POSTGRESQL_PORT", "PGPORT"),
            "database": ("POSTGRESQL_DATABASE", "PGDATABASE"),
        },
    )

    def nodes(self, where: Where) -> list[Node]:
        """The primary, then the replicas, each a copy of it with a slot of its own."""
        if where.options["managed"]:
            return managed_nodes(where, _settings(where.options), volume=_VOLUME)
        return [
            self._node(where, name)
            for name in (PRIMARY, *(f"replica-{n + 1}" for n in range(where.options["replicas"])))
        ]

    def _node(self, where: Where, name: str) -> Node:
        replica = name != PRIMARY
        address, port = where.listen(name)
        host, of_primary = where.peer(PRIMARY)
        data = where.data(name, _VOLUME)
        script = (_REPLICA if replica else _PRIMARY).format(
            data=quote(data), initdb=quote(where.program("initdb")), user=USER,
            copy=quote(where.program("pg_basebackup")), slot=slot_of(name),
            host=host, port=of_primary, ask=quote(where.program("psql")), database=DATABASE,
        )  # fmt: skip
        access = _text(where.file(name, "pg_hba.conf"))
        settings = _OWN.format(address=address, port=port, access=access) + "".join(
            f"{key} = {_text(str(value))}\n" for key, value in _settings(where.options).items()
        )
        return Node(
            name,
            [
                where.program("postgres"),
                "-D",
                f"{data}/main",
                "-c",
                f"config_file={where.file(name, 'postgresql.conf')}",
            ],
            before=script,
            files={"postgresql.conf": settings, "pg_hba.conf": _ACCESS},
            data=data,
            user="postgres",
            refuses_root=True,
            after=(PRIMARY,) if replica else (),
            memory_mb=96 + where.options["connections"],
            stop_signal="SIGINT",  # SIGTERM waits until all clients have gone
            health=("pg_isready", "-h", "127.0.0.1", "-U", USER),
        )

    def artifacts_with(self, options: Mapping[str, Any]) -> Sequence[Artifact]:
        """Patroni and etcd, where they choose the primary."""
        return (PATRONI, *service("etcd").artifacts()) if options.get("managed") else ()

    def images_with(self, options: Mapping[str, Any]) -> Sequence[Image]:
        """The same of images."""
        if not options.get("managed"):
            return super().images_with(options)
        return (PATRONI_IMAGE, *service("etcd").images())

    def form(self, endpoint: Endpoint, *, within: float) -> None:
        """Wait until every replica streams, then have commits wait for as many as asked for.

        Where Patroni manages them, it has them wait; that is waited for, too.
        """
        from stackproof.services.postgresql.client import asking

        replicas, synchronous = (int(endpoint.options[k]) for k in ("replicas", "synchronous"))
        managed = endpoint.options["managed"]
        if not replicas:
            return
        with asking(endpoint, timeout=within) as cursor:

            def streaming() -> list[str]:
                cursor.execute(
                    "SELECT application_name, sync_state FROM pg_stat_replication "
                    "WHERE state = 'streaming'"
                )
                found = cursor.fetchall()
                if managed and sum(state != "async" for _, state in found) < synchronous:
                    return []
                return sorted(name for name, _ in found)

            try:
                names = poll(
                    streaming, until=lambda found: len(found) >= replicas, within=within,
                    awaiting=f"{replicas} replicas to stream, {synchronous} of them synchronous",
                )  # fmt: skip
            except DeadlineExceeded as late:
                raise Trouble(
                    "the replicas do not follow the primary", str(late),
                    "their logs usually name the cause",
                ) from late  # fmt: skip
            if synchronous and managed:
                self._promotable(endpoint, synchronous, within)
            elif synchronous:
                wanted = f"FIRST {synchronous} ({', '.join(names)})"
                cursor.execute("ALTER SYSTEM SET synchronous_standby_names = %s", [wanted])
                cursor.execute("SELECT pg_reload_conf()")

    @staticmethod
    def _promotable(endpoint: Endpoint, synchronous: int, within: float) -> None:
        """Wait until Patroni has noted, seconds later, which replicas it may promote."""
        node = next(iter(endpoint.addresses))
        with closing(Web(endpoint.at(node, "agent"), endpoint.access)) as web:

            def noted() -> int:
                members = web.json("GET", "/cluster")["members"]
                return sum(member["role"] == "sync_standby" for member in members)

            poll(noted, until=lambda found: found >= synchronous, within=within,
                 awaiting=f"Patroni to count {synchronous} synchronous replicas")  # fmt: skip

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """See `Service.connect`; a URL may name several servers, as libpq has it."""
        scheme, _, rest = url_text(self, texts).partition("://")
        login, at, place = rest.removesuffix(_READ_WRITE).rpartition("@")
        hosts, slash, path = place.partition("/")
        others = {key: text for key, text in texts.items() if key not in ("url", "url_file")}
        found = {}
        for number, host in enumerate(hosts.split(",")):
            one = {**others, "url": f"{scheme}://{login}{at}{host}{slash}{path}"} if host else texts
            found[f"node-{number + 1}"], access = self.location.read(
                self, one, access, usual=self.ports["client"]
            )
        return (found if len(found) > 1 else {PRIMARY: found["node-1"]}), access

    def leftovers(self, endpoint: Endpoint, prefix: str) -> list[Leftover]:
        """Schemas."""
        from stackproof.services.postgresql.client import ask

        found = ask(
            endpoint, "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [prefix]
        )
        return [Leftover("schema", name) for name in sorted(name for (name,) in found)]

    def remove(self, endpoint: Endpoint, leftovers: Sequence[Leftover]) -> None:
        """With everything in them."""
        from stackproof.services.postgresql.client import drop

        for item in leftovers:
            drop(endpoint, item.name)

    def version(self, endpoint: Endpoint) -> str:
        """As the server says it."""
        from stackproof.services.postgresql.client import ask

        ((told,),) = ask(endpoint, "SHOW server_version")
        return f"{self.title} {told.partition(' ')[0]}"

    def probe(self, endpoint: Endpoint, *, timeout: float) -> Probe:
        """See `stackproof.services.postgresql.probe`."""
        from stackproof.services.postgresql.probe import PostgreSQLProbe

        return PostgreSQLProbe(endpoint, timeout=timeout)

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """See `stackproof.services.postgresql.writer`."""
        from stackproof.services.postgresql.writer import RowsWriter

        return RowsWriter(endpoint, name, timeout=timeout)

    def clear(self, endpoint: Endpoint) -> None:
        """See `Renewing.clear`; roles that move are not moved back."""
        if endpoint.options["managed"]:
            raise Trouble("a cluster whose roles move is not handed on", "another one is started")
        super().clear(endpoint)

    def renewal(self, endpoint: Endpoint, *, timeout: float) -> Renewal:
        """See `stackproof.services.postgresql.renewal`."""
        from stackproof.services.postgresql.renewal import PostgreSQLRenewal

        return PostgreSQLRenewal(endpoint, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and a server that is starting or recovering."""
        from psycopg2 import InterfaceError, OperationalError

        return (OperationalError, InterfaceError, OSError)


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Of every server of a cluster with these options."""
    return {
        **_SETTINGS,
        "max_connections": options["connections"],
        "fsync": "on" if options["fsync"] else "off",
        "max_slot_wal_keep_size": f"{options['slot_mb']}MB" if options["slot_mb"] else -1,
        # Who does not hear of the other says so soon.
        **(dict.fromkeys(_TIMEOUTS, "5s") if options["managed"] else {}),
        **dict(options["config"]),
    }


def _text(value: str) -> str:
    """As postgresql.conf writes a text."""
    return "'" + value.replace("\\", r"\\").replace("'", "''") + "'"


SERVICE = PostgreSQL
