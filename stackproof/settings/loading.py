"""Bringing the layers together."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof import names, texts, values
from stackproof.errors import Trouble
from stackproof.paths import absolute
from stackproof.settings.sections import read_system
from stackproof.settings.services import PROVIDERS, ServiceSettings, rank, read_services
from stackproof.settings.systems import SystemSettings
from stackproof.values import COMMAND_LINE, DEFAULT, FILE_NAME

_SECTIONS = ("stack", "run", "services", "systems")
_SERVICES = "services."


@dataclass(frozen=True)
class Setting:
    """One setting: its key in ``stackproof.toml``, its variable, its reading and default."""

    key: str
    variable: str
    parse: Callable[[str], Any]
    default: Any
    help: str


SETTINGS = (
    Setting("stack.provider", "STACK", values.one_of(*PROVIDERS), "auto",
            "how services come to run"),
    Setting("run.suite", "STACKPROOF_SUITE", values.one_of("auto", "pr", "nightly", "release"),
            "auto", "what runs; auto: pr, or whatever tags, names and lines select"),
    Setting("run.scenario_timeout", "INTEGRATION_TEST_TIMEOUT", values.positive, 60.0,
            "seconds a scenario may take unless its tag @timeout:N says otherwise"),
    Setting("run.time_factor", "STACKPROOF_TIME_FACTOR", values.positive, 1.0,
            "multiplies every time limit, for slow machines"),
    Setting("run.quiet_within", "STACKPROOF_QUIET_WITHIN", values.count, 30,
            "seconds for the machine to get quiet before a figure with a bound is measured"),
    Setting("run.quiet_below", "STACKPROOF_QUIET_BELOW", values.count, 10,
            "percent of all processors; it is quiet while others than the run use less"),
    Setting("run.cleanup", "INTEGRATION_TEST_CLEANUP", values.flag, True,
            "remove the stack after the run; no: leave it up"),
    Setting("run.fresh_clusters", "STACKPROOF_FRESH_CLUSTERS", values.flag, False,
            "start a new cluster for each scenario that needs its own; none is handed on"),
    Setting("run.systems_end", "STACKPROOF_SYSTEMS_END", values.one_of("kill", "stop"), "kill",
            "how systems end with their scenario; stop: by SIGTERM, so that they write coverage"),
    Setting("run.verbose", "INTEGRATION_TEST_VERBOSE", values.flag, False,
            "show every step"),
    Setting("run.log_level", "LOG_LEVEL", values.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
            "INFO", "of the suite's own log"),
    Setting("run.reports", "STACKPROOF_REPORTS", str, "reports",
            "directory for results, logs and evidence"),
    Setting("run.figures", "STACKPROOF_FIGURES", str, ".stackproof/figures.sqlite",
            "file where measured values of all runs are kept"),
    Setting("run.allow_skipped", "STACKPROOF_ALLOW_SKIPPED", values.flag, False,
            "scenarios that did not run do not make the run fail"),
    Setting("run.memory_mb", "STACKPROOF_MEMORY_MB", values.count, 0,
            "memory for all services at once in MiB; 0: half of what is free"),
    Setting("run.random_order", "STACKPROOF_RANDOM_ORDER", str, "",
            "seed for a random order of features and scenarios; empty: as written"),
    Setting("run.prefix", "STACKPROOF_PREFIX", names.prefix, "stackproof",
            "what the names of topics, queues, keys, ... of a run begin with"),
    Setting("run.seed", "STACKPROOF_SEED", values.count, 0,
            "seed of generated inputs; 0: a new one each run, printed"),
)  # fmt: skip

_BY_KEY = {setting.key: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Settings:
    """All settings of a run with their origins. Plain data: workers receive a copy."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    systems: Mapping[str, SystemSettings]
    file: Path | None
    services: Mapping[str, ServiceSettings] = field(default_factory=dict)

    def service(self, name: str) -> ServiceSettings:
        """What is configured for a service."""
        return self.services.get(name) or ServiceSettings(name)

    def provider_of(self, service: str) -> tuple[str, str]:
        """Which provider is asked for, and where that is said.

        A higher layer overrides a lower one; within a layer, what is said of the service.
        """
        origin = self.origins["stack.provider"]
        own = self.service(service)
        if own.provider and rank(own.provider_origin) >= rank(origin):
            given = own.provider_origin == COMMAND_LINE
            return own.provider, COMMAND_LINE if given else f"[services.{service}] in {self.file}"
        return self.values["stack.provider"], origin

    @property
    def figures_file(self) -> Path:
        """Where figures are kept; a relative one lies beside ``stackproof.toml``."""
        return absolute(self.values["run.figures"], self.file.parent if self.file else None)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def system(self, name: str) -> SystemSettings:
        """The system called ``name``.

        Raises:
            Trouble: none is configured under this name.
        """
        if name not in self.systems:
            raise Trouble(
                f"no system is called {name!r}",
                f"{self.file or FILE_NAME} knows: {', '.join(self.systems) or 'none'}",
                values.did_you_mean(name, self.systems, f"add a section [systems.{name}]"),
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
    of_services = {
        key.removeprefix(_SERVICES): text
        for key, text in command_line.items()
        if key.startswith(_SERVICES)
    }
    for key in [*in_file, *command_line]:
        if key not in _BY_KEY and not key.startswith(_SERVICES):
            raise values.unknown_key(key, _BY_KEY, f"{file}" if key in in_file else COMMAND_LINE)
    read: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        key = setting.key
        if key in command_line:
            text, origin = command_line[key], COMMAND_LINE
        elif environment.get(setting.variable):
            text, origin = environment[setting.variable], f"environment {setting.variable}"
        elif key in in_file:
            text, origin = values.text(in_file[key]), str(file)
        else:
            read[key], origins[key] = setting.default, DEFAULT
            continue
        try:
            read[key] = setting.parse(text)
        except ValueError as error:
            raise Trouble(
                f"the setting {key} cannot be {text!r}",
                f"{error} (from {origin})",
                f"{setting.help}; the default is {setting.default!r}",
            ) from error
        origins[key] = origin
    systems = _systems(content, file)
    services = read_services(content.get("services", {}), file, environment, of_services)
    return Settings(read, origins, systems, file, services)


def load_systems(directory: Path | None = None) -> dict[str, SystemSettings]:
    """The systems alone, by name; they are known before any steps are loaded.

    Args:
        directory: where ``stackproof.toml`` is looked for, and above it.

    Raises:
        Trouble: an unknown key or a value that cannot be understood.
    """
    file = _find_file(directory or Path.cwd(), os.environ)
    return _systems(_read(file), file) if file else {}


def _systems(content: Mapping[str, Any], file: Path | None) -> dict[str, SystemSettings]:
    tables = content.get("systems", {})
    return {name: read_system(name, table, file) for name, table in tables.items()}


def _find_file(directory: Path, environment: Mapping[str, str]) -> Path | None:
    named = environment.get("STACKPROOF_CONFIG")
    if named:
        file = absolute(named)
        if not file.is_file():
            raise Trouble(f"{named} does not exist", "STACKPROOF_CONFIG names it", "correct it")
        return file.resolve()
    for place in (directory.absolute(), *directory.absolute().parents):
        if (place / FILE_NAME).is_file():
            return place / FILE_NAME
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(texts.read(file))
    except tomllib.TOMLDecodeError as error:
        raise Trouble(f"{file} cannot be read", str(error), "correct the file") from error
    for section in content:
        if section not in _SECTIONS:
            raise values.unknown_key(section, _SECTIONS, str(file))
        if not isinstance(content[section], dict):
            raise Trouble(f"[{section}] in {file} is not a section", "", f"write [{section}]")
    return content
