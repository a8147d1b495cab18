"""How clients prove who they are and whom they trust: one model for every service."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Access:
    """TLS, client certificates, SASL, user and password. Plain data; secrets are not in its repr.

    Attributes:
        tls: the connection is encrypted, and the server's certificate is checked.
        ca_file: whom to trust (PEM); empty: whom the operating system trusts.
        certificate_file: the client's own certificate (PEM), for mutual TLS.
        key_file: its private key (PEM).
        key_password: of the private key.
        verify_hostname: whether the certificate must name the host that is connected to.
        sasl_mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty: no SASL.
        username: the user, for SASL or for the service's own log-in.
        password: that user's.
    """

    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    key_password: str = field(default="", repr=False)
    verify_hostname: bool = True
    sasl_mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


#: Of servers that the suite starts itself, on loopback, with public defaults.
OPEN = Access()
