"""How clients prove who they are and whom they trust: one model for every service."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

from stackproof.masking import register_secret


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

    @property
    def secrets(self) -> Iterator[str]:
        """What must never be shown."""
        yield from filter(None, (self.password, self.key_password))

    def hide_secrets(self) -> None:
        """Mask the secrets in everything that this process reports from now on."""
        for secret in self.secrets:
            register_secret(secret)
            register_secret(secret.strip())


#: Of servers that the suite starts itself, on loopback, with public defaults.
OPEN = Access()


def tls_context(access: Access) -> ssl.SSLContext:
    """What Python's own TLS needs; clients that read files themselves do not need it.

    Raises:
        OSError: a file cannot be read, or is not what it should be (then `ssl.SSLError`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = access.verify_hostname
    if access.ca_file:
        context.load_verify_locations(access.ca_file)
    else:
        context.load_default_certs()
    if access.certificate_file:
        # Without a password OpenSSL would ask the terminal for it.
        context.load_cert_chain(
            access.certificate_file, access.key_file or None, lambda: access.key_password
        )
    return context
