"""Nodes of somebody's endpoint, and the commands by which their owner has them broken and healed.

[services.kafka.nodes.broker-2]
address = "broker2.staging:9094"
kill = ["ssh", "broker2.staging", "sudo", "systemctl", "kill", "--signal=KILL", "kafka"]
start = ["ssh", "broker2.staging", "sudo", "systemctl", "start", "kafka"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stackproof import values
from stackproof.errors import Trouble

#: What a command does, by its key; and the one that undoes it.
HEALED_BY = {"stop": "start", "kill": "start", "pause": "resume"}
COMMANDS = ("stop", "kill", "start", "pause", "resume")
_KEYS = ("address", "within", *COMMANDS)
#: Seconds for a command that says nothing else: a server may take its time to stop in order.
_WITHIN = 60.0


@dataclass(frozen=True)
class NodeSettings:
    """One node. Plain data.

    Attributes:
        name: the node's, e.g. "broker-2".
        section: where it is described, for people.
        address: ``host:port`` as the suite reaches it; empty: the endpoint's.
        commands: program and arguments, by what they do; see `COMMANDS`.
        within: seconds that each of them may take.
    """

    name: str
    section: str
    address: str = ""
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    within: float = _WITHIN


def read_nodes(service: str, table: Any, where: str) -> dict[str, NodeSettings]:
    """Every section ``[services.NAME.nodes.NODE]``.

    Args:
        service: the service's name.
        table: what stands at ``nodes``.
        where: the file, for people.

    Raises:
        Trouble: an unknown key, or a value that cannot be understood.
    """
    if not isinstance(table, dict):
        raise Trouble(
            f"nodes in [services.{service}] of {where} cannot be {table!r}",
            "each node has a section of its own",
            f"write [services.{service}.nodes.NAME]",
        )
    return {name: _read(name, f"[services.{service}.nodes.{name}]", node, where)
            for name, node in table.items()}  # fmt: skip


def _read(name: str, section: str, table: Any, where: str) -> NodeSettings:
    if not isinstance(table, dict):
        raise Trouble(f"{section} in {where} is not a section", "", f"write {section}")
    for key in table:
        if key not in _KEYS:
            raise values.unknown_key(key, _KEYS, f"{section} in {where}")
    address = table.get("address", "")
    if not isinstance(address, str):
        raise _wrong(section, where, "address", address, "host:port is expected")
    try:
        within = values.value(table, "within", values.positive, _WITHIN)
    except ValueError as error:
        raise Trouble(f"{section} in {where}: {error}", "", "seconds are expected") from None
    commands = {key: _command(section, where, key, table[key]) for key in COMMANDS if key in table}
    return NodeSettings(name, section, address.strip(), commands, within)


def _command(section: str, where: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise _wrong(section, where, key, value,
                     "a list of texts is expected; no shell runs it")  # fmt: skip
    if not value or not value[0].strip():
        raise _wrong(section, where, key, value, "it names no program")
    return tuple(value)


def _wrong(section: str, where: str, key: str, value: Any, why: str) -> Trouble:
    # What stands there is not repeated: it may hold what nobody should read.
    kind = "empty" if not value else f"a {type(value).__name__}"
    example = 'e.g. kill = ["ssh", "broker2", "sudo", "systemctl", "kill", "-s", "KILL", "kafka"]'
    return Trouble(
        f"{key} in {section} of {where} cannot be used", f"it is {kind}; {why}",
        example if key != "address" else 'e.g. address = "broker2.staging:9094"',
    )  # fmt: skip
