"""Brokers ended and started again, one or one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.faults.processes import Crash, Stop
from stackproof.faults.witness import KafkaWitness

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession


def bounce(session: ScenarioSession, broker: int, *, clean: bool = True) -> None:
    """End a broker and start it again; returns when it is back in sync.

    Args:
        session: the scenario; its cluster must be dedicated.
        broker: its ID, from 1.
        clean: by SIGTERM; else by SIGKILL.

    Raises:
        NoEffect: it was never unreachable.
        NotHealed: it did not come back in sync.
    """
    with Stop(session, broker) if clean else Crash(session, broker):
        pass


def rolling_restart(session: ScenarioSession, *, clean: bool = True) -> None:
    """Restart all brokers, each only when the one before it is back in sync.

    Raises:
        NoEffect, NotHealed: see `bounce`; those behind it are not touched.
    """
    for broker in range(1, len(KafkaWitness(session).instances) + 1):
        bounce(session, broker, clean=clean)
