"""What can be done to one instance of a cluster: plain data, which goes from a worker to the run.

Faults ask for it, providers do it: `stackproof.stack.provider.Cluster.act`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Action:
    """Breaks or heals one instance.

    Attributes:
        words: what it does, for people; completes "it could not ... redis-1-server".
        option: that the cluster must have been started with; empty: none.
        traces: what it leaves that no look at the servers may find; completes "it is thrown
            away without a look: ..."; empty: nothing.
    """

    words: ClassVar[str]
    option: ClassVar[str] = ""
    traces: ClassVar[str] = ""

    def __str__(self) -> str:
        return self.words


# -- its processes -----------------------------------------------------------------
class Crash(Action):
    """SIGKILL to all its processes."""

    words = "crash"


class Stop(Action):
    """Its stop signal, and whatever it does then."""

    words = "stop"


class Start(Action):
    """A start on the same data; nothing happens to one that runs."""

    words = "start"


class Pause(Action):
    """All its processes are stopped in their tracks: connections stay."""

    words = "pause"


class Resume(Action):
    """They go on."""

    words = "resume"


@dataclass(frozen=True)
class Signal(Action):
    """A signal to its first process alone, which knows what is meant; ``name``: e.g. SIGUSR1."""

    words = "signal"
    name: str


# -- the way of its clients --------------------------------------------------------
class OfClients(Action):
    """The way of clients, which leads through a proxy."""

    option = "proxied=True"


class CutClients(OfClients):
    """Nothing gets through, connections stay."""

    words = "cut the clients of"


@dataclass(frozen=True)
class SlowClients(OfClients):
    """Each answer is late by so many milliseconds, and up to ``jitter_ms`` more or less."""

    words = "slow down the clients of"
    latency_ms: int
    jitter_ms: int = 0


@dataclass(frozen=True)
class ThrottleClients(OfClients):
    """So many kilobytes a second get through, each way."""

    words = "throttle the clients of"
    kilobytes: int


class ResetClients(OfClients):
    """Each connection ends with TCP's RST."""

    words = "reset the clients of"


class ClearClients(OfClients):
    """The way is clear again."""

    words = "clear the way of clients to"


# -- the way of its peers ----------------------------------------------------------
@dataclass(frozen=True)
class CutPeers(Action):
    """Nothing gets through between it and the others; ``one_way``: they may connect to it."""

    words = "cut the peers of"
    one_way: bool = False


class JoinPeers(Action):
    """Everything gets through again."""

    words = "join the peers of"


@dataclass(frozen=True)
class SlowPeers(Action):
    """What its peers and it say to each other takes so many milliseconds more, each way."""

    words = "slow down the peers of"
    option = "proxied_peers=True"
    latency_ms: int


class ClearPeers(Action):
    """Their way is as short as before."""

    words = "clear the way of peers to"
    option = "proxied_peers=True"


# -- its disk ----------------------------------------------------------------------
class FillDisk(Action):
    """Not a byte is free where it keeps its data. Some servers end by themselves then."""

    words = "fill the disk of"
    option = "disk_mb=192"
    traces = "its disk was full"


class FreeDisk(Action):
    """There is room again."""

    words = "free the disk of"
    option = "disk_mb=192"


class LosePower(Action):
    """SIGKILL, and what was not synced is gone; the figures are returned.

    What exactly is lost: docs/faults.md.
    """

    words = "lose the power of"
    option = "syncs=True"
    traces = "it has lost power"
