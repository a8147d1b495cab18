"""How one sees that a system is ready: a line, an address, a port, its consumer group."""

from __future__ import annotations

import contextlib
import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stackproof.errors import Trouble
from stackproof.ports import LOOPBACK
from stackproof.settings import SystemSettings
from stackproof.texts import counted

ASKED_FOR = 2.0  # seconds for one answer


@dataclass(frozen=True)
class Sign:
    """A sign that a system is ready.

    Attributes:
        awaiting: completes the sentence "waited for ...".
        look: whether it is there now.
        told: what was last seen, for people.
    """

    awaiting: str
    look: Callable[[], bool]
    told: Callable[[], str]


#: IDs of the members of a consumer group that take part in it now.
Members = Callable[[], frozenset[str]]


def sign_of(
    settings: SystemSettings,
    filled: Callable[[str], str],
    *,
    members: Members,
    log: Path | None,
) -> Sign:
    """The sign that the settings name; made before the system is launched.

    Args:
        settings: with one of ready_line, ready_http, ready_port, ready_group.
        filled: puts values into ``{}`` fields.
        members: of the system's consumer group.
        log: the system's output; None when it was not launched here.

    Raises:
        Trouble: the sign is there before the system is launched.
    """
    launched = log is not None
    if settings.ready_http:
        return _unless_there(_http(filled(settings.ready_http)), settings, launched)
    if settings.ready_port:
        return _unless_there(_port(filled(settings.ready_port), settings), settings, launched)
    if settings.ready_group:
        return _group(settings, members, before=members() if launched else frozenset())
    if log is None:
        return Sign("", lambda: True, lambda: "")
    line = settings.ready_line
    return Sign(
        f"{settings.name} to say {line!r}",
        lambda: line in _text(log),
        lambda: "its output does not contain it",
    )


def _text(log: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return log.read_text(encoding="utf-8", errors="replace")
    return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: a page for logging in must not pass for the one that was asked for."""


def opener(address: str) -> urllib.request.OpenerDirector:
    """What opens that address and no other one."""
    # A proxy of the environment must not stand in for what runs here.
    local = urlsplit(address).hostname in (LOOPBACK, "localhost", "::1")
    proxies = urllib.request.ProxyHandler({} if local else None)
    return urllib.request.build_opener(_NoRedirect, proxies)


def _http(address: str) -> Sign:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Trouble(
            f"ready_http cannot be {address!r}",
            "an address with http:// or https:// and a host is expected",
            'e.g. ready_http = "http://127.0.0.1:{port}/ready"',
        )
    seen = ["nothing"]
    asking = opener(address)

    def look() -> bool:
        try:
            with asking.open(address, timeout=ASKED_FOR) as answer:
                seen[0] = f"HTTP {answer.status}"
                return 200 <= answer.status < 300
        except urllib.error.HTTPError as error:
            seen[0] = f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            seen[0] = str(getattr(error, "reason", error))
        return False

    return Sign(f"{address} to answer with 2xx", look, lambda: seen[0])


def _port(text: str, settings: SystemSettings) -> Sign:
    host, _, number = text.rpartition(":")
    if not number.isdigit() or not 0 < int(number) < 65536:
        raise Trouble(
            f"ready_port of the system {settings.name} cannot be {text!r}",
            "a port, or a host and a port, is expected",
            'e.g. ready_port = "{port}" or ready_port = "127.0.0.1:8080"',
        )
    host = host.strip("[]") or LOOPBACK
    seen = ["nothing"]

    def look() -> bool:
        try:
            socket.create_connection((host, int(number)), timeout=ASKED_FOR).close()
            return True
        except OSError as error:
            seen[0] = error.strerror or str(error)
            return False

    return Sign(f"{host}:{number} to accept connections", look, lambda: seen[0])


def _group(settings: SystemSettings, members: Members, *, before: frozenset[str]) -> Sign:
    seen = [frozenset[str]()]

    def look() -> bool:
        # One that was there before may be what is left of a crash.
        seen[0] = members() - before
        return bool(seen[0])

    return Sign(
        f"the consumer group of {settings.name} to have a new member",
        look,
        lambda: f"{counted(len(before), 'member')} from before, {counted(len(seen[0]), 'new one')}",
    )


def _unless_there(sign: Sign, settings: SystemSettings, launched: bool) -> Sign:
    if launched and sign.look():
        raise Trouble(
            f"whether the system {settings.name} is ready could not be seen",
            f"before it was launched: waiting for {sign.awaiting} was over at once; "
            "something else is there",
            "end that, or let the suite choose a free port: {port} in the command and here",
        )
    return sign
