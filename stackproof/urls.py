"""URLs that say where a service is and as whom to log in: redis://, amqps:// and the like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class ServiceUrl:
    """What such a URL says; empty or None where it says nothing.

    Attributes:
        scheme: in lower case.
        host: without the brackets of an IPv6 address.
        port: from 1 to 65535.
        path: what follows the slash, decoded.
        username: decoded.
        password: decoded; not in the repr.
    """

    scheme: str
    host: str
    port: int | None = None
    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


def parse_service_url(text: str, schemes: Sequence[str]) -> ServiceUrl:
    """Read a URL.

    Raises:
        ValueError: why it cannot be read; the text is not in it, as it may hold a password.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError("its host or its port cannot be read") from None
    if parts.scheme not in schemes:
        expected = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(f"it does not begin with {expected}")
    if not parts.hostname:
        raise ValueError("it names no host")
    if port == 0:
        raise ValueError("there is no port 0")
    if parts.query or parts.fragment:
        raise ValueError("what follows ? or # in it is not understood; there are settings for it")
    return ServiceUrl(
        parts.scheme,
        parts.hostname,
        port,
        unquote(parts.path.removeprefix("/")),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def host_and_port(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def split_host_and_port(address: str) -> tuple[str, int]:
    """The reverse of `host_and_port`; a path after the port is left out."""
    host, _, port = address.partition("/")[0].rpartition(":")
    return host.strip("[]"), int(port)


def path_of(address: str) -> str:
    """What follows the first slash of an address, decoded; empty: nothing does."""
    return unquote(address.partition("/")[2])
