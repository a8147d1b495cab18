"""Instances ended and started again on the same data: all at once, or one after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from stackproof import actions
from stackproof.actions import Start
from stackproof.errors import no_effect
from stackproof.faults.processes import NodeFault, Stop
from stackproof.faults.witness import Witness
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services import service

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

_PROBE_TIMEOUT = 0.5
_DOWN_WITHIN = 10.0
_ENDINGS = {"crash": actions.Crash(), "stop": actions.Stop()}


def restart(session: ScenarioSession, name: str, how: Literal["crash", "stop"]) -> None:
    """End every instance of the scenario's own cluster, and start them again.

    A client of the service proves both: that it was unreachable, and that it answers again.

    Args:
        session: the scenario; its cluster must be dedicated.
        name: the service.
        how: "crash": SIGKILL, "stop": SIGTERM.

    Raises:
        NoEffect: it still answered after the fault.
        DeadlineExceeded: it never answered again after the start.
        Died: it died while it was starting again; with its log's end.
        Trouble: the cluster is shared with other scenarios.
    """
    endpoint = session.endpoint(name)
    the_service = service(name)

    def answers() -> bool:
        try:
            the_service.check(endpoint, timeout=_PROBE_TIMEOUT)
        except the_service.unready:
            return False
        return True

    began = time.time()
    for instance in endpoint.instances:
        session.act(name, instance, _ENDINGS[how])
    try:
        poll(
            answers,
            until=lambda up: not up,
            within=session.scaled(_DOWN_WITHIN),
            awaiting=f"{the_service.title} to be unreachable after the {how}",
            describe=lambda _: "it still answers",
        )
    except DeadlineExceeded as late:
        raise no_effect(f"{how} of {the_service.title}", late) from late
    for instance in endpoint.instances:
        session.act(name, instance, Start())
    poll(
        answers,
        within=session.scaled(the_service.start_within),
        awaiting=f"{the_service.title} to answer after its start",
        describe=lambda _: "no answer",
        # One that dies at its start says why in its log, at once.
        alive=lambda: session.death(name),
    )
    until = time.time()
    session.history.event("fault", f"{name}: {how}, then started", at=began, until=until)
    session.figure("time without service", f"{until - began:.1f} s")


def rolling_restart(session: ScenarioSession, name: str) -> list[NodeFault]:
    """Stop and start all nodes, each only when the one before it is back among its peers.

    Returns:
        what was done to them, healed.

    Args:
        session: the scenario; its cluster must be dedicated.
        name: the service.

    Raises:
        NoEffect: one was never unreachable; those behind it are not touched.
        NotHealed: one did not come back.
    """
    stops: list[NodeFault] = [
        Stop(session, name, node) for node in Witness(session, name).instances
    ]
    for stop in stops:
        stop.begin().heal()
    return stops
