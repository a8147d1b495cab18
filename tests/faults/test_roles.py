"""Who has a role is what all brokers agree on; a failover is one that somebody else has after."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from stackproof.faults import roles
from stackproof.faults.roles import CONTROLLER, COORDINATOR, FOLLOWER, LEADER, Roles
from stackproof.polling import DeadlineExceeded
from stackproof.services.kafka.client.direct import Partition, View


class Session:
    def scaled(self, seconds: float) -> float:
        return seconds / 100


class Witness:
    """Three brokers; what each tells may be changed, None: it does not answer."""

    numbers = (1, 2, 3)

    def __init__(self, _: object):
        self.controllers: Mapping[int, int | None] = {1: 2, 2: 2, 3: 2}
        self.partition = Partition(3, (1, 2, 3), (3, 2, 1))

    def controller_seen_by(self, broker: int) -> int:
        told = self.controllers[broker]
        if told is None:
            raise OSError("no answer")
        return told

    def coordinator_seen_by(self, broker: int, group: str) -> int:
        assert group == "g"
        return 1

    def seen_by(self, broker: int) -> View:
        return View(frozenset({1, 2, 3}), frozenset(), {("t", 0): self.partition})


@pytest.fixture
def found(monkeypatch):
    monkeypatch.setattr(roles, "Brokers", Witness)
    return Roles(Session(), "t", "g")  # type: ignore[arg-type]


def test_each_role_is_found(found):
    assert [found.holder(r) for r in (LEADER, FOLLOWER, CONTROLLER, COORDINATOR)] == [3, 1, 2, 1]


@pytest.mark.parametrize("third", [1, -1, None])
def test_brokers_must_agree(found, third):
    found._witness.controllers = {1: 2, 2: 2, 3: third}
    with pytest.raises(DeadlineExceeded, match="agree who is the controller"):
        found.holder(CONTROLLER)


def test_a_failover_is_seen_by_those_who_are_left(found):
    found._witness.controllers = {1: 3, 2: None, 3: 3}
    assert found.await_moved(CONTROLLER, 2) == 3
    with pytest.raises(DeadlineExceeded, match="another broker than 3"):
        found.await_moved(CONTROLLER, 3)


def test_a_leader_that_stays_is_no_failover(found):
    with pytest.raises(DeadlineExceeded, match="the leader to be another broker than 3"):
        found.await_moved(LEADER, 3)


def test_a_follower_has_failed_when_it_is_out_of_sync(found):
    with pytest.raises(DeadlineExceeded):
        found.await_moved(FOLLOWER, 1)
    found._witness.partition = Partition(3, (1, 2, 3), (3, 2))
    assert found.await_moved(FOLLOWER, 1) == 2
    found._witness.partition = Partition(3, (1, 2, 3), (3,))
    with pytest.raises(DeadlineExceeded):
        found.await_moved(FOLLOWER, 1)
