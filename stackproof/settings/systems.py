"""Systems under test as ``[systems.NAME]`` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof import values
from stackproof.errors import Trouble

_SYSTEM_KEYS = {
    "command", "directory", "environment", "contracts", "completeness",
    "ready_line", "ready_within", "stop_within", "topics",
}  # fmt: skip


@dataclass(frozen=True)
class TopicSettings:
    """A topic made for a system: number of partitions and topic settings by Kafka's names."""

    partitions: int = 1
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SystemSettings:
    """A system under test as ``[systems.NAME]`` describes it.

    Attributes:
        name: as features call it.
        command: program and arguments; ``{}`` fields are filled in when it is launched.
        directory: working directory, absolute.
        environment: variables added to its environment; fields are filled in too.
        contracts: JSON Schema files by role (customer, prediction, dead_letter), absolute.
        completeness: fraction of valid inputs that must come out, 0 to 1.
        ready_line: text in its output that says it is ready; empty: once it lives.
        ready_within: seconds from launch to ready.
        stop_within: seconds from SIGTERM to its end.
        topics: by role: partitions and configuration of the topics made for it.
    """

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    contracts: Mapping[str, Path] = field(default_factory=dict)
    completeness: float = 1.0
    ready_line: str = ""
    ready_within: float = 30.0
    stop_within: float = 15.0
    topics: Mapping[str, TopicSettings] = field(default_factory=dict)


def read_system(name: str, table: Any, file: Path | None) -> SystemSettings:
    """Read one section ``[systems.NAME]``.

    Raises:
        Trouble: an unknown key or a value that cannot be understood.
    """
    where = f"[systems.{name}] in {file}"
    assert file is not None
    if not isinstance(table, dict):
        raise Trouble(f"{where} is not a section", "", f"write [systems.{name}]")
    for key in table:
        if key not in _SYSTEM_KEYS:
            raise values.unknown_key(key, _SYSTEM_KEYS, where)
    command = table.get("command")
    if (not isinstance(command, list) or not command
            or not all(isinstance(word, str) for word in command) or not command[0]):  # fmt: skip
        raise Trouble(
            f"{where} has no usable command",
            "`command` must be a list of strings: the program and its arguments",
            'e.g. command = ["python", "-m", "my_pipeline", "--broker", "{kafka}"]',
        )
    base = file.parent
    try:
        directory = (base / table.get("directory", ".")).resolve()
        if not directory.is_dir():
            raise ValueError(f"directory {directory} does not exist")
        contracts = {}
        for role, path in values.table(table, "contracts").items():
            contracts[role] = (base / path).resolve()
            if not contracts[role].is_file():
                raise ValueError(f"contract {contracts[role]} does not exist")
        return SystemSettings(
            name=name,
            command=tuple(command),
            directory=directory,
            environment={k: values.text(v) for k, v in values.table(table, "environment").items()},
            contracts=contracts,
            completeness=values.value(table, "completeness", values.fraction, 1.0),
            ready_line=str(table.get("ready_line", "")),
            ready_within=values.value(table, "ready_within", values.positive, 30.0),
            stop_within=values.value(table, "stop_within", values.positive, 15.0),
            topics={
                role: _topic(role, topic) for role, topic in values.table(table, "topics").items()
            },
        )
    except (ValueError, TypeError) as error:
        raise Trouble(f"{where} cannot be used", str(error), "correct it") from error


def _topic(role: str, table: Any) -> TopicSettings:
    if not isinstance(table, dict):
        raise TypeError(f"topics.{role} cannot be {table!r}: names with values are expected")
    unknown = sorted(set(table) - {"partitions", "config"})
    if unknown:
        raise ValueError(f"topics.{role} has no {unknown[0]!r}, only partitions and config")
    try:
        config = {
            name: values.text(value) for name, value in values.flat(values.table(table, "config"))
        }
        partitions = values.value(table, "partitions", values.from_one, 1)
    except (ValueError, TypeError) as error:
        raise ValueError(f"topics.{role}: {error}") from None
    return TopicSettings(partitions, config)
