"""Independent clients that find out what a service's nodes do, and what they can find out.

Faults prove their effect and their healing by them: a service gets those that its probe can prove.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Probe(Protocol):
    """An independent client that finds out what a service's nodes do. Each call is bounded."""

    def answers(self, node: str) -> None:
        """Do a real operation on one node.

        Raises:
            Exception: one of the service's `unready` while it does not answer.
        """

    def healthy(self) -> None:
        """Do a real operation on the cluster, and find its nodes in order.

        Raises:
            Exception: one of the service's `unready` while it is not.
        """

    def close(self) -> None:
        """End its connections."""


@runtime_checkable
class SeesPeers(Protocol):
    """A probe that asks others about a node."""

    def seen_by_peers(self, node: str) -> None:
        """Find a node among those that its peers work with.

        Raises:
            Exception: one of the service's `unready` while they do not.
        """


@runtime_checkable
class HasRoles(Protocol):
    """A probe that finds out which node has a role."""

    def holder(self, role: str) -> str:
        """The node that has a role, e.g. "leader", as the nodes agree.

        Raises:
            Exception: one of the service's `unready` while they do not.
        """


@runtime_checkable
class HasSuccessors(Protocol):
    """A probe of nodes that others take over from."""

    def replaced(self, node: str) -> bool:
        """Whether another node does what this one did, as the others see it.

        Raises:
            Exception: one of the service's `unready` while they cannot be asked.
        """


@runtime_checkable
class HasAgents(Protocol):
    """A probe of nodes whose servers agents manage, one each."""

    def agent_answers(self, node: str) -> None:
        """Have the agent of a node answer.

        Raises:
            Exception: one of the service's `unready` while it does not.
            NotSupported: there is none.
        """


@runtime_checkable
class AcceptsWrites(Protocol):
    """A probe that writes."""

    def accepts_writes(self, node: str) -> None:
        """Write something to one node and read it back; nothing of it stays.

        Raises:
            Exception: one of the service's `unready` while that cannot be done.
        """


@runtime_checkable
class Carries(Protocol):
    """A probe that moves bytes."""

    def carries(self, node: str, size: int) -> None:
        """Have one node take ``size`` bytes and give them back.

        Raises:
            Exception: one of the service's `unready` while it does not.
        """
