"""What features say of faults; known before any scenario, so no client is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stackproof.faults.clients import ClientCut, Reset, Slow, Throttle
from stackproof.faults.peers import OneWayCut, PeerCut
from stackproof.faults.processes import BrokerFault, Crash, Pause, Stop
from stackproof.faults.storage import DiskFull, PowerLoss

if TYPE_CHECKING:
    from collections.abc import Callable

    from stackproof.session.scenario import ScenarioSession

#: What features say of a broker's process.
PROCESS_FAULTS: dict[str, Callable[[ScenarioSession, int], BrokerFault]] = {
    "has crashed": Crash,
    "is stopped": Stop,
    "is paused": Pause,
}
#: Of the way between it and its clients.
CLIENT_FAULTS: dict[str, Callable[[ScenarioSession, int], BrokerFault]] = {
    "is cut off from its clients": ClientCut,
    "answers its clients 300 milliseconds late": Slow,
    "has 50 kilobytes a second for its clients": Throttle,
    "resets its clients' connections": Reset,
}
#: Of the way between it and the other brokers.
PEER_FAULTS: dict[str, Callable[[ScenarioSession, int], BrokerFault]] = {
    "is cut off from the other brokers": PeerCut,
    "cannot send to the other brokers": OneWayCut,
}
DISK_FAULTS: dict[str, Callable[[ScenarioSession, int], BrokerFault]] = {
    "has a full disk": DiskFull,
}
POWER_FAULTS: dict[str, Callable[[ScenarioSession, int], BrokerFault]] = {
    "has lost power": PowerLoss,
}
WORDS = {**PROCESS_FAULTS, **CLIENT_FAULTS, **PEER_FAULTS, **DISK_FAULTS, **POWER_FAULTS}

#: How a broker ends, and how often.
ENDS: dict[str, type[BrokerFault]] = {"is stopped": Stop, "crashes": Crash}
TIMES = {"once": 1, "five times": 5}
IDEMPOTENT, NOT_IDEMPOTENT = "an idempotent producer", "a producer without idempotence"
#: One request at a time, or a repeated one could overtake.
PRODUCERS: dict[str, Mapping[str, Any]] = {
    IDEMPOTENT: {"enable_idempotence": True},
    NOT_IDEMPOTENT: {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1},
}
