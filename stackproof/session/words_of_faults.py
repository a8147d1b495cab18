"""Words of the features that stand for faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import parse

from stackproof.faults.nodes import NODE_FAULTS
from stackproof.faults.promises.handing_on import COMMITTING
from stackproof.faults.promises.losing import POWER_WAYS, WAYS
from stackproof.faults.roles import ROLES
from stackproof.faults.words import (
    CLIENT_FAULTS,
    DISK_FAULTS,
    PEER_FAULTS,
    POWER_FAULTS,
    PROCESS_FAULTS,
    PRODUCERS,
    TIMES,
)


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


#: Types of parameters that steps about faults use besides those of every step. They differ in
#: what a cluster must be made for.
FAULT_TYPES: dict[str, Callable[[str], object]] = {
    "ProcessFault": _one_of(PROCESS_FAULTS),
    "ClientFault": _one_of(CLIENT_FAULTS),
    "PeerFault": _one_of(PEER_FAULTS),
    "DiskFault": _one_of(DISK_FAULTS),
    "PowerFault": _one_of(POWER_FAULTS),
    "PowerWay": _one_of(POWER_WAYS),
    "Committing": _one_of(COMMITTING),
    "Producer": _one_of(PRODUCERS),
    "Promise": parse_promise,
    "Role": _one_of(ROLES),
    "Times": _one_of(TIMES),
    "Way": _one_of(WAYS),
}


@parse.with_pattern(r"replica \d+")
def parse_replica(text: str) -> str:
    """The name of a node, for ``{replica:Replica}``: "replica 1" is ``replica-1``."""
    return text.replace(" ", "-")


#: The same of steps about nodes of a service that is said by its nodes.
NODE_TYPES: dict[str, Callable[[str], object]] = {
    "NodeFault": _one_of(NODE_FAULTS),
    "Replica": parse_replica,
}
