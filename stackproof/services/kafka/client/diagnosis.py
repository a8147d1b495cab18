"""Why a Kafka endpoint does not answer.

kafka-python says "unable to bootstrap" for a wrong password as for a wrong certificate. So
the way is gone step by step: the network, TLS, SASL's handshake (which lists what the broker
offers), and the log-in by librdkafka, which passes on the broker's words.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from stackproof.access import Access
from stackproof.errors import NotSupported, Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.kafka.client.connection import bootstrap, servers
from stackproof.services.kafka.client.librdkafka import silent
from stackproof.services.kafka.client.properties import librdkafka_properties
from stackproof.services.reaching import encrypt, reach, speaks_tls

_SASL_HANDSHAKE = 17
_UNSUPPORTED_MECHANISM, _ILLEGAL_STATE = 33, 34
_MOST_BYTES = 65536


def diagnose(
    addresses: Mapping[str, str], access: Access, *, timeout: float, brokers: int = 1
) -> Trouble | None:
    """What is wrong with an endpoint that does not answer; None if nothing definite is.

    Args:
        addresses: as of an endpoint: ``host:port``, or several, comma-separated.
        access: how to prove who one is.
        timeout: seconds for each step.
        brokers: how many there should be.
    """
    first: Trouble | None = None
    for host, port in servers(addresses):
        try:
            _enter(host, port, access, timeout)
        except Trouble as trouble:
            first = first or trouble
        else:
            first = None
            break  # clients need but one
    return first or _log_in(addresses, access, timeout, brokers)


def _enter(host: str, port: int, access: Access, timeout: float) -> None:
    """Network, TLS, and what SASL mechanisms are offered."""
    place = f"{host}:{port}"
    with reach(host, port, timeout=timeout) as plain:
        if not access.tls and speaks_tls(host, port, timeout=timeout):
            raise Trouble(f"{place} expects TLS", "it begins a TLS handshake, and tls is off",
                          "set tls = true, and ca_file if its authority is your own")  # fmt: skip
        with encrypt(plain, host, access) if access.tls else contextlib.nullcontext(plain) as way:
            error, offered = _handshake(way, place, access)
    listed = ", ".join(offered)
    if error == _ILLEGAL_STATE and access.sasl_mechanism:
        raise Trouble(
            f"{place} wants no SASL",
            "this listener has none, and a user is configured",
            "use the address of the listener with SASL, or leave the user out",
        )
    if offered and not access.sasl_mechanism:
        raise Trouble(
            f"{place} expects a user and a password",
            f"it offers SASL by {listed}",
            "set username, password (by variable or file) and sasl_mechanism",
        )
    if error == _UNSUPPORTED_MECHANISM and access.sasl_mechanism:
        raise Trouble(
            f"{place} does not offer {access.sasl_mechanism}",
            f"it offers {listed}",
            "set sasl_mechanism to one of these",
        )


def _handshake(way: socket.socket, place: str, access: Access) -> tuple[int, list[str]]:
    """Error code and mechanisms of the answer to a SaslHandshake request, version 1."""
    mechanism = (access.sasl_mechanism or "NONE").encode()
    request = struct.pack(">hhihh", _SASL_HANDSHAKE, 1, 1, -1, len(mechanism)) + mechanism
    try:
        way.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", _exactly(way, 4))
        if not 10 <= length <= _MOST_BYTES:
            raise ConnectionError(f"it announces {length} bytes")
        answer = _exactly(way, length)
    except ssl.SSLError as error:  # TLS 1.3 judges the client's certificate after the handshake
        given = bool(access.certificate_file)
        raise Trouble(
            f"{place} {'refuses the' if given else 'expects a'} client's certificate",
            f"it says: {error.reason}",
            "set certificate_file and key_file to what an authority of its trust has issued",
        ) from error
    except OSError as error:
        raise Trouble(
            f"{place} does not answer as a Kafka broker",
            f"it takes the connection, but: {error}",
            "correct the address, or wait until the broker is ready",
        ) from error
    error_code, count = struct.unpack(">hi", answer[4:10])
    return error_code, list(_strings(answer[10:], count))


def _exactly(way: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        part = way.recv(length - len(received))
        if not part:
            raise ConnectionError("it closes the connection")
        received += part
    return received


def _strings(data: bytes, count: int) -> Iterator[str]:
    for _ in range(count):
        (length,) = struct.unpack(">h", data[:2])
        yield data[2 : 2 + length].decode(errors="replace")
        data = data[2 + length :]


def _log_in(
    addresses: Mapping[str, str], access: Access, timeout: float, brokers: int
) -> Trouble | None:
    """Whether the user is refused, brokers send clients where nobody is, or are too few."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    errors: list[KafkaError] = []
    client = AdminClient(
        {**librdkafka_properties(addresses, access), "error_cb": errors.append}, logger=silent
    )

    def metadata() -> Any:
        client.poll(0)
        refusal = next((e for e in errors if e.code() == KafkaError._AUTHENTICATION), None)
        return refusal or client.list_topics(timeout=0.5)

    try:
        found = poll(metadata, within=timeout, awaiting="", retry_on=(KafkaException,))
    except DeadlineExceeded:
        return None
    if isinstance(found, KafkaError):
        # "sasl_ssl://host:port/bootstrap: SASL authentication error: <the broker's words> (after"
        words = found.str().split(": ", 1)[-1].partition(" (after ")[0]
        return Trouble(
            f"{bootstrap(addresses)} refuses the user {access.username!r}", words,
            "correct username, password or sasl_mechanism",
        )  # fmt: skip
    for broker in found.brokers.values():
        try:
            reach(broker.host, broker.port, timeout=timeout).close()
        except Trouble as trouble:
            return Trouble(
                f"{bootstrap(addresses)} sends clients to {broker.host}:{broker.port}, "
                "which cannot be reached", f"{trouble.what}: {trouble.why}",
                "correct the brokers' advertised.listeners, or make that name known here",
            )  # fmt: skip
    if len(found.brokers) < brokers:
        return NotSupported(
            f"the external Kafka has {len(found.brokers)} of {brokers} brokers",
            "this scenario needs so many, and none can be added to somebody's cluster",
            "run it on a larger cluster, or on a stack of the suite's own",
        )
    return None
