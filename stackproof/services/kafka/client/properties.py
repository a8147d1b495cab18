"""A connection in the words of other clients, for systems under test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from stackproof.access import Access
from stackproof.services.kafka.client.connection import bootstrap, security_protocol

_MODULES = "org.apache.kafka.common.security"


def librdkafka_properties(addresses: Mapping[str, str], access: Access) -> dict[str, str]:
    """Properties of librdkafka and the many clients built on it.

    Names: CONFIGURATION.md of https://github.com/confluentinc/librdkafka
    """
    properties = {
        "bootstrap.servers": bootstrap(addresses),
        "security.protocol": security_protocol(access),
    }
    if access.tls:
        properties |= {
            "ssl.ca.location": access.ca_file,
            "ssl.certificate.location": access.certificate_file,
            # One file may hold both.
            "ssl.key.location": access.key_file or access.certificate_file,
            "ssl.key.password": access.key_password,
            "ssl.endpoint.identification.algorithm": "https" if access.verify_hostname else "none",
        }
    if access.sasl_mechanism:
        properties |= {
            "sasl.mechanism": access.sasl_mechanism,
            "sasl.username": access.username,
            "sasl.password": access.password,
        }
    return {name: value for name, value in properties.items() if value}


def java_properties(addresses: Mapping[str, str], access: Access) -> dict[str, str]:
    """Properties of Kafka's own clients, in Java; certificates and keys as PEM (KIP-651).

    Of encrypted keys they read few; one encrypted by PBES2, OpenSSL's default, they refuse.
    """
    properties = {
        "bootstrap.servers": bootstrap(addresses),
        "security.protocol": security_protocol(access),
    }
    if access.tls and access.ca_file:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": access.ca_file}
    if access.tls and access.certificate_file:
        key = Path(access.key_file or access.certificate_file).read_text(encoding="utf-8")
        properties |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": Path(access.certificate_file).read_text(
                encoding="utf-8"
            ),
            "ssl.keystore.key": key,
        }
        if access.key_password:
            properties["ssl.key.password"] = access.key_password
    if access.tls and not access.verify_hostname:
        properties["ssl.endpoint.identification.algorithm"] = ""
    if access.sasl_mechanism:
        scram = access.sasl_mechanism.startswith("SCRAM")
        module = "scram.ScramLoginModule" if scram else "plain.PlainLoginModule"
        properties |= {
            "sasl.mechanism": access.sasl_mechanism,
            "sasl.jaas.config": f"{_MODULES}.{module} required username={_quoted(access.username)}"
            f" password={_quoted(access.password)};",
        }
    return properties


def write_properties(file: Path, properties: Mapping[str, str], *, java: bool = False) -> None:
    """Write a file that only its owner can read; one property a line.

    Args:
        file: must not exist yet.
        properties: by name.
        java: escape as `java.util.Properties` reads; librdkafka's users read lines as they are.
    """
    lines = (f"{name}={_escaped(value) if java else value}\n" for name, value in properties.items())
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.writelines(lines)


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    if escaped.startswith((" ", "\t")):
        escaped = f"\\{escaped}"
    return "".join(c if c.isascii() else _units(c) for c in escaped)


def _units(character: str) -> str:
    """UTF-16 code units, as Java counts."""
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
