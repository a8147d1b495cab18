"""What comes of asking one server, and why an endpoint cannot be reached: step by step."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, replace

from stackproof.access import OPEN, Access, tls_context
from stackproof.errors import Trouble
from stackproof.urls import split_host_and_port

_HOST_MISMATCH, _IP_MISMATCH = 62, 64  # X509_V_ERR_HOSTNAME_MISMATCH, ..._IP_ADDRESS_MISMATCH
_NOT_YET_VALID, _EXPIRED = 9, 10


@dataclass(frozen=True)
class Answer:
    """What came of one request to one server.

    Attributes:
        connected: whether TCP connected.
        answered: whether a whole response to the request came.
        seconds: from the start of the connection to the response, or to the error.
        problem: the error; empty when there is an answer.
    """

    connected: bool
    answered: bool
    seconds: float
    problem: str = ""

    @property
    def milliseconds(self) -> float:
        """The same, for figures."""
        return round(self.seconds * 1000, 1)

    def __str__(self) -> str:
        after = f"after {self.seconds * 1000:.0f} ms"
        if self.answered:
            return f"it answers {after}"
        return f"TCP connects, but {self.problem} {after}" if self.connected else self.problem


def reach(host: str, port: int, *, timeout: float) -> socket.socket:
    """A connection, not encrypted; ``timeout`` (seconds) holds for what is done with it, too.

    Raises:
        Trouble: the name is not known, nobody listens, or nothing answers.
    """
    place = f"{host}:{port}"
    try:
        return socket.create_connection((host, port), timeout=timeout)
    except socket.gaierror as error:
        raise Trouble(f"the host {host} is not known", f"{error.strerror}",
                      "correct the address, or the name service") from error  # fmt: skip
    except ConnectionRefusedError as error:
        raise Trouble(f"nobody listens at {place}", "the connection was refused",
                      "correct the address, or start what should be there") from error  # fmt: skip
    except TimeoutError as error:
        raise Trouble(f"nothing answers at {place}", f"no connection within {timeout:g} s",
                      "correct the address, or let it through the firewall") from error  # fmt: skip
    except OSError as error:
        raise Trouble(f"{place} cannot be reached", f"{error.strerror or error}",
                      "correct the address, or the network") from error  # fmt: skip


def encrypt(plain: socket.socket, host: str, access: Access) -> ssl.SSLSocket:
    """The connection encrypted, the server's certificate checked as ``access`` says.

    Raises:
        Trouble: there is no TLS, or the certificate is not to be trusted.
    """
    place = "{}:{}".format(*plain.getpeername()[:2])
    try:
        return tls_context(access).wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise _not_trusted(place, error) from error
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):
            raise Trouble(f"{place} refuses the TLS connection", f"it says: {error.reason}",
                          "compare TLS versions and certificates") from error  # fmt: skip
        raise _no_tls(place, error.reason or str(error)) from error
    except (ConnectionError, TimeoutError) as error:
        raise _no_tls(place, f"{error}" or type(error).__name__) from error


def speaks_tls(host: str, port: int, *, timeout: float) -> bool:
    """Whether whoever listens begins a TLS connection; no certificate is checked, none shown."""
    context = tls_context(replace(OPEN, verify_hostname=False))
    context.verify_mode = ssl.CERT_NONE
    try:
        with reach(host, port, timeout=timeout) as plain, context.wrap_socket(plain):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except (OSError, Trouble):
        return False


def look_through(address: str, access: Access, *, timeout: float) -> None:
    """Reach an address and encrypt the connection as ``access`` says; then close it.

    Raises:
        Trouble: that is where it ends; see `reach` and `encrypt`.
    """
    host, port = split_host_and_port(address)
    with reach(host, port, timeout=timeout) as plain:
        if access.tls:
            encrypt(plain, host, access).close()


def unencrypted(address: str, access: Access, scheme: str, *, timeout: float) -> Trouble | None:
    """Whether a connection fails because it is not encrypted; ``scheme``: of URLs that say so."""
    host, port = split_host_and_port(address)
    if access.tls or not speaks_tls(host, port, timeout=timeout):
        return None
    return Trouble(f"{address} speaks TLS", "the suite connected without",
                   f"set tls = true, or write {scheme}:// into the URL")  # fmt: skip


def _not_trusted(place: str, error: ssl.SSLCertVerificationError) -> Trouble:
    if error.verify_code in (_HOST_MISMATCH, _IP_MISMATCH):
        return Trouble(
            f"the certificate of {place} is for another host", error.verify_message,
            "connect by the name in the certificate; verify_hostname = false gives up the check",
        )  # fmt: skip
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return Trouble(f"the certificate of {place} is not valid now", error.verify_message,
                       "renew it; or set this machine's clock right")  # fmt: skip
    return Trouble(
        f"the certificate of {place} is not trusted", error.verify_message,
        "name the authority that issued it: ca_file = ... (PEM)",
    )  # fmt: skip


def _no_tls(place: str, why: str) -> Trouble:
    return Trouble(f"{place} does not speak TLS", f"the handshake failed: {why}",
                   "use the address of the encrypted listener, or set tls = false")  # fmt: skip
