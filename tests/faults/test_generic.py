"""A fault of a node is felt by the service's probe, in the way of the fault, and its healing too.

Injectors do nothing here, probes find what the test wants: what is proved is all that counts.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from stackproof.actions import Action
from stackproof.errors import NoEffect, NotSupported, PremiseNotMet, Trouble
from stackproof.faults import Faults
from stackproof.faults.clients import ClientCut, Reset, Slow, Throttle
from stackproof.faults.fault import NotHealed
from stackproof.faults.peers import OneWayCut, PeerCut
from stackproof.faults.processes import Crash, NodeFault, Pause, Stop
from stackproof.faults.storage import DiskFull, PowerLoss
from stackproof.faults.words import FAULTS
from stackproof.polling import DeadlineExceeded
from stackproof.services import service, service_names
from stackproof.services.base import Endpoint
from stackproof.services.nodes import Service
from tests.faults.test_fault import Session

_PROCESS = [Crash, Stop, Pause]
_NODE, _OTHER = "replica-1", "primary"


class Probe:
    """Finds what the test wants, for clients and past their proxies."""

    def __init__(self) -> None:
        self.kind: type[Answering] = Seen
        self.silent = self.shut_out = self.full = self.lost_to_clients = self.narrow = False

    def of(self, endpoint: Endpoint) -> Answering:
        """What it finds there."""
        return self.kind(self, as_client=bool(endpoint.direct))


class Answering:
    """One look at what no server does; it can tell nothing but whether there is an answer."""

    def __init__(self, told: Probe, *, as_client: bool):
        self.told, self.as_client = told, as_client

    def answers(self, node: str) -> None:
        if self.told.silent or (self.as_client and self.told.lost_to_clients):
            raise OSError("silent")

    def close(self) -> None:
        pass


class Seen(Answering):
    """The same; it can tell everything."""

    def seen_by_peers(self, node: str) -> None:
        if self.told.shut_out:
            raise OSError("not among them")

    def agent_answers(self, node: str) -> None:
        self.answers(node)

    def accepts_writes(self, node: str) -> None:
        self.answers(node)
        if self.told.full:
            raise OSError("no space left")

    def carries(self, node: str, size: int) -> None:
        self.answers(node)
        if self.told.narrow:
            raise OSError("it takes too long")


class Cluster(Session):
    """Two nodes; of one the test opens and closes the port."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.done: list[str] = []
        places = dict.fromkeys((_OTHER, _NODE), f"127.0.0.1:{port}/postgres")
        self.known = Endpoint(
            "postgresql", "postgresql-1", "native", places, direct=places,
            instances=[f"postgresql-1-{node}" for node in places],
        )  # fmt: skip

    def endpoint(self, name: str) -> Endpoint:
        return self.known

    def scaled(self, seconds: float) -> float:
        return seconds * 0.005

    def act(self, name: str, instance: str, action: Action) -> Any:
        self.done.append(f"{action} {instance}")
        return {"lost_bytes": 0, "lost_files": 0}


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    made = Probe()
    kind = type(service("postgresql"))
    monkeypatch.setattr(kind, "probe", lambda _, endpoint, timeout: made.of(endpoint))
    monkeypatch.setattr(kind, "untold", {})
    return made


@pytest.fixture
def session(listening: socket.socket) -> Any:
    return Cluster(listening.getsockname()[1])


@pytest.mark.parametrize("kind", _PROCESS)
@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("port_open", [True, False])
def test_what_is_felt_of_processes(
    session: Any, probe: Probe, listening: socket.socket, kind: Any, silent: bool, port_open: bool
) -> None:
    probe.silent = silent
    if not port_open:
        listening.close()
    fault = kind(session, "postgresql", _NODE)
    if silent and port_open == (kind is Pause):
        assert "silent" in fault._felt().text
    else:
        with pytest.raises(DeadlineExceeded, match="replica 1 to "):
            fault._felt()


@pytest.mark.parametrize("kind", dict.fromkeys(FAULTS.values()))
def test_an_injector_that_does_nothing_is_caught(session: Any, probe: Probe, kind: Any) -> None:
    fault: NodeFault = kind(session, "postgresql", _NODE)
    with pytest.raises(NoEffect, match=f"{fault.kind} of replica 1: the fault had no effect"):
        fault.begin()


@pytest.mark.parametrize("kind", dict.fromkeys(FAULTS.values()))
def test_a_healing_that_heals_nothing_is_caught(
    session: Any, probe: Probe, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault: NodeFault = kind(session, "postgresql", _NODE)
    monkeypatch.setattr(kind, "_felt", lambda _: Probe)  # felt, and never again
    monkeypatch.setattr(Answering, "answers", lambda *_: (_ for _ in ()).throw(OSError("silent")))
    fault._state = "active"
    with pytest.raises(NotHealed, match="the healing never came"):
        fault.heal()


@pytest.mark.parametrize(
    ("kind", "ailment"),
    [(PeerCut, "shut_out"), (OneWayCut, "shut_out"), (ClientCut, "lost_to_clients"),
     (DiskFull, "full")],
)  # fmt: skip
def test_what_is_felt_of_its_ways_and_its_disk(
    session: Any, probe: Probe, kind: Any, ailment: str
) -> None:
    fault = kind(session, "postgresql", _NODE)
    setattr(probe, ailment, True)
    assert fault._felt().text
    with pytest.raises(DeadlineExceeded):
        fault._gone()
    setattr(probe, ailment, False)
    assert fault._gone().text
    probe.silent = True
    if kind is not DiskFull:  # that it serves nobody is no proof that its way is broken
        with pytest.raises((DeadlineExceeded, PremiseNotMet)):
            fault._felt()


def test_a_reset_is_no_mere_silence(session: Any, probe: Probe) -> None:
    probe.lost_to_clients = True
    with pytest.raises(DeadlineExceeded, match="to be without an answer"):
        Reset(session, "postgresql", _NODE)._felt()


@pytest.mark.parametrize("kind", [PeerCut, DiskFull, Slow, Throttle])
def test_what_ails_before_the_fault_is_not_the_faults_doing(
    session: Any, probe: Probe, kind: Any
) -> None:
    probe.silent = probe.shut_out = True
    with pytest.raises((DeadlineExceeded, PremiseNotMet)):
        kind(session, "postgresql", _NODE).begin()
    assert session.done == []


def test_power_that_takes_nothing_is_no_loss(
    session: Any, probe: Probe, listening: socket.socket
) -> None:
    probe.silent = True
    listening.close()
    with pytest.raises(NoEffect, match="all that was on its disk is still there"):
        PowerLoss(session, "postgresql", _NODE).begin()


def test_healed_is_what_its_peers_have_back(session: Any, probe: Probe) -> None:
    fault = Pause(session, "postgresql", _NODE)
    for ailment in ("silent", "shut_out"):
        setattr(probe, ailment, True)
        with pytest.raises(DeadlineExceeded, match="replica 1 to be back"):
            fault._gone()
        setattr(probe, ailment, False)
    assert fault._gone()


def test_what_is_done_to_a_node(session: Any, probe: Probe) -> None:
    faults = Faults(session, "postgresql")
    with pytest.raises(PremiseNotMet, match="replica 1 that ails"):
        faults.heal(_NODE)
    probe.silent = True
    faults.begin("is paused", _NODE)
    probe.silent = False
    faults.heal(_NODE)
    assert session.done == ["pause postgresql-1-replica-1", "resume postgresql-1-replica-1"]


def test_what_is_broken_for_good_is_left(
    session: Any, probe: Probe, listening: socket.socket
) -> None:
    probe.silent = True
    listening.close()
    Faults(session, "postgresql").begin("has crashed", _NODE, for_good=True)
    session.end()
    assert session.done == ["crash postgresql-1-replica-1"]


def test_what_is_told_of_services_is_of_faults_that_there_are() -> None:
    kinds = {kind.kind for kind in FAULTS.values()}
    for name in service_names():
        told = cast("Service", service(name)).untold
        assert {re.split(" of | in containers", kind)[0] for kind in told} <= kinds, name


def test_a_role_is_whoever_has_it_now(
    session: Any, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotSupported, match="which node is the leader"):
        Faults(session, "postgresql").fault("has crashed", "leader")
    found: list[str] = []

    def holder(_: Seen, role: str) -> str:
        if not found:
            raise OSError("they do not agree")
        return found[0]

    monkeypatch.setattr(Seen, "holder", holder, raising=False)
    with pytest.raises(DeadlineExceeded, match="agree who is the leader"):
        Faults(session, "postgresql").fault("has crashed", "leader")
    found.append(_NODE)
    assert Faults(session, "postgresql").fault("has crashed", "leader").node == _NODE


def test_a_node_that_is_not_there(session: Any, probe: Probe) -> None:
    with pytest.raises(Trouble, match="no replica 9"):
        Pause(session, "postgresql", "replica-9")


def test_what_cannot_be_told_is_not_supported(
    session: Any, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    untold = {"power loss": "nobody can tell", "pause of primary": "not of that one"}
    monkeypatch.setattr(type(service("postgresql")), "untold", untold)
    with pytest.raises(NotSupported, match="nobody can tell"):
        PowerLoss(session, "postgresql", _NODE)
    Pause(session, "postgresql", _NODE)
    with pytest.raises(NotSupported, match="not of that one"):
        Pause(session, "postgresql", _OTHER)
    probe.kind = Answering
    with pytest.raises(NotSupported, match="nodes do not tell"):
        PeerCut(session, "postgresql", _NODE).begin()
    with pytest.raises(NotSupported, match="carries no bytes"):
        Throttle(session, "postgresql", _NODE).begin()
    with pytest.raises(NotSupported, match="does not write"):
        DiskFull(session, "postgresql", _NODE).begin()
    session.known = replace(session.known, instances=[f"postgresql-1-{_NODE}"])
    with pytest.raises(NotSupported, match="it has none"):
        PeerCut(session, "postgresql", _NODE).begin()
    assert session.done == []
