"""Clients that write texts to a service, and find out afterwards which of them it has kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Writer(Protocol):
    """Writes while something is broken; a connection that is lost is made anew.

    Attributes:
        through: the node that it writes to; empty: any that serves.
    """

    through: str

    def write(self, text: str) -> None:
        """Write a text that nobody else writes; returns once it is acknowledged.

        Raises:
            Exception: one of the service's `unready`: whether it was written is not known.
        """

    def kept(self) -> Sequence[str]:
        """All texts that are there, each as often as it is there.

        Raises:
            Exception: one of the service's `unready` while they cannot be read.
        """

    def close(self) -> None:
        """Remove what was written, and end."""
