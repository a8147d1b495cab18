"""Services that keep things under names: their probe, writer and leftovers from one small client.

A store says how something is put, got, listed and dropped (`Keeper`); what faults, health checks
and `stackproof clean` need follows from that.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from secrets import token_hex
from typing import ClassVar, Protocol, runtime_checkable

from stackproof.services.base import Endpoint, Leftover
from stackproof.services.nodes import Service
from stackproof.services.writer import Writer


class Keeper(Protocol):
    """A client of one store. Its errors are of the service's `unready`, or say what is refused."""

    def answers(self) -> None:
        """Do the cheapest real operation."""

    def put(self, name: str, content: str) -> object:
        """Keep something; returns once it is acknowledged."""

    def get(self, name: str) -> str | None:
        """What is kept under a name; None: nothing."""

    def names(self, prefix: str) -> Sequence[str]:
        """All names that begin so; one that is there twice, twice."""

    def drop(self, names: Sequence[str]) -> None:
        """Keep these no longer; one that is gone already is as good as dropped."""

    def close(self) -> None:
        """End its connections."""


class Member(Keeper, Protocol):
    """A client of a cluster whose members tell of each other."""

    def seen_by_peers(self, node: str) -> None:
        """Find a node among those that all others work with."""

    def holder(self, role: str) -> str:
        """The node that has a role, as the nodes themselves agree."""

    def read(self, name: str) -> bytes | None:
        """What is kept under a name now, as the majority has it; None: nothing."""

    def swap(self, name: str, expected: bytes | None, content: bytes) -> bool:
        """Keep something if what is kept now is ``expected``; False: it is not."""


@runtime_checkable
class TellsAll(Protocol):
    """A keeper that tells all contents at once, where one by one would take too long."""

    def contents(self, prefix: str) -> Sequence[str]:
        """What is kept under names that begin so."""


class KeeperProbe:
    """See `stackproof.services.probe.Probe`, `AcceptsWrites` and `Carries`.

    Args:
        opened: a client of one node; of "": whichever serves.
        endpoint: whose check names it uses.
        got_elsewhere: what is got does not come by the port for clients.
    """

    def __init__(
        self, opened: Callable[[str], Keeper], endpoint: Endpoint, *, got_elsewhere: bool = False
    ):
        self._opened = opened
        self._endpoint = endpoint
        self._ways = 1 if got_elsewhere else 2

    def answers(self, node: str) -> None:
        """It does the cheapest real operation."""
        with closing(self._opened(node)) as keeper:
            keeper.answers()

    def accepts_writes(self, node: str) -> None:
        """What is put is got, and dropped."""
        self._carry(node, "written")

    def carries(self, node: str, size: int) -> None:
        """The same with so many bytes there and back."""
        self._carry(node, token_hex(size // self._ways))  # nothing that can be compressed

    def _carry(self, node: str, content: str) -> None:
        name = self._endpoint.check_name()
        with closing(self._opened(node)) as keeper:
            try:
                keeper.put(name, content)
                if (got := keeper.get(name)) != content:
                    told = "nothing" if got is None else f"{got[:60]!r} ({len(got)} characters)"
                    raise ConnectionError(f"of what was put, {told} was got")
            finally:
                keeper.drop([name])

    def healthy(self) -> None:
        """It accepts writes."""
        self.accepts_writes("")

    def close(self) -> None:
        """Each question has a connection of its own."""


class MemberProbe(KeeperProbe):
    """The same of a cluster; see `stackproof.services.probe.SeesPeers` and `HasRoles`."""

    _opened: Callable[[str], Member]

    def accepts_writes(self, node: str) -> None:
        """What is put is got, and dropped; "": by one of the nodes at least."""
        *others, last = [node] if node else self._endpoint.addresses
        for one in others:
            with suppress(Exception):
                super().accepts_writes(one)
                return
        super().accepts_writes(last)

    def seen_by_peers(self, node: str) -> None:
        """All others work with it."""
        with closing(self._opened("")) as member:
            member.seen_by_peers(node)

    def holder(self, role: str) -> str:
        """The node that has a role."""
        with closing(self._opened("")) as member:
            return member.holder(role)

    def healthy(self) -> None:
        """Every node accepts writes, and all others work with it."""
        for node in self._endpoint.addresses:
            self.accepts_writes(node)
            self.seen_by_peers(node)


class KeeperWriter:
    """See `stackproof.services.writer.Writer`; each text is kept under a name of its own."""

    def __init__(self, keeper: Keeper, name: str, through: str):
        self.through = through
        self._keeper = keeper
        self._prefix = f"{name}-"

    def write(self, text: str) -> None:
        """Put it."""
        self._keeper.put(self._prefix + text, text)

    def kept(self) -> list[str]:
        """The contents of all that is there."""
        if isinstance(self._keeper, TellsAll):
            return [*self._keeper.contents(self._prefix)]
        contents = (self._keeper.get(name) for name in self._keeper.names(self._prefix))
        return [content for content in contents if content is not None]

    def close(self) -> None:
        """Drop all of it."""
        self._keeper.drop(self._keeper.names(self._prefix))
        self._keeper.close()


class Keeping(Service):
    """A service that keeps things under names.

    Attributes:
        kept: what they are, in the field's own word.
        written_to: the node that `KeeperWriter` writes to; "": whichever serves.
        got_elsewhere: what is got does not come by the port for clients.
    """

    kept: ClassVar[str]
    written_to: ClassVar[str] = ""
    got_elsewhere: ClassVar[bool] = False

    @abstractmethod
    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Keeper:
        """A client of one node, or of whichever serves; ``timeout``: seconds for an operation."""

    def probe(self, endpoint: Endpoint, *, timeout: float) -> KeeperProbe:
        """What follows from its keeper."""
        return KeeperProbe(
            lambda node: self.keeper(endpoint, node, timeout=timeout),
            endpoint,
            got_elsewhere=self.got_elsewhere,
        )

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """What follows from its keeper; the only node there is, is the one that is written to."""
        only = next(iter(endpoint.addresses)) if len(endpoint.addresses) == 1 else ""
        through = self.written_to or only
        return KeeperWriter(self.keeper(endpoint, through, timeout=timeout), name, through)

    def leftovers(self, endpoint: Endpoint, prefix: str) -> list[Leftover]:
        """See `stackproof.services.base.Clearable`."""
        with closing(self.keeper(endpoint)) as keeper:
            return [Leftover(self.kept, name) for name in sorted(set(keeper.names(prefix)))]

    def remove(self, endpoint: Endpoint, leftovers: Sequence[Leftover]) -> None:
        """See `stackproof.services.base.Clearable`."""
        with closing(self.keeper(endpoint)) as keeper:
            keeper.drop([one.name for one in leftovers])


class Clustered(Keeping):
    """The same of a cluster, whose members tell of each other."""

    @abstractmethod
    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Member:
        """A client of one member, or of whichever serves."""

    def probe(self, endpoint: Endpoint, *, timeout: float) -> MemberProbe:
        """What follows from its keeper."""
        return MemberProbe(lambda node: self.keeper(endpoint, node, timeout=timeout), endpoint)
