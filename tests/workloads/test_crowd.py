"""Clients that begin together, each on a connection of its own."""

from __future__ import annotations

import threading

import pytest

from stackproof.workloads import at_once


class Connection:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_all_are_connected_before_one_begins_and_closed_afterwards() -> None:
    made: list[Connection] = []

    def connect() -> Connection:
        made.append(Connection())
        return made[-1]

    def work(connection: Connection, number: int) -> tuple[int, int]:
        assert not connection.closed
        return number, len(made)

    assert at_once(3, connect, work, within=30) == [(0, 3), (1, 3), (2, 3)]
    assert all(one.closed for one in made)


def test_what_one_client_meets_is_raised() -> None:
    together = threading.Barrier(2)

    def work(_: Connection, number: int) -> None:
        together.wait(30)
        if number:
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        at_once(2, Connection, work, within=30)
