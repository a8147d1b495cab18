"""A node's fault is felt when it is silent in the way of the fault, and healed when it is back."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from stackproof.actions import Action
from stackproof.errors import PremiseNotMet, Trouble
from stackproof.faults import nodes
from stackproof.faults.nodes import CrashedNode, NodeFaults, PausedNode, StoppedNode
from stackproof.polling import DeadlineExceeded
from stackproof.services import service
from stackproof.services.base import Endpoint
from tests.faults.test_fault import Session

_KINDS = [CrashedNode, StoppedNode, PausedNode]


class Probe:
    """Answers, and sees the others' nodes, as the test wants it."""

    def __init__(self) -> None:
        self.silent = self.shut_out = False

    def answers(self, node: str) -> None:
        if self.silent:
            raise OSError("silent")

    def seen_by_peers(self, node: str) -> None:
        if self.shut_out:
            raise OSError("not among them")


class Cluster(Session):
    """One node, whose port the test opens and closes."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.done: list[str] = []
        address = {"replica-1": f"127.0.0.1:{port}/postgres"}
        self._endpoint = Endpoint(
            "postgresql", "postgresql-1", "native", address, instances=["postgresql-1-replica-1"]
        )

    def endpoint(self, name: str) -> Endpoint:
        return self._endpoint

    def scaled(self, seconds: float) -> float:
        return seconds * 0.005

    def act(self, name: str, instance: str, action: Action) -> None:
        self.done.append(f"{action} {instance}")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    made = Probe()
    monkeypatch.setattr(type(service("postgresql")), "probe", lambda *_, **__: made)
    return made


@pytest.fixture
def session(listening: socket.socket) -> Any:
    return Cluster(listening.getsockname()[1])


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("port_open", [True, False])
def test_what_is_felt(
    session: Any, probe: Probe, listening: socket.socket, kind: Any, silent: bool, port_open: bool
) -> None:
    probe.silent = silent
    if not port_open:
        listening.close()
    fault = kind(session, "postgresql", "replica-1")
    if silent and port_open == (kind is PausedNode):
        assert "does not answer" in fault._felt().text
    else:
        with pytest.raises(DeadlineExceeded, match="replica-1 to answer no more"):
            fault._felt()


def test_healed_is_what_its_peers_have_back(session: Any, probe: Probe) -> None:
    fault = PausedNode(session, "postgresql", "replica-1")
    for ailment in ("silent", "shut_out"):
        setattr(probe, ailment, True)
        with pytest.raises(DeadlineExceeded, match="replica-1 to be back"):
            fault._gone()
        setattr(probe, ailment, False)
    assert fault._gone()


def test_what_is_done_to_a_node(session: Any, probe: Probe) -> None:
    faults = NodeFaults(session, "postgresql")
    with pytest.raises(PremiseNotMet, match="replica-1 that ails"):
        faults.heal("replica-1")
    probe.silent = True
    faults.begin("is paused", "replica-1")
    probe.silent = False
    faults.heal("replica-1")
    assert session.done == ["pause postgresql-1-replica-1", "resume postgresql-1-replica-1"]


def test_what_is_broken_for_good_is_left(
    session: Any, probe: Probe, listening: socket.socket
) -> None:
    probe.silent = True
    listening.close()
    NodeFaults(session, "postgresql").begin("has crashed", "replica-1", for_good=True)
    session.end()
    assert session.done == ["crash postgresql-1-replica-1"]


def test_a_node_that_is_not_there(session: Any, probe: Probe) -> None:
    with pytest.raises(Trouble, match="no node replica-9"):
        PausedNode(session, "postgresql", "replica-9")


def test_every_fault_has_its_words() -> None:
    assert set(nodes.NODE_FAULTS.values()) == set(_KINDS)
