"""What a process has that it may leave behind: threads and connections."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

#: What threads are called that the hosting process calls methods from; see `hosting`.
_CALLING = "calls"


def threads(pid: int) -> int:
    """How many threads a process and its children have, but those that its methods are called from.

    Raises:
        FileNotFoundError: the machine has no /proc.
    """
    return sum(_threads(process) for process in _family(pid))


def _threads(pid: int) -> int:
    names = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            names.append((task / "comm").read_text(encoding="utf-8", errors="replace").strip())
    return sum(name != _CALLING for name in names)


def connections(pid: int) -> Sequence[str]:
    """Where a process and its children are connected to, as host:port."""
    found = []
    for process in _family(pid):
        with suppress(psutil.NoSuchProcess):
            found += [
                f"{one.raddr.ip}:{one.raddr.port}"
                for one in psutil.Process(process).net_connections("tcp")
                if one.raddr and one.status == psutil.CONN_ESTABLISHED
            ]
    return found


def _family(pid: int) -> list[int]:
    with suppress(psutil.NoSuchProcess):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return []
