"""Words of the features that stand for faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import parse

from stackproof.faults.promises.handing_on import COMMITTING
from stackproof.faults.promises.losing import POWER_WAYS, WAYS
from stackproof.faults.roles import ROLES
from stackproof.faults.words import FAULTS, PRODUCERS, TIMES, WORKLOADS, Workload
from stackproof.session.needs import Need


def _one_of(words: Iterable[str]) -> Callable[[str], str]:
    @parse.with_pattern("|".join(words))
    def text_itself(text: str) -> str:
        return text

    return text_itself


#: What a producer may promise, as features say it, and the guarantee that this is.
PROMISES = {"exactly once": "idempotent", "at least once": "at-least-once"}


@parse.with_pattern("|".join(PROMISES))
def parse_promise(text: str) -> str:
    """A guarantee, for ``{promise:Promise}``."""
    return PROMISES[text]


@parse.with_pattern(r"the (?:server|primary)|(?:replica|node|broker) \d+")
def parse_node(text: str) -> str:
    """The name of a node, for ``{node:Node}``: "the primary", or "replica 1": ``replica-1``."""
    return text.removeprefix("the ").replace(" ", "-")


@parse.with_pattern("|".join(WORKLOADS))
def parse_workload(text: str) -> Workload:
    """What a client goes on doing, for ``{workload:Workload}``."""
    return WORKLOADS[text]


@parse.with_pattern(r"replica \d+")
def parse_replica(text: str) -> str:
    """The same of replicas alone, for ``{replica:Replica}``."""
    return parse_node(text)


#: Types of parameters that steps about faults use besides those of every step.
FAULT_TYPES: dict[str, Callable[[str], object]] = {
    "Fault": _one_of(FAULTS),
    "Node": parse_node,
    "Workload": parse_workload,
    "PowerWay": _one_of(POWER_WAYS),
    "Committing": _one_of(COMMITTING),
    "Producer": _one_of(PRODUCERS),
    "Promise": parse_promise,
    "Replica": parse_replica,
    "Role": _one_of(ROLES),
    "Times": _one_of(TIMES),
    "Way": _one_of(WAYS),
}


def to_break(service: str, fault: str, options: Iterable[tuple[str, Any]] = ()) -> Need:
    """What a step needs that breaks a node of a service, in the words of `FAULTS`."""
    return Need(service, True, (*options, *FAULTS[fault].options.items()))
