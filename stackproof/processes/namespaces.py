"""A program in a network of its own, some ports of which are led there from loopback.

``python namespaces.py 127.0.0.1:20001=19530 -- PROGRAM ARGUMENTS``: for servers that open fixed
ports on all addresses. Nothing outside reaches another port of the program, and it reaches nothing
outside. Linux alone; as another user than root it takes user namespaces.

It listens before it leaves the machine's network (sockets stay where they were made) and connects
from the new one. Signals that end or stop a process are for its whole group.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h
_AT_ONCE = 1 << 18
#: What runs this module, whatever is installed.
COMMAND = (sys.executable, __file__)


@cache
def refused() -> str:
    """Why a program can have no network of its own here; empty: it can."""
    try:
        done = subprocess.run(
            [*COMMAND, "--", sys.executable, "-c", ""], capture_output=True, text=True,
            errors="replace", timeout=60,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""  # a busy machine: nothing was refused
    except OSError as error:
        return str(error)
    told = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else "".join(told[-1:]) or "it failed"


def leave_network() -> None:
    """Enter a network namespace of this process's own, whose loopback interface is up.

    Raises:
        OSError: the system does not permit it.
    """
    import fcntl  # not everywhere

    libc = ctypes.CDLL(None, use_errno=True)
    flags = _NEW_NETWORK | (_NEW_USER if os.geteuid() else 0)
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sh", b"lo", 0).ljust(40, b"\0")
        (present,) = struct.unpack_from("h", fcntl.ioctl(control, _GET_FLAGS, asked), 16)
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh", b"lo", present | _UP).ljust(40, b"\0"))


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connect, args=(client, port), daemon=True).start()


def _connect(client: socket.socket, port: int) -> None:
    with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as to:
        for side in (client, to):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_copy, args=(to, client), daemon=True)
        back.start()
        _copy(client, to)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_AT_ONCE):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def main(arguments: Sequence[str]) -> int:
    """Run the program; its exit code, 128 and the signal's number where one has ended it."""
    split = arguments.index("--")
    listeners = []
    for forward in arguments[:split]:
        address, _, inner = forward.partition("=")
        host, _, own = address.rpartition(":")
        listeners.append((socket.create_server((host, int(own)), backlog=128), int(inner)))
    leave_network()
    with subprocess.Popen(arguments[split + 1 :]) as program:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda received, _: program.send_signal(received))
        for listener, port in listeners:
            threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
        code = program.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
