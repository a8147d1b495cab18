"""Free loopback ports.

Taken from below the range from which the kernel serves outgoing connections, so
that a client's connection cannot take a port between its choice and its use.
"""

from __future__ import annotations

import random
import socket

from stackproof.errors import Trouble

LOOPBACK = "127.0.0.1"
_RANGE = range(20_000, 32_000)
_taken: set[int] = set()


def is_free(port: int) -> bool:
    """Whether ``port`` can be bound on loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback port that is free now and that this process has not handed out before.

    Raises:
        Trouble: a few thousand attempts found none.
    """
    for port in random.sample(_RANGE, 4_000):
        if port not in _taken and is_free(port):
            _taken.add(port)
            return port
    raise Trouble(
        "no free port was found on 127.0.0.1",
        f"4,000 ports between {_RANGE.start} and {_RANGE.stop} are in use",
        "end programs that hold many ports (ss -ltn lists them)",
    )
