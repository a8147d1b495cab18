"""Connections to PostgreSQL, and what its refusals mean."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import quote

import psycopg2
from psycopg2 import extensions, sql

from stackproof.errors import Passing, Trouble, answered, explains
from stackproof.services.base import Endpoint
from stackproof.services.postgresql.known import DATABASE, PRIMARY, USER, servers
from stackproof.urls import host_and_port, path_of, split_host_and_port

#: Beginnings of SQLSTATE codes, see PostgreSQL's documentation, appendix A.
_BY_STATE = {
    "28": ("does not let the suite in", "correct user and password: POSTGRESQL_USERNAME, "
           "POSTGRESQL_PASSWORD, or those in POSTGRESQL_URL"),
    "3D": ("has no such database", "create it, or name another one (POSTGRESQL_DATABASE)"),
    "53300": ("has no connection left", "raise its max_connections, or end other clients"),
    "53100": ("has no disk space left", "free some"),
    "25006": ("takes no writes", "name the primary, not a replica"),
    "57P03": ("is starting or ending", "wait for it"),
}  # fmt: skip
#: How a server begins its warning, untranslated.
_UNREPLICATED = "canceling wait for synchronous replication"
#: Of these, what may pass by itself.
_PASSING = ("53300", "57P03")


#: What libpq would take from variables of the environment (PGHOSTADDR, ...) that are meant for
#: other programs: the first would lead the connection to another server.
_SAID = {
    "hostaddr": "", "options": "", "target_session_attrs": "any", "channel_binding": "prefer",
    "gssencmode": "disable",
}  # fmt: skip


def parameters(
    endpoint: Endpoint, node: str = PRIMARY, *, timeout: float = 10.0, options: str = ""
) -> dict[str, Any]:
    """Arguments for libpq.

    Args:
        endpoint: where the cluster is.
        node: which of its servers; the primary, where its role moves: whoever accepts writes.
        timeout: seconds for the connection (libpq takes whole ones, at least 2; for each server),
            and for TCP's own acknowledgements.
        options: for the server's process, e.g. ``-c statement_timeout=1000``.
    """
    known = endpoint.addresses
    asked = [known[one] for one in ([node] if node in known else servers(known))]
    places = [split_host_and_port(address) for address in asked]
    access = endpoint.access
    mode = "disable"
    if access.tls:
        mode = "verify-full" if access.verify_hostname else "verify-ca"
    found: dict[str, Any] = {
        "host": ",".join(host for host, _ in places),
        "port": ",".join(str(port) for _, port in places),
        "dbname": path_of(asked[0]) or DATABASE,
        "user": access.username or USER,
        "password": access.password,
        "connect_timeout": max(2, math.ceil(timeout)),
        "tcp_user_timeout": int(timeout * 1000),
        "application_name": "stackproof",
        "sslmode": mode,
        "options": options,
        "target_session_attrs": "read-write" if len(places) > 1 else "",
    }
    if access.tls:
        found |= {
            "sslrootcert": access.ca_file or "system",
            "sslcert": access.certificate_file,
            "sslkey": access.key_file,
            "sslpassword": access.key_password,
        }
    return {**_SAID, **{name: value for name, value in found.items() if value != ""}}


def url(endpoint: Endpoint, node: str = PRIMARY, *, client: str = "", options: str = "") -> str:
    """The same as a URL, for programs; it may hold a password.

    Args:
        endpoint: where the cluster is.
        node: which of its servers.
        client: what the server shall call these connections; it keeps 63 characters.
        options: for the server's process; see `parameters`.
    """
    given = parameters(endpoint, node)
    login = quote(given["user"], safe="")
    if given.get("password"):
        login += f":{quote(given['password'], safe='')}"
    places = zip(given["host"].split(","), given["port"].split(","), strict=True)
    address = ",".join(host_and_port(host, int(port)) for host, port in places)
    given |= {"application_name": client} if client else {}
    given |= {"options": options} if options else {}
    further = ("sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "options",
               *(["target_session_attrs"] if "," in address else []))  # fmt: skip
    files = "&".join(
        f"{name}={quote(str(given[name]), safe='')}" for name in further if name in given
    )
    return f"postgresql://{login}@{address}/{quote(given['dbname'], safe='')}?{files}"


def connect(
    endpoint: Endpoint, node: str = PRIMARY, *, timeout: float = 10.0
) -> closing[extensions.connection]:
    """A connection, closed at the end of ``with``.

    Args:
        endpoint: where the cluster is.
        node: which of its servers.
        timeout: seconds for the connection and for each statement.

    Raises:
        psycopg2.Error: it is refused.
    """
    made = psycopg2.connect(
        **parameters(
            endpoint, node, timeout=timeout,
            options=f"-c statement_timeout={max(1, int(timeout * 1000))}",
        ),
    )  # fmt: skip
    return closing(made)


@contextmanager
def asking(
    endpoint: Endpoint, node: str = PRIMARY, *, timeout: float = 10.0
) -> Iterator[extensions.cursor]:
    """A cursor on a connection of its own; each statement is committed at once. See `connect`."""
    with connect(endpoint, node, timeout=timeout) as made, made.cursor() as cursor:
        made.autocommit = True
        yield cursor


def ask(endpoint: Endpoint, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of one query, asked on a connection of its own.

    Raises:
        psycopg2.Error: it is refused.
    """
    with asking(endpoint) as cursor:
        cursor.execute(query, values or None)
        return list(cursor.fetchall())


def create(endpoint: Endpoint, schema: str) -> None:
    """Create a schema."""
    _alter(endpoint, "CREATE SCHEMA {}", schema)


def drop(endpoint: Endpoint, schema: str) -> None:
    """Drop a schema with everything in it; no error if there is none."""
    _alter(endpoint, "DROP SCHEMA IF EXISTS {} CASCADE", schema)


def _alter(endpoint: Endpoint, statement: str, name: str) -> None:
    with asking(endpoint) as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))


def demand_replicated(connection: extensions.connection) -> None:
    """Refuse a commit that the server says is done, and may be on no replica.

    It does so, with a warning alone, when a time limit ends a commit's wait for a replica.

    Raises:
        psycopg2.OperationalError: the last statement was such a one.
    """
    told, connection.notices[:] = list(connection.notices), []
    if warning := next((text for text in told if _UNREPLICATED in text), ""):
        raise psycopg2.OperationalError(" ".join(warning.split()))


def starting(error: BaseException) -> bool:
    """Whether it is the answer of a server that starts, ends or recovers."""
    return bool(re.search(r"is (starting up|shutting down|in recovery)|not yet accepting",
                          str(error)))  # fmt: skip


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of psycopg2 means, in words for people; None: it is none of psycopg2's."""
    if not isinstance(error, psycopg2.Error):
        return None
    text = " ".join(str(error).split()) or type(error).__name__
    state = error.pgcode or ""
    if "no encryption" in text or "SSL off" in text:
        return Trouble("PostgreSQL does not let the suite in unencrypted", text,
                       "set tls = true, or have its pg_hba.conf let this user in")  # fmt: skip
    if "does not support SSL" in text:
        return Trouble("PostgreSQL does not speak TLS", text, "set tls = false")
    if "certificate" in text:
        return Trouble("the certificate of PostgreSQL is not trusted", text,
                       "name the authority that issued it: ca_file = ... (PEM)")  # fmt: skip
    if starting(error):
        state = state or "57P03"
    if "too many clients" in text or "connection slots are reserved" in text:
        state = state or "53300"
    if (
        "authentication failed" in text
        or "no pg_hba.conf entry" in text
        or "no password supplied" in text
    ):
        state = state or "28000"
    if "does not exist" in text and not state:
        state = "28000" if "role" in text else "3D000"
    for beginning, (what, remedy) in _BY_STATE.items():
        if state.startswith(beginning):
            kind = Passing if beginning in _PASSING else Trouble
            return kind(f"PostgreSQL {what}", text, remedy)
    if state == "42501":
        return answered("PostgreSQL", "forbidden", text)
    if state.startswith("0A"):
        return answered("PostgreSQL", "lacking", text)
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return answered("PostgreSQL", "lost", text)
    return answered("PostgreSQL", "refused", text)
