"""What features say of faults; known before any scenario, so no client is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from stackproof.faults.clients import ClientCut, Reset, Slow, Throttle, VerySlow
from stackproof.faults.peers import OneWayCut, PeerCut
from stackproof.faults.processes import AgentCrash, Crash, NodeFault, Pause, Stop
from stackproof.faults.storage import DiskFull, PowerLoss
from stackproof.session.needs import Need

#: What features say of a node; what a cluster must be made with stands in `NodeFault.options`.
FAULTS: Mapping[str, type[NodeFault]] = {
    "has crashed": Crash,
    "crashes": Crash,
    "is stopped": Stop,
    "is paused": Pause,
    "loses its agent": AgentCrash,
    "is cut off from its clients": ClientCut,
    "answers its clients 300 milliseconds late": Slow,
    "answers its clients 1400 milliseconds late": VerySlow,
    "has 50 kilobytes a second for its clients": Throttle,
    "resets its clients' connections": Reset,
    "is cut off from its peers": PeerCut,
    "cannot send to its peers": OneWayCut,
    "is cut off from the other brokers": PeerCut,
    "cannot send to the other brokers": OneWayCut,
    "has a full disk": DiskFull,
    "has lost power": PowerLoss,
    "loses power": PowerLoss,
}


#: What features call a node by what it is at the moment.
NODE_ROLES = ("leader", "primary")


class Workload(NamedTuple):
    """What a client goes on doing.

    Attributes:
        service: that it does it to.
        old: what it writes to is from before the service was last started.
        options: that the service must have.
    """

    service: str
    old: bool = False
    options: tuple[tuple[str, Any], ...] = ()


#: What features say of it. RabbitMQ 3.10 confirms a queue seconds before it writes it down.
WORKLOADS: Mapping[str, Workload] = {
    "records are produced": Workload("kafka"),
    "keys are set": Workload("redis"),
    "rows are inserted": Workload("postgresql"),
    "rows are inserted into a table that has survived a restart": Workload("postgresql", old=True),
    "mails are sent": Workload("mailpit"),
    "vectors are inserted": Workload("milvus"),
    "keys are put": Workload("etcd"),
    "znodes are created": Workload("zookeeper"),
    "metrics are pushed": Workload("pushgateway"),
    "objects are uploaded": Workload("s3"),
    "series are written": Workload("prometheus"),
    "alerts are raised": Workload("alertmanager"),
    "documents are put": Workload("opensearch"),
    "messages are published to a durable queue": Workload("rabbitmq"),
    "messages are published to a durable queue that has survived a restart": Workload(
        "rabbitmq", old=True
    ),
    "messages are published to a quorum queue": Workload("rabbitmq", options=(("nodes", 3),)),
}

#: How often a broker ends.
TIMES = {"once": 1, "five times": 5}
IDEMPOTENT, NOT_IDEMPOTENT = "an idempotent producer", "a producer without idempotence"
#: One request at a time, or a repeated one could overtake.
PRODUCERS: dict[str, Mapping[str, Any]] = {
    IDEMPOTENT: {"enable_idempotence": True},
    NOT_IDEMPOTENT: {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1},
}


def to_break(service: str, fault: str, options: Iterable[tuple[str, Any]] = ()) -> Need:
    """What a step needs that breaks a node of a service, in the words of `FAULTS`."""
    return Need(service, True, (*options, *FAULTS[fault].options.items()))
