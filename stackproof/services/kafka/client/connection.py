"""What kafka-python needs to connect, from an endpoint's addresses and access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackproof.access import Access
from stackproof.urls import split_host_and_port

# As the Java client. kafka-python's own 30 s is how long a partition whose leader has moved
# may wait: its metadata are asked for anew when a connection to the old leader fails.
_RECONNECTS_WITHIN_MS = 1000


def bootstrap(addresses: Mapping[str, str]) -> str:
    """All servers of an endpoint, comma-separated, as clients want to be told them."""
    return ",".join(dict.fromkeys(a for text in addresses.values() for a in text.split(",")))


def servers(addresses: Mapping[str, str]) -> list[tuple[str, int]]:
    """Host and port of each of them."""
    return [split_host_and_port(address) for address in bootstrap(addresses).split(",")]


def security_protocol(access: Access) -> str:
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL: Kafka's own name for it."""
    return ("SASL_" if access.sasl_mechanism else "") + ("SSL" if access.tls else "PLAINTEXT")


def _ask_plainly_for_versions() -> None:
    """Have kafka-python ask for a broker's versions in version 0, which every broker knows.

    It begins with its own latest one. Kafka answers that by an error in the layout of version 0,
    with all it knows; others by the error and no more, which kafka-python 3.0 cannot read: it
    closes the connection and begins anew, for ever.
    """
    from kafka.net import connection as net
    from kafka.net import manager

    class Connection(net.KafkaConnection):
        def __init__(self, *arguments: Any, **configuration: Any):
            super().__init__(*arguments, **configuration)
            self._api_versions_idx = 0

    if manager.KafkaConnection is net.KafkaConnection:
        manager.KafkaConnection = Connection


def connection(addresses: Mapping[str, str], access: Access) -> dict[str, Any]:
    """Arguments for any of kafka-python's clients.

    Args:
        addresses: as of an endpoint: ``host:port``, or several, comma-separated.
        access: how to prove who one is.
    """
    _ask_plainly_for_versions()
    arguments: dict[str, Any] = {
        "bootstrap_servers": bootstrap(addresses).split(","),
        "reconnect_backoff_max_ms": _RECONNECTS_WITHIN_MS,
    }
    if access.tls or access.sasl_mechanism:
        arguments["security_protocol"] = security_protocol(access)
    if access.tls:
        arguments["ssl_check_hostname"] = access.verify_hostname
        files = {
            "ssl_cafile": access.ca_file,
            "ssl_certfile": access.certificate_file,
            "ssl_keyfile": access.key_file,
            "ssl_password": access.key_password,
        }
        arguments |= {name: value for name, value in files.items() if value}
    if access.sasl_mechanism:
        arguments |= {
            "sasl_mechanism": access.sasl_mechanism,
            "sasl_plain_username": access.username,
            "sasl_plain_password": access.password,
        }
    return arguments
