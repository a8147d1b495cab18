"""Dropping packets between processes of this machine, by iptables.

Each run has a chain of its own, which goes with the run however that ends. A process is
recognised by the group that it runs as: one that nobody else has. Packets of loopback pass
OUTPUT with their sender's socket; what a socket's owner is, `-m owner` tells.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import psutil

from stackproof.errors import Trouble
from stackproof.paths import find_program
from stackproof.processes import reaper
from stackproof.processes.run import Run

_DEADLINE = 20.0
#: Group IDs that no system gives to anybody: 31 bits, the upper half.
_LOWEST_GROUP, _GROUPS = 2**30, 2**30 - 2**16
#: At most so many ports in one rule (`-m multiport`).
_PORTS = 15
_LISTENS = psutil.CONN_LISTEN


@cache
def unusable() -> str | None:
    """Why this machine's processes cannot be cut from each other; None: they can."""
    if sys.platform != "linux":
        return f"cutting processes apart needs Linux; this is {sys.platform}"
    if os.geteuid() != 0:
        return "cutting processes apart needs root's rights (iptables)"
    if _tool() is None:
        return "iptables was not found (Debian: apt-get install iptables)"
    done = _iptables("-S", "OUTPUT")
    return f"iptables cannot be used: {done.stderr.strip()}" if done.returncode else None


def new_group() -> int:
    """A group ID to recognise one process by."""
    return _LOWEST_GROUP + secrets.randbelow(_GROUPS)


def listening(process_id: int) -> list[int]:
    """The TCP ports on which a process listens, or what it has started."""
    found: set[int] = set()
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(process_id)
        for member in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.Error):  # it has just ended
                listening = (c for c in member.net_connections("tcp") if c.status == _LISTENS)
                found |= {connection.laddr.port for connection in listening}
    return sorted(found)


def drops(group: int, ports: Sequence[int]) -> list[list[str]]:
    """Rules that drop what processes of a group send to ports of this machine."""
    return [
        ["-p", "tcp", "-m", "owner", "--gid-owner", str(group), "-m", "multiport",
         "--dports", ",".join(map(str, ports[at : at + _PORTS])), "-j", "DROP"]
        for at in range(0, len(ports), _PORTS)
    ]  # fmt: skip


def put(run: Run, rules: Iterable[Sequence[str]]) -> None:
    """Add rules to the run's chain.

    Raises:
        Trouble: iptables refuses.
    """
    chain = _chain(run)
    if _iptables("-S", chain).returncode:
        reaper.also(run, __name__)  # before the first rule exists
        _must("-N", chain)
        _must("-I", "OUTPUT", "-o", "lo", "-j", chain)
    for rule in rules:
        _must("-A", chain, *rule)


def take(run: Run, rules: Iterable[Sequence[str]]) -> None:
    """Remove rules from the run's chain.

    Raises:
        Trouble: iptables refuses.
    """
    for rule in rules:
        _must("-D", _chain(run), *rule)


def rules(run: Run) -> list[str]:
    """The rules in the run's chain, as iptables lists them."""
    return _iptables("-S", _chain(run)).stdout.splitlines()


def reap(run: Run) -> list[str]:
    """Remove the run's chain; called by `stackproof.processes.reaper`."""
    chain = _chain(run)
    if _tool() is None or _iptables("-S", chain).returncode:
        return []
    while _iptables("-D", "OUTPUT", "-o", "lo", "-j", chain).returncode == 0:
        pass
    _iptables("-F", chain)
    _iptables("-X", chain)
    return [f"chain {chain} of iptables"]


def _chain(run: Run) -> str:
    return f"stackproof-{run.id}"


def _tool() -> str | None:
    found = find_program("iptables", "/usr/sbin", "/sbin")
    return str(found) if found else None


def _iptables(*words: str, inside: int | None = None) -> subprocess.CompletedProcess[str]:
    tool = _tool()
    assert tool is not None
    enter = ["nsenter", "--target", str(inside), "--net"] if inside else []
    return subprocess.run(
        [*enter, tool, "-w", "10", *words],
        capture_output=True, text=True, errors="replace", timeout=_DEADLINE, check=False,
    )  # fmt: skip


def _must(*words: str, inside: int | None = None) -> None:
    done = _iptables(*words, inside=inside)
    if done.returncode:
        raise Trouble(
            "packets could not be dropped, or let through again",
            f"iptables {' '.join(words)}: {done.stderr.strip()}",
            "`iptables -S` shows what is there",
        )


# -- containers --------------------------------------------------------------
#: Servers listen below the ports from which connections go out.
_SERVERS = "0:32767"


def unusable_inside() -> str | None:
    """Why the network of this machine's containers cannot be entered; None: it can."""
    if (why := unusable()) is not None:
        return why
    if find_program("nsenter") is None:
        return "nsenter was not found (Debian: apt-get install util-linux)"
    return None


def inside(process_id: int, peers: Iterable[str], *, one_way: bool) -> None:
    """Drop what a container sends to servers at ``peers``, and unless ``one_way`` the reverse.

    The rules go with the container's network: when it is stopped, or by `clear_inside`.

    Args:
        process_id: of the container's first process, as this machine sees it.
        peers: addresses.
        one_way: connections that the others make to it stay possible.

    Raises:
        Trouble: iptables refuses.
    """
    if not Path(f"/proc/{process_id}/ns/net").exists():
        raise Trouble("the container has no network to be cut", "it is not running", "")
    for peer in peers:
        _must("-A", "OUTPUT", "-p", "tcp", "-d", peer, "--dport", _SERVERS, "-j", "DROP",
              inside=process_id)  # fmt: skip
        if not one_way:
            _must("-A", "INPUT", "-p", "tcp", "-s", peer, "--dport", _SERVERS, "-j", "DROP",
                  inside=process_id)  # fmt: skip


def lead_inside(process_id: int, peers: Iterable[str], port: int, through: int) -> None:
    """Lead what ``peers`` send to a container's port through another port of the container.

    Connections that are there are reset as soon as a peer says something by them.

    Args:
        process_id: see `inside`.
        peers: addresses.
        port: of the server.
        through: of a proxy in the container's network.

    Raises:
        Trouble: iptables refuses.
    """
    for peer in peers:
        sent = ("-p", "tcp", "-s", peer, "--dport", str(port))
        _must("-t", "nat", "-A", "PREROUTING", *sent, "-j", "REDIRECT", "--to-ports", str(through),
              inside=process_id)  # fmt: skip
        # What a peer itself resets has to arrive, or the server would keep its half.
        _must("-A", "INPUT", *sent, "!", "--tcp-flags", "RST", "RST", "-j", "REJECT",
              "--reject-with", "tcp-reset", inside=process_id)  # fmt: skip


def rules_inside(process_id: int) -> list[str]:
    """The rules in a container's network, as iptables lists them.

    Raises:
        Trouble: iptables refuses.
    """
    done = _iptables("-S", inside=process_id)
    if done.returncode:
        raise Trouble("a container's packet filter cannot be read", done.stderr.strip(), "")
    return [line for line in done.stdout.splitlines() if line.startswith("-A")]


def clear_inside(process_id: int) -> None:
    """Remove all rules from a container's network: the suite's are the only ones there.

    Raises:
        Trouble: iptables refuses.
    """
    for chain in ("OUTPUT", "INPUT"):
        _must("-F", chain, inside=process_id)
