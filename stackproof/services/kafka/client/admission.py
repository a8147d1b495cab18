"""Getting in at one broker by a connection of one's own: TLS, then SASL."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from stackproof.access import Access, tls_context

_HANDSHAKE, _AUTHENTICATE = 1, 1


def admitted(
    connection: socket.socket,
    host: str,
    access: Access,
    exchange: Callable[[socket.socket, Any, float], bytes],
    deadline: float,
) -> socket.socket:
    """The connection on which requests are answered, by whoever ``access`` says one is.

    Args:
        connection: has just been made; what is returned stands for it.
        host: that the server's certificate must name.
        access: how to prove who one is.
        exchange: sends a request and returns the bytes of its response.
        deadline: of ``time.perf_counter``.

    Raises:
        OSError: there is no way in, or not in time.
    """
    if access.tls:
        connection.settimeout(max(0.001, deadline - time.perf_counter()))
        connection = tls_context(access).wrap_socket(connection, server_hostname=host)
    if access.sasl_mechanism:
        _log_in(connection, access, exchange, deadline)
    return connection


def _log_in(
    connection: socket.socket,
    access: Access,
    exchange: Callable[[socket.socket, Any, float], bytes],
    deadline: float,
) -> None:
    from kafka.net.sasl import get_sasl_mechanism
    from kafka.protocol.sasl import (
        SaslAuthenticateRequest,
        SaslAuthenticateResponse,
        SaslHandshakeRequest,
        SaslHandshakeResponse,
    )

    mechanism = get_sasl_mechanism(access.sasl_mechanism)(
        sasl_mechanism=access.sasl_mechanism,
        sasl_plain_username=access.username,
        sasl_plain_password=access.password,
    )
    request = SaslHandshakeRequest[_HANDSHAKE](mechanism=access.sasl_mechanism)
    answer = SaslHandshakeResponse[_HANDSHAKE].decode(
        exchange(connection, request, deadline), header=True
    )
    if answer.error_code:
        raise ConnectionError(f"it knows no {access.sasl_mechanism}: error {answer.error_code}")
    while not mechanism.is_done():
        request = SaslAuthenticateRequest[_AUTHENTICATE](auth_bytes=mechanism.auth_bytes())
        told = SaslAuthenticateResponse[_AUTHENTICATE].decode(
            exchange(connection, request, deadline), header=True
        )
        if told.error_code:
            raise ConnectionError(f"it lets nobody in: {told.error_message or told.error_code}")
        try:
            mechanism.receive(told.auth_bytes)
        except (ValueError, KeyError) as error:
            raise ConnectionError(f"what it says is no {access.sasl_mechanism}: {error}") from error
