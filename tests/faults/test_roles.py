"""Who has a role is what all brokers agree on; a failover is one that somebody else has after."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from stackproof.errors import PremiseNotMet
from stackproof.faults import BrokerFaults, roles
from stackproof.faults.roles import WORDS, Role, Roles
from stackproof.faults.words import FAULTS
from stackproof.polling import DeadlineExceeded
from stackproof.services.kafka.client.direct import Partition, View

LEADER, FOLLOWER, CONTROLLER, COORDINATOR = EACH = [
    Role.parse(words)
    for words in ('the leader of "t"', 'a follower of "t"', "the controller",
                  'the group coordinator of "g"')
]  # fmt: skip


class Session:
    def scaled(self, seconds: float) -> float:
        return seconds / 100

    def own(self, name: str) -> str:
        return name


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
    return Roles(Session())  # type: ignore[arg-type]


def test_each_role_is_found(found):
    assert [found.holder(role) for role in EACH] == [3, 1, 2, 1]


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
    with pytest.raises(DeadlineExceeded, match='the leader of "t" to be another broker than 3'):
        found.await_moved(LEADER, 3)


def test_a_follower_has_failed_when_it_is_out_of_sync(found):
    with pytest.raises(DeadlineExceeded):
        found.await_moved(FOLLOWER, 1)
    found._witness.partition = Partition(3, (1, 2, 3), (3, 2))
    assert found.await_moved(FOLLOWER, 1) == 2
    found._witness.partition = Partition(3, (1, 2, 3), (3,))
    with pytest.raises(DeadlineExceeded):
        found.await_moved(FOLLOWER, 1)


def test_one_that_does_not_answer_is_left_out_when_it_is_known(found):
    found._witness.controllers = {1: 2, 2: 2, 3: None}
    assert found.holder(CONTROLLER, without={3}) == 2


def test_a_leader_is_alone_when_all_who_are_asked_see_it_so(found):
    with pytest.raises(DeadlineExceeded, match="its only replica in sync"):
        found.await_alone(LEADER, within=0.1)
    found._witness.partition = Partition(3, (1, 2, 3), (3,))
    found.await_alone(LEADER, within=0.1)


@pytest.mark.parametrize(
    ("words", "role"),
    [
        ('the old leader of "t"', LEADER),
        ('the old follower of "t"', FOLLOWER),
        ("the old controller", CONTROLLER),
        ('the old group coordinator of "g"', COORDINATOR),
    ],
)
def test_who_had_a_role_is_called_by_it(words, role):
    assert re.fullmatch(WORDS, words)
    assert Role.parse(words) == role


class Broken:
    """A fault that is there as soon as it is begun."""

    def __init__(self, _: object, __: str, node: str):
        self.node, self.target, self.active = node, node.replace("-", " "), False

    def begin(self):
        self.active = True
        return self

    def mend(self):
        self.active = False

    def prove_healed(self):
        assert not self.active


def test_the_old_leader_is_who_led_when_it_was_broken(monkeypatch):
    monkeypatch.setattr(roles, "Brokers", Witness)
    monkeypatch.setitem(FAULTS, "crashes", Broken)
    broken = BrokerFaults(Session())  # type: ignore[arg-type]
    with pytest.raises(PremiseNotMet):
        broken.broker('the old leader of "t"')
    assert broken.break_broker("crashes", 'the leader of "t"').node == "broker-3"
    broken.roles._witness.partition = Partition(1, (1, 2, 3), (1, 2))  # type: ignore[assignment]
    assert broken.broker('the leader of "t"') == "broker-1"
    assert broken.await_successor('the leader of "t"') == 1
    broken.break_broker("crashes", 'the old leader of "t"')
    assert broken.ailing == {"broker-3"}
    broken.heal_broker('the old leader of "t"')
    assert broken.ailing == set()
    assert broken.break_broker("crashes", "broker 2").node == "broker-2"
