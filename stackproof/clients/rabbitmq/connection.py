"""What pika needs to connect, from an endpoint's addresses and access."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from urllib.parse import unquote

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.credentials import ExternalCredentials, PlainCredentials
from pika.exceptions import AMQPConnectionError, AMQPError

import stackproof.clients.rabbitmq.refusals  # noqa: F401 -- whoever connects may be refused
from stackproof.access import Access, tls_context
from stackproof.urls import split_host_and_port

#: Seconds; what is between here and the broker forgets connections on which nothing moves.
_KEEP_ALIVE = 20
#: The user that every server has at first, for clients on its own machine.
_FIRST_USER = "guest"


def parameters(
    addresses: Mapping[str, str], access: Access, *, timeout: float = 10.0
) -> pika.ConnectionParameters:
    """What to connect with.

    Args:
        addresses: with ``server``: ``host:port`` or ``host:port/virtual-host``.
        access: how to prove who one is; a certificate without a user logs in by itself.
        timeout: seconds until a connection counts as failed.
    """
    host, port = split_host_and_port(addresses["server"])
    _, _, virtual_host = addresses["server"].partition("/")
    tls = tls_context(access) if access.tls else None
    credentials: PlainCredentials | ExternalCredentials
    if access.certificate_file and not access.username:
        credentials = ExternalCredentials()
    else:
        user = access.username or _FIRST_USER
        password = access.password if access.username else _FIRST_USER
        credentials = PlainCredentials(user, password)
    return pika.ConnectionParameters(
        host=host,
        port=port,
        virtual_host=unquote(virtual_host) or "/",
        credentials=credentials,
        ssl_options=pika.SSLOptions(tls, host) if tls else None,
        socket_timeout=timeout,
        stack_timeout=timeout,
        blocked_connection_timeout=timeout,
        # Whoever waits repeats, and says so.
        connection_attempts=1,
        # pika answers heartbeats only while it is called: a scenario that pauses would lose its
        # connections. TCP notices a broker that is gone.
        heartbeat=0,
        tcp_options={"TCP_KEEPIDLE": _KEEP_ALIVE, "TCP_KEEPINTVL": _KEEP_ALIVE},
    )


def connect(wanted: pika.ConnectionParameters) -> pika.BlockingConnection:
    """A connection.

    Raises:
        AMQPError: the server refuses, or has not finished its greeting in time. (For the latter
            pika has an exception that is none of its documented ones.)
        OSError: nobody listens.
    """
    try:
        return pika.BlockingConnection(wanted)
    except AMQPConnectorException as error:
        raise AMQPConnectionError(str(error)) from error


def round_trip(addresses: Mapping[str, str], access: Access, queue: str, *, timeout: float) -> None:
    """Publish one message to an exclusive queue of this name, confirmed, and get it back.

    Raises:
        AMQPError: the server is not ready, refuses, or returns something else.
        OSError: nobody listens.
    """
    connection = connect(parameters(addresses, access, timeout=timeout))
    try:
        channel: BlockingChannel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, exclusive=True, auto_delete=True)
        body = uuid.uuid4().bytes
        channel.basic_publish("", queue, body, mandatory=True)
        _, _, got = channel.basic_get(queue, auto_ack=True)
    finally:
        if connection.is_open:
            connection.close()
    if got != body:
        raise AMQPError(f"{got!r} was got where {body!r} was published")
