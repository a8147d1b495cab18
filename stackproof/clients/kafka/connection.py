"""What kafka-python needs to connect, from an endpoint's addresses and access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackproof.access import Access


def connection(addresses: Mapping[str, str], access: Access) -> dict[str, Any]:
    """Arguments for any of kafka-python's clients.

    Args:
        addresses: with ``bootstrap``: ``host:port``, comma-separated.
        access: how to prove who one is.
    """
    arguments: dict[str, Any] = {"bootstrap_servers": addresses["bootstrap"].split(",")}
    protocol = ("SASL_" if access.sasl_mechanism else "") + ("SSL" if access.tls else "PLAINTEXT")
    if protocol != "PLAINTEXT":
        arguments["security_protocol"] = protocol
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
