"""Connections to RabbitMQ, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import quote

import pika
from pika import exceptions
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.credentials import ExternalCredentials, PlainCredentials

from stackproof.access import Access, tls_context
from stackproof.errors import Trouble, answered, explains
from stackproof.services.base import Endpoint
from stackproof.services.rabbitmq.known import FIRST, USER, VIRTUAL_HOST
from stackproof.services.web import Web
from stackproof.urls import path_of, split_host_and_port

#: Seconds; what is between here and the broker forgets connections on which nothing moves.
_KEEP_ALIVE = 20
#: AMQP cannot list queues, so that nobody could find what a run left behind when it crashed: the
#: broker itself removes a queue that nobody has used for an hour.
_REMOVED_AFTER_MS = 3_600_000
_NOTHING: Mapping[str, Any] = {}


def parameters(
    endpoint: Endpoint, node: str = FIRST, *, timeout: float = 10.0, heartbeat: int = 0
) -> pika.ConnectionParameters:
    """What to connect with.

    Args:
        endpoint: where the cluster is: ``host:port`` or ``host:port/virtual-host``; a certificate
            without a user logs in by itself.
        node: which of its servers.
        timeout: seconds until a connection counts as failed.
        heartbeat: seconds in which both ends must hear of each other; 0: they need not.
    """
    address, access = endpoint.addresses[node], endpoint.access
    host, port = split_host_and_port(address)
    tls = tls_context(access) if access.tls else None
    credentials: PlainCredentials | ExternalCredentials
    if access.certificate_file and not access.username:
        credentials = ExternalCredentials()
    else:
        credentials = PlainCredentials(
            access.username or USER, access.password if access.username else USER
        )
    return pika.ConnectionParameters(
        host=host,
        port=port,
        virtual_host=path_of(address) or VIRTUAL_HOST,
        credentials=credentials,
        ssl_options=pika.SSLOptions(tls, host) if tls else None,
        socket_timeout=timeout,
        stack_timeout=timeout,
        blocked_connection_timeout=timeout,
        # Whoever waits repeats, and says so.
        connection_attempts=1,
        # pika answers heartbeats only while it is called: a scenario that pauses would lose its
        # connections. TCP notices a broker that is gone.
        heartbeat=heartbeat,
        tcp_options={"TCP_KEEPIDLE": _KEEP_ALIVE, "TCP_KEEPINTVL": _KEEP_ALIVE},
    )


def connect(
    endpoint: Endpoint, node: str = FIRST, *, timeout: float = 10.0, heartbeat: int = 0
) -> pika.BlockingConnection:
    """A connection; see `parameters`.

    Raises:
        AMQPError: the server refuses, or has not finished its greeting in time. (For the latter
            pika has an exception that is none of its documented ones.)
        OSError: nobody listens.
    """
    try:
        given = parameters(endpoint, node, timeout=timeout, heartbeat=heartbeat)
        return pika.BlockingConnection(given)
    except AMQPConnectorException as error:
        raise exceptions.AMQPConnectionError(str(error)) from error


@contextmanager
def channel(
    endpoint: Endpoint, node: str = FIRST, *, timeout: float = 10.0
) -> Iterator[BlockingChannel]:
    """A channel on a connection of its own, closed at the end; see `connect`."""
    connection = connect(endpoint, node, timeout=timeout)
    try:
        yield connection.channel()
    finally:
        close(connection)


def close(connection: pika.BlockingConnection) -> None:
    """Close a connection, unless it has been cut, or the broker was restarted."""
    try:
        if connection.is_open:
            connection.close()
    except exceptions.AMQPConnectionError:
        pass


def declare(
    endpoint: Endpoint,
    queue: str,
    dead_letters: str = "",
    *,
    arguments: Mapping[str, Any] = _NOTHING,
    auto_delete: bool = False,
) -> None:
    """Make a durable queue.

    Args:
        endpoint: where.
        queue: its real name.
        dead_letters: another one, where an exchange brings what is rejected or expires.
        arguments: what RabbitMQ calls so, by name without "x-"; a "quorum" queue is one that a
            majority of nodes has, any other is on the first node alone.
        auto_delete: whether it goes with its last consumer.
    """
    lasting = {"x-expires": _REMOVED_AFTER_MS}
    given = {**lasting, **{f"x-{name}": value for name, value in arguments.items()}}
    with channel(endpoint) as opened:
        if dead_letters:
            exchange = f"{queue}.dlx"
            # It goes with its only binding.
            opened.exchange_declare(exchange, "fanout", durable=True, auto_delete=True)
            opened.queue_declare(dead_letters, durable=True, arguments=lasting)
            opened.queue_bind(dead_letters, exchange)
            given["x-dead-letter-exchange"] = exchange
        opened.queue_declare(queue, durable=True, auto_delete=auto_delete, arguments=given)


def declare_exchange(endpoint: Endpoint, exchange: str, kind: str, alternate: str = "") -> None:
    """Make a durable exchange; what it cannot route goes to the alternate one."""
    arguments = {"alternate-exchange": alternate} if alternate else {}
    with channel(endpoint) as opened:
        opened.exchange_declare(exchange, kind, durable=True, arguments=arguments)


def bind(endpoint: Endpoint, queue: str, exchange: str, routing_key: str = "") -> None:
    """Have an exchange bring messages to a queue."""
    with channel(endpoint) as opened:
        opened.queue_bind(queue, exchange, routing_key)


def delete(endpoint: Endpoint, *queues: str, exchange: str = "") -> None:
    """Delete queues, and what was made for them with them; no error if they are gone."""
    with channel(endpoint) as opened:
        for queue in queues:
            opened.queue_delete(queue)
        if exchange:
            opened.exchange_delete(exchange)


def manage(
    endpoint: Endpoint,
    path: str,
    node: str = FIRST,
    *,
    timeout: float = 10.0,
    method: str = "GET",
    body: Any = None,
) -> Any:
    """What a node that the suite has started answers to a question by HTTP.

    Args:
        endpoint: where the cluster is.
        path: below ``/api/``.
        node: which of its servers.
        timeout: seconds.
        method: of HTTP.
        body: to be sent as JSON; None: nothing.

    Raises:
        OSError: it does not answer, or refuses.
    """
    access = Access(username=USER, password=USER)
    with closing(Web(endpoint.at(node, "management"), access, timeout=timeout)) as web:
        return web.json(method, f"/api/{path}", json=body)


def leader(endpoint: Endpoint, queue: str, *, asked: str = FIRST, timeout: float = 10.0) -> str:
    """The node that leads a queue, as a node of the suite's own sees it.

    Raises:
        OSError: it does not answer, or knows of none.
    """
    path = f"queues/{quote(VIRTUAL_HOST, safe='')}/{quote(queue, safe='')}"
    found = manage(endpoint, path, asked, timeout=timeout)
    node: str = found.get("leader") or found["node"]
    return node.partition("@")[0]


def refused(endpoint: Endpoint, queue: str) -> str:
    """Why a client of its own may not consume a queue; empty: it may."""
    with channel(endpoint) as opened:
        try:
            opened.basic_consume(queue, lambda *_: None)
        except exceptions.ChannelClosedByBroker as error:
            return str(error.reply_text)
    return ""


def exists(endpoint: Endpoint, queue: str) -> bool:
    """Whether there is such a queue."""
    with channel(endpoint) as opened:
        try:
            opened.queue_declare(queue, passive=True)
        except exceptions.ChannelClosedByBroker as error:
            if error.reply_code not in (_NOT_FOUND, _RESOURCE_LOCKED):
                raise
            return error.reply_code == _RESOURCE_LOCKED  # another connection has it to itself
    return True


def ready(endpoint: Endpoint, queue: str) -> int:
    """How many messages of a queue no consumer has been delivered."""
    with channel(endpoint) as opened:
        return opened.queue_declare(queue, passive=True).method.message_count


_ACCESS_REFUSED, _NOT_FOUND, _RESOURCE_LOCKED, _PRECONDITION_FAILED = 403, 404, 405, 406
_COMMAND_INVALID, _NOT_ALLOWED, _NOT_IMPLEMENTED = 503, 530, 540
#: Nothing is said of what the broker does with messages.
NO_VERDICT = (_ACCESS_REFUSED, _NOT_IMPLEMENTED)
#: What 406 and 503 say of what a broker does not know; they have other causes besides.
_LACKING = re.compile(
    r"invalid arg|unsupported|not (supported|implemented|allowed)|unknown exchange type", re.I
)
_DEFAULT_EXCHANGE = "amq.default"


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of pika means, in words for people; None: it is none of pika's."""
    if not isinstance(error, exceptions.AMQPError):
        return None
    closed = isinstance(error, exceptions.ChannelClosed | exceptions.ConnectionClosed)
    code = error.reply_code if closed else 0
    text = error.reply_text if closed else str(error) or repr(error)
    said = f"it says: {text}"
    if isinstance(error, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError):
        return Trouble("RabbitMQ does not let the suite in", said,
                       "correct user and password: RABBITMQ_USERNAME, RABBITMQ_PASSWORD, "
                       "or those in RABBITMQ_URL")  # fmt: skip
    if isinstance(error, exceptions.ProbableAccessDeniedError) or code == _NOT_ALLOWED:
        return Trouble("RabbitMQ has no such virtual host, or not for the suite's user", said,
                       "correct RABBITMQ_VHOST, or the end of RABBITMQ_URL; "
                       "or raise that host's limits")  # fmt: skip
    if code == _ACCESS_REFUSED:
        right = "to configure, write and read names that begin with the run's prefix"
        if _DEFAULT_EXCHANGE in text:
            right = f"to write on {_DEFAULT_EXCHANGE}, by which messages reach queues by their name"
        return answered("RabbitMQ", "forbidden", said,
                        f"give the suite's user the right {right} (docs/endpoints.md)")  # fmt: skip
    unknown = code in (_PRECONDITION_FAILED, _COMMAND_INVALID) and _LACKING.search(text)
    if code == _NOT_IMPLEMENTED or unknown:
        return answered("RabbitMQ", "lacking", said)
    if "inequivalent arg" in text:
        return answered("RabbitMQ", "refused", said,
                        "give it the arguments of whoever has made it before, such as a system "
                        "under test; they cannot be changed")  # fmt: skip
    if isinstance(error, exceptions.ConnectionBlockedTimeout):
        return Trouble("RabbitMQ holds back whoever publishes", said,
                       "end its alarm: free memory or disk, or raise its limits")  # fmt: skip
    if isinstance(error, exceptions.AMQPConnectionError | exceptions.ChannelWrongStateError):
        return answered("RabbitMQ", "lost", text)
    return answered("RabbitMQ", "refused", said)
