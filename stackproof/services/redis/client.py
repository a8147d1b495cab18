"""What redis-py needs to connect, from an endpoint's addresses and access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import stackproof.services.redis.refusals  # noqa: F401 -- whoever connects may be refused
from stackproof.access import Access
from stackproof.urls import split_host_and_port


def connection(
    addresses: Mapping[str, str], access: Access, *, timeout: float = 10.0
) -> dict[str, Any]:
    """Arguments for redis-py's client.

    Args:
        addresses: with ``server``: ``host:port`` or ``host:port/database``.
        access: how to prove who one is.
        timeout: seconds until a connection or an answer counts as failed.
    """
    host, port = split_host_and_port(addresses["server"])
    _, _, database = addresses["server"].partition("/")
    arguments: dict[str, Any] = {
        "host": host,
        "port": port,
        "db": int(database or 0),
        "socket_connect_timeout": timeout,
        "socket_timeout": timeout,
        "protocol": 2,
        # The library would repeat commands three times: a loss would go unseen.
        "retry": Retry(NoBackoff(), 0),
        "username": access.username or None,
        "password": access.password or None,
    }
    if access.tls:
        files = {
            "ssl_ca_certs": access.ca_file,
            "ssl_certfile": access.certificate_file,
            "ssl_keyfile": access.key_file,
            "ssl_password": access.key_password,
        }
        arguments |= {"ssl": True, "ssl_check_hostname": access.verify_hostname}
        arguments |= {name: value for name, value in files.items() if value}
    return arguments


def connect(addresses: Mapping[str, str], access: Access, *, timeout: float = 10.0) -> Redis:
    """A client whose answers are bytes; safe to use from several threads."""
    return Redis(**connection(addresses, access, timeout=timeout))
