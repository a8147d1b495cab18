"""What tells a PostgreSQL server from a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from psycopg2 import sql

from stackproof.services.base import Endpoint
from stackproof.services.postgresql.client import asking
from stackproof.services.postgresql.known import DATABASE, PRIMARY, slot_of
from stackproof.urls import host_and_port, split_host_and_port

#: With its values.
Query = tuple[str, list[list[str]]]
#: From this number on, objects are made by users.
_FIRST = 16384
_TEMPLATE = "template1"
_KEPT_DATABASES = ["template0", _TEMPLATE]
#: What `PostgreSQL.form` has set, and what makes a server follow another one.
_FORMED = ["synchronous_standby_names"]
_FOLLOWS = ["primary_conninfo", "primary_slot_name"]

#: Names by kind: of a server, and of one of its databases.
_OF_SERVER: dict[str, str] = {
    "client": """SELECT coalesce(nullif(application_name, ''), 'process ' || pid)
        FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()""",
    "database": f"""SELECT datname FROM pg_database WHERE oid >= {_FIRST}
        AND datname <> '{DATABASE}'""",
    "role": f"SELECT rolname FROM pg_roles WHERE oid >= {_FIRST}",
    "tablespace": f"SELECT spcname FROM pg_tablespace WHERE oid >= {_FIRST}",
    "setting of a role or a database": "SELECT unnest(setconfig) FROM pg_db_role_setting",
    "setting that a restart would change": "SELECT name FROM pg_settings WHERE pending_restart",
    "prepared transaction": "SELECT gid FROM pg_prepared_xacts",
}
_OF_DATABASE: dict[str, str] = {
    "schema": f"""SELECT nspname FROM pg_namespace WHERE oid >= {_FIRST}
        AND nspname !~ '^pg_(toast_)?temp_'""",
    "relation": f"""SELECT relname FROM pg_class WHERE oid >= {_FIRST}
        AND relpersistence <> 't' AND relkind <> 't'""",
    "function": f"SELECT proname FROM pg_proc WHERE oid >= {_FIRST}",
    "type": f"SELECT typname FROM pg_type WHERE oid >= {_FIRST} AND typrelid = 0 AND typelem = 0",
    "extension": f"SELECT extname FROM pg_extension WHERE oid >= {_FIRST}",
    "large object": f"SELECT oid::text FROM pg_largeobject_metadata WHERE oid >= {_FIRST}",
    "publication": "SELECT pubname FROM pg_publication",
}
_SLOTS = "SELECT slot_name FROM pg_replication_slots WHERE slot_name <> ALL(%s)"
_SETTINGS = """SELECT name FROM pg_file_settings
    WHERE sourcefile LIKE '%%/postgresql.auto.conf' AND name <> ALL(%s)"""
#: How replicas stand that do not follow: by the primary, and by themselves.
_BEHIND = """SELECT name FROM unnest(%s::text[]) AS name WHERE NOT EXISTS (
    SELECT FROM pg_stat_replication WHERE application_name = name AND state = 'streaming'
        AND replay_lsn >= pg_current_wal_lsn())"""
_PROMOTED = "SELECT 'primary' WHERE NOT pg_is_in_recovery()"


class PostgreSQLRenewal:
    """See `stackproof.services.renewal.Renewal`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout
        self._slots = [slot_of(node) for node in endpoint.addresses if node != PRIMARY]

    def clear(self) -> None:
        """Drop all databases, roles and slots; make the usual database anew."""
        with asking(self._of(_TEMPLATE), timeout=self._timeout) as cursor:
            for kind, query, values in (
                ("DATABASE {} WITH (FORCE)",
                 "SELECT datname FROM pg_database WHERE datname <> ALL(%s)", _KEPT_DATABASES),
                ("ROLE {}", _OF_SERVER["role"], []),
            ):  # fmt: skip
                cursor.execute(query, [values] if values else None)
                for (name,) in cursor.fetchall():
                    cursor.execute(sql.SQL(f"DROP {kind}").format(sql.Identifier(name)))
            cursor.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
            cursor.execute(f"SELECT pg_drop_replication_slot(slot_name) FROM ({_SLOTS}) AS other",
                           [self._slots])  # fmt: skip
            cursor.execute("ALTER SYSTEM RESET ALL")
            cursor.execute("SELECT pg_reload_conf()")

    def made(self, node: str = PRIMARY) -> Mapping[str, Sequence[str]]:
        """Clients, objects, changed settings; and who does not follow."""
        queries = _without_values(_OF_SERVER | _OF_DATABASE)
        if node == PRIMARY:
            queries["slot"] = _SLOTS, [self._slots]
            queries["changed setting"] = _SETTINGS, [_FORMED]
            queries["replica that does not follow:"] = _BEHIND, [self._slots]
        else:
            queries["changed setting"] = _SETTINGS, [_FOLLOWS]
            queries["changed role:"] = _PROMOTED, []
        found = self._names(self._endpoint, node, queries)
        of_template = self._names(self._of(_TEMPLATE), node, _without_values(_OF_DATABASE))
        return found | {f"{kind} of {_TEMPLATE}": names for kind, names in of_template.items()}

    def _names(
        self, endpoint: Endpoint, node: str, queries: Mapping[str, Query]
    ) -> dict[str, list[str]]:
        found = {}
        with asking(endpoint, node, timeout=self._timeout) as cursor:
            for kind, (query, values) in queries.items():
                cursor.execute(query, values or None)
                found[kind] = sorted(str(name) for (name,) in cursor.fetchall())
        return found

    def _of(self, database: str) -> Endpoint:
        """The same servers, at another database."""
        places = {n: split_host_and_port(a) for n, a in self._endpoint.addresses.items()}
        addresses = {n: f"{host_and_port(*place)}/{database}" for n, place in places.items()}
        return replace(self._endpoint, addresses=addresses)


def _without_values(queries: Mapping[str, str]) -> dict[str, Query]:
    return {kind: (query, []) for kind, query in queries.items()}
