"""The one place where configuration comes together.

The command line overrides the environment, which overrides ``stackproof.toml``,
which overrides the defaults. Every value remembers where it came from.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from stackproof.errors import Trouble

FILE_NAME = "stackproof.toml"

COMMAND_LINE = "command line"
DEFAULT = "default"

N = TypeVar("N", int, float)
T = TypeVar("T")


def _flag(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise ValueError("yes or no is expected")


def _positive(text: str) -> float:
    return _number(float, text, lambda n: 0 < n < 1e6, "a number above 0 and below a million")


def _count(text: str) -> int:
    return _number(int, text, lambda n: n >= 0, "a whole number from 0 on")


def _fraction(text: str) -> float:
    return _number(float, text, lambda n: 0 <= n <= 1, "a fraction from 0 to 1")


def _number(kind: Callable[[str], N], text: str, fits: Callable[[N], bool], expected: str) -> N:
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(f"{expected} is expected") from None
    if not fits(number):
        raise ValueError(f"{expected} is expected")
    return number


def _one_of(*choices: str) -> Callable[[str], str]:
    by_lower = {choice.lower(): choice for choice in choices}

    def parse(text: str) -> str:
        lowered = text.strip().lower()
        if lowered not in by_lower:
            near = difflib.get_close_matches(lowered, by_lower, n=1)
            hint = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
            raise ValueError(f"one of {', '.join(choices)} is expected{hint}")
        return by_lower[lowered]

    return parse


@dataclass(frozen=True)
class Setting:
    """One setting: its key in ``stackproof.toml``, its variable, its reading and default."""

    key: str
    variable: str
    parse: Callable[[str], Any]
    default: Any
    help: str


SETTINGS = (
    Setting("stack.provider", "STACK", _one_of("auto", "native"), "auto",
            "how services come to run"),
    Setting("run.scenario_timeout", "INTEGRATION_TEST_TIMEOUT", _positive, 60.0,
            "seconds a scenario may take unless its tag @timeout:N says otherwise"),
    Setting("run.time_factor", "STACKPROOF_TIME_FACTOR", _positive, 1.0,
            "multiplies every time limit, for slow machines"),
    Setting("run.cleanup", "INTEGRATION_TEST_CLEANUP", _flag, True,
            "remove the stack after the run; no: leave it up"),
    Setting("run.verbose", "INTEGRATION_TEST_VERBOSE", _flag, False,
            "show every step"),
    Setting("run.log_level", "LOG_LEVEL", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO",
            "of the suite's own log"),
    Setting("run.reports", "STACKPROOF_REPORTS", str, "reports",
            "directory for results, logs and evidence"),
    Setting("run.allow_skipped", "STACKPROOF_ALLOW_SKIPPED", _flag, False,
            "scenarios that did not run do not make the run fail"),
    Setting("run.memory_mb", "STACKPROOF_MEMORY_MB", _count, 0,
            "memory for all services at once in MiB; 0: half of what is free"),
    Setting("run.random_order", "STACKPROOF_RANDOM_ORDER", str, "",
            "seed for a random order of features and scenarios; empty: as written"),
    Setting("run.seed", "STACKPROOF_SEED", _count, 0,
            "seed of generated inputs; 0: a new one each run, printed"),
)  # fmt: skip

_BY_KEY = {setting.key: setting for setting in SETTINGS}
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


@dataclass(frozen=True)
class Settings:
    """All settings of a run with their origins. Plain data: workers receive a copy."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    systems: Mapping[str, SystemSettings]
    file: Path | None

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def system(self, name: str) -> SystemSettings:
        """The system called ``name``.

        Raises:
            Trouble: none is configured under this name.
        """
        if name not in self.systems:
            near = difflib.get_close_matches(name, self.systems, n=1)
            raise Trouble(
                f"no system is called {name!r}",
                f"{self.file or FILE_NAME} knows: {', '.join(self.systems) or 'none'}",
                f"did you mean {near[0]!r}?" if near else f"add a section [systems.{name}]",
            )
        return self.systems[name]


def load(
    directory: Path | None = None,
    *,
    command_line: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Read all layers. A variable that is set to nothing counts as not set.

    Args:
        directory: where ``stackproof.toml`` is looked for, and above it.
        command_line: values by key, as text.
        environment: instead of this process's environment.

    Raises:
        Trouble: an unknown key or a value that cannot be understood.
    """
    environment = os.environ if environment is None else environment
    command_line = command_line or {}
    file = _find_file(directory or Path.cwd(), environment)
    content = _read(file) if file else {}
    in_file = {f"{section}.{name}": value for section in ("stack", "run")
               for name, value in content.get(section, {}).items()}  # fmt: skip
    for key in [*in_file, *command_line]:
        if key not in _BY_KEY:
            raise _unknown(key, _BY_KEY, f"{file}" if key in in_file else COMMAND_LINE)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        key = setting.key
        if key in command_line:
            text, origin = command_line[key], COMMAND_LINE
        elif environment.get(setting.variable):
            text, origin = environment[setting.variable], f"environment {setting.variable}"
        elif key in in_file:
            text, origin = _text(in_file[key]), str(file)
        else:
            values[key], origins[key] = setting.default, DEFAULT
            continue
        try:
            values[key] = setting.parse(text)
        except ValueError as error:
            raise Trouble(
                f"the setting {key} cannot be {text!r}",
                f"{error} (from {origin})",
                f"{setting.help}; the default is {setting.default!r}",
            ) from error
        origins[key] = origin
    systems = {name: _system(name, table, file) for name, table in
               content.get("systems", {}).items()}  # fmt: skip
    return Settings(values, origins, systems, file)


def _find_file(directory: Path, environment: Mapping[str, str]) -> Path | None:
    named = environment.get("STACKPROOF_CONFIG")
    if named:
        if not Path(named).is_file():
            raise Trouble(f"{named} does not exist", "STACKPROOF_CONFIG names it", "correct it")
        return Path(named).resolve()
    for place in (directory.resolve(), *directory.resolve().parents):
        if (place / FILE_NAME).is_file():
            return place / FILE_NAME
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} cannot be read", str(error), "correct the file") from error
    for section in content:
        if section not in ("stack", "run", "systems"):
            raise _unknown(section, ("stack", "run", "systems"), str(file))
        if not isinstance(content[section], dict):
            raise Trouble(f"[{section}] in {file} is not a section", "", f"write [{section}]")
    return content


def _system(name: str, table: Any, file: Path | None) -> SystemSettings:
    where = f"[systems.{name}] in {file}"
    assert file is not None
    if not isinstance(table, dict):
        raise Trouble(f"{where} is not a section", "", f"write [systems.{name}]")
    for key in table:
        if key not in _SYSTEM_KEYS:
            raise _unknown(key, _SYSTEM_KEYS, where)
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
        for role, path in _table(table, "contracts").items():
            contracts[role] = (base / path).resolve()
            if not contracts[role].is_file():
                raise ValueError(f"contract {contracts[role]} does not exist")
        return SystemSettings(
            name=name,
            command=tuple(command),
            directory=directory,
            environment={k: _text(v) for k, v in _table(table, "environment").items()},
            contracts=contracts,
            completeness=_value(table, "completeness", _fraction, 1.0),
            ready_line=str(table.get("ready_line", "")),
            ready_within=_value(table, "ready_within", _positive, 30.0),
            stop_within=_value(table, "stop_within", _positive, 15.0),
            topics={role: _topic(role, topic) for role, topic in _table(table, "topics").items()},
        )
    except (ValueError, TypeError) as error:
        raise Trouble(f"{where} cannot be used", str(error), "correct it") from error


def _value(table: Mapping[str, Any], key: str, parse: Callable[[str], T], default: T) -> T:
    try:
        return parse(_text(table[key])) if key in table else default
    except ValueError as error:
        raise ValueError(f"{key} cannot be {table[key]!r}: {error}") from None


def _table(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    inner = table.get(key, {})
    if not isinstance(inner, dict):
        raise TypeError(f"{key} cannot be {inner!r}: names with values are expected")
    return inner


def _topic(role: str, table: Any) -> TopicSettings:
    if not isinstance(table, dict):
        raise TypeError(f"topics.{role} cannot be {table!r}: names with values are expected")
    unknown = sorted(set(table) - {"partitions", "config"})
    if unknown:
        raise ValueError(f"topics.{role} has no {unknown[0]!r}, only partitions and config")
    try:
        config = {name: _text(value) for name, value in _flat(_table(table, "config"))}
        partitions = _value(table, "partitions", _from_one, 1)
    except (ValueError, TypeError) as error:
        raise ValueError(f"topics.{role}: {error}") from None
    return TopicSettings(partitions, config)


def _from_one(text: str) -> int:
    return _number(int, text, lambda n: n >= 1, "a whole number from 1 on")


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names with dots: TOML makes tables of them unless they are quoted."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{rest}", inner) for rest, inner in _flat(value))
        else:
            yield name, value


def _text(value: Any) -> str:
    """A value of TOML as one would write it into a variable."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unknown(key: str, known: Any, where: str) -> Trouble:
    near = difflib.get_close_matches(key, list(known), n=1)
    return Trouble(
        f"{key!r} is no setting",
        f"it stands in: {where}",
        f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}",
    )
