"""Free loopback ports.

Taken from below the range from which the kernel serves outgoing connections, so
that a client's connection cannot take a port between its choice and its use.
"""

from __future__ import annotations

import contextlib
import random
import socket
import sys
import threading
from pathlib import Path

import psutil

from stackproof.errors import Trouble

LOOPBACK = "127.0.0.1"
_LOWEST, _HIGHEST = 20_000, 32_000
# Of the system: two runs with the same seed must not choose the same ports.
_random = random.SystemRandom()
_taken: set[int] = set()
_lock = threading.Lock()


def port_range() -> range:
    """The ports to choose from: below those of outgoing connections where that is possible."""
    highest = _HIGHEST
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8")
        highest = min(highest, int(text.split()[0]))
    except (OSError, ValueError, IndexError):
        pass  # macOS and Windows begin at 49152
    lowest = min(_LOWEST, max(1024, highest - 10_000))
    return range(lowest, highest) if highest - lowest >= 1_000 else range(_LOWEST, _HIGHEST)


def is_free(port: int) -> bool:
    """Whether ``port`` can be bound on loopback now."""
    with socket.socket() as probe:
        if sys.platform != "win32":  # there it would allow a port that is in use
            # As servers do: connections that linger after their end do not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback port that is free now and that this process has not handed out before.

    Raises:
        Trouble: there is none.
    """
    choice = port_range()
    with _lock:  # clusters are laid out side by side
        start = _random.randrange(len(choice))
        for port in (*choice[start:], *choice[:start]):
            if port not in _taken and is_free(port):
                _taken.add(port)
                return port
    raise Trouble(
        f"no free port was found on {LOOPBACK}",
        f"all {len(choice)} ports from {choice.start} to {choice.stop - 1} are in use",
        "end some programs that hold many ports (ss -ltn lists them)",
    )


def claim(port: int) -> int:
    """A loopback port that somebody chose, if it is free.

    Raises:
        Trouble: it is in use; tells by whom, where the operating system lets one see it.
    """
    if is_free(port):
        with _lock:
            _taken.add(port)
        return port
    raise Trouble(
        f"port {port} is in use",
        f"{_holder(port)} listens on it",
        "end that program, or leave the port out: a free one is chosen",
    )


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for held in psutil.net_connections("tcp"):
            if held.laddr and held.laddr.port == port and held.pid and not held.raddr:
                words = psutil.Process(held.pid).cmdline()
                return f"process {held.pid} ({' '.join(words)[:100]})"
    return "another user's program"
