"""Connections to Redis."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import stackproof.services.redis.refusals  # noqa: F401 -- whoever connects may be refused
from stackproof.services.base import Endpoint
from stackproof.services.redis.known import SERVER
from stackproof.urls import path_of, split_host_and_port


def url(endpoint: Endpoint, node: str = SERVER) -> str:
    """Where a server is, for any client, with user and password."""
    access = endpoint.access
    login = f"{quote(access.username, safe='')}:{quote(access.password, safe='')}@"
    scheme = "rediss" if access.tls else "redis"
    return f"{scheme}://{login if login != ':@' else ''}{endpoint.addresses[node]}"


def connect(endpoint: Endpoint, node: str = SERVER, *, timeout: float = 10.0) -> Redis:
    """A client whose answers are bytes; safe to use from several threads.

    Args:
        endpoint: where the server is: ``host:port`` or ``host:port/database``.
        node: which of its servers.
        timeout: seconds until a connection or an answer counts as failed.
    """
    address, access = endpoint.addresses[node], endpoint.access
    host, port = split_host_and_port(address)
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
    return Redis(
        host=host,
        port=port,
        db=int(path_of(address) or 0),
        username=access.username or None,
        password=access.password or None,
        socket_connect_timeout=timeout,
        socket_timeout=timeout,
        protocol=2,
        # The library would repeat commands three times: a loss would go unseen.
        retry=Retry(NoBackoff(), 0),
        **tls,
    )
