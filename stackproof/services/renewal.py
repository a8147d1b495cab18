"""Clusters of nodes that are handed on: made as good as new, and looked at whether they are.

See "Clusters that are handed on" in ``docs/architecture.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from stackproof.errors import Trouble
from stackproof.services.base import Endpoint
from stackproof.services.nodes import Service


class Renewal(Protocol):
    """Knows what tells a service's nodes from new ones; asks past clients and proxies."""

    def clear(self) -> None:
        """Remove everything that anybody has made; some of it may be gone some time after.

        Raises:
            Trouble: something cannot be removed.
            Exception: one of the service's `unready`: it does not answer.
        """

    def made(self, node: str) -> Mapping[str, Sequence[str]]:
        """What one node has and a new one has not: names by kind, e.g. "queue".

        Raises:
            Exception: one of the service's `unready`: it does not tell.
        """


class Renewing(Service):
    """A service whose clusters are handed on; see `stackproof.services.base.Renewable`."""

    @abstractmethod
    def renewal(self, endpoint: Endpoint, *, timeout: float) -> Renewal:
        """Whoever clears and looks; ``timeout``: seconds for each question."""

    def clear(self, endpoint: Endpoint) -> None:
        """Remove everything that anybody has made, and form the cluster anew."""
        try:
            self.renewal(endpoint.past_proxies(), timeout=self.start_within).clear()
        except self.unready as error:
            told = f"{type(error).__name__}: {error}"
            raise Trouble(f"what was made on {self.title} cannot be removed", told) from error
        self.form(endpoint, within=self.start_within)

    def unlike_new(self, endpoint: Endpoint, *, timeout: float) -> str | None:
        """What the first node that is unlike a new one has, in words; None: none is."""
        renewal = self.renewal(endpoint.past_proxies(), timeout=timeout)
        for node in endpoint.addresses:
            try:
                found = first_of(renewal.made(node))
            except self.unready as error:
                found = f"it does not tell: {str(error).strip() or type(error).__name__}"
            if found:
                return f"{node}: {found}"
        return None


def first_of(made: Mapping[str, Sequence[str]]) -> str | None:
    """The first of what was found, in words; None: nothing was.

    Args:
        made: names by kind.
    """
    for kind, names in made.items():
        if names:
            more = f", and {len(names) - 1} more" if len(names) > 1 else ""
            return f"there is the {kind} {names[0]}{more}"
    return None
