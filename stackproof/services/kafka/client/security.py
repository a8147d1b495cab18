"""What people say about a broker's security, and whether it makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stackproof import values
from stackproof.access import Access
from stackproof.errors import Trouble

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
#: Kafka has them; tokens and tickets are more than a user and a password.
_OTHER_MECHANISMS = ("OAUTHBEARER", "GSSAPI", "AWS_MSK_IAM")


def secured(access: Access, texts: Mapping[str, str]) -> Access:
    """The access completed by ``security_protocol`` and ``sasl_mechanism``.

    Raises:
        Trouble: a value is not known, or two of them contradict each other.
    """
    asked = texts.get("security_protocol", "")
    protocol = _one_of("security_protocol", asked, PROTOCOLS) if asked else ""
    mechanism = texts.get("sasl_mechanism", "").strip()
    if mechanism.upper() in _OTHER_MECHANISMS:
        raise Trouble(
            f"services.kafka.sasl_mechanism cannot be {mechanism!r}",
            "the suite logs in by user and password alone",
            f"have a user for it with one of {', '.join(MECHANISMS)}",
        )
    if mechanism:
        mechanism = _one_of("sasl_mechanism", mechanism, MECHANISMS)
    if protocol:
        access = _as_protocol(access, protocol, mechanism, tls=texts.get("tls", ""))
    sasl = bool(mechanism or access.username or access.password or protocol.startswith("SASL"))
    if not sasl:
        return access
    for key, value in (("username", access.username), ("password", access.password)):
        if not value:
            raise Trouble(
                f"services.kafka.{key} is missing",
                f"SASL by {mechanism or MECHANISMS[0]} needs a user and a password",
                f"set KAFKA_{key.upper()}"
                + (" or password_file" if key == "password" else f", or {key} in [services.kafka]"),
            )
    return replace(access, sasl_mechanism=mechanism or MECHANISMS[0])


def _as_protocol(access: Access, protocol: str, mechanism: str, *, tls: str) -> Access:
    encrypted = protocol.endswith("SSL")
    if tls and access.tls != encrypted:
        raise _contradiction(protocol, f"tls = {tls}")
    if not protocol.startswith("SASL"):
        for key, value in (("sasl_mechanism", mechanism), ("username", access.username),
                           ("password", access.password)):  # fmt: skip
            if value:
                raise _contradiction(protocol, key)
    return replace(access, tls=encrypted)


def _one_of(key: str, text: str, choices: tuple[str, ...]) -> str:
    try:
        return values.one_of(*choices)(text)
    except ValueError as error:
        raise Trouble(
            f"services.kafka.{key} cannot be {text!r}", str(error), "correct it"
        ) from None


def _contradiction(protocol: str, other: str) -> Trouble:
    return Trouble(
        f"services.kafka.security_protocol = {protocol} contradicts {other}",
        "SASL_... means with a user, ...SSL means encrypted",
        "correct one of the two, or leave security_protocol out",
    )
