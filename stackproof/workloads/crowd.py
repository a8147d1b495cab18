"""Clients that do something at the same time, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Protocol, TypeVar

T = TypeVar("T")


class _Closable(Protocol):
    def close(self) -> object:
        """End it."""


C = TypeVar("C", bound=_Closable)


def at_once(
    clients: int, connect: Callable[[], C], work: Callable[[C, int], T], *, within: float
) -> list[T]:
    """Have clients work at the same time; they begin when all of them are connected.

    Args:
        clients: how many.
        connect: makes the connection of one; it is closed when that one has done its work.
        work: what each does, given its connection and its number from 0 on.
        within: seconds for all to be connected.

    Returns:
        What each has made of it, in the order of their numbers.

    Raises:
        Exception: what ``connect`` or ``work`` raised, of the first client that did.
    """
    ready = threading.Barrier(clients)

    def one(number: int) -> T:
        with closing(connect()) as client:
            ready.wait(within)
            return work(client, number)

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(clients)))
