"""What steps say of sinks; loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackproof.errors import Trouble
from stackproof.settings import SystemSettings

#: Where events can be seen to arrive, and what its server must be made with to keep what it has
#: acknowledged when it crashes.
SERVICES: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "redis": (("config", (("appendonly", "yes"), ("appendfsync", "always"))),),
    "rabbitmq": (),
}
#: What a full buffer does with one more event, as features say it.
OVERFLOWS = {
    "drops the oldest": "drop-oldest",
    "drops the newest": "drop-newest",
    "blocks": "block",
    "refuses more": "raise",
}
#: Which of many events.
FIRST, LAST = "first", "last"


def service_of(sink: SystemSettings) -> str:
    """The service that a sink brings its events to.

    Raises:
        Trouble: its options name none where events can be seen to arrive.
    """
    for service in sink.services:
        if service in SERVICES:
            return service
    raise Trouble(
        f"nobody knows where the events of the {sink.called} arrive",
        f"its options have no field of {' or of '.join(SERVICES)}",
        f"write e.g. {{redis_url}} and {{stream}} into the options of [systems.{sink.name}]",
    )
