"""Services as ``[services.NAME]`` and the environment describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof import values
from stackproof.errors import Trouble
from stackproof.masking import register_secret
from stackproof.paths import absolute
from stackproof.services import service, service_names
from stackproof.services.external import connection_settings
from stackproof.services.nodes import Service as NodeService
from stackproof.settings.nodes import NodeSettings, read_nodes

PROVIDERS = ("auto", "docker", "native", "external")
_OWN_KEYS = ("provider", "version", "command", "allow_destructive", "nodes")
#: Of these, what only the file may say.
_FILE_ALONE = _OWN_KEYS[2:]


@dataclass(frozen=True)
class ServiceSettings:
    """How one service is provided and, if it is somebody's endpoint, reached. Plain data.

    Attributes:
        name: the service.
        provider: one of `PROVIDERS`; empty: as ``stack.provider`` says.
        texts: what is known of the endpoint, as text by key; secrets included.
        origins: where each of these came from.
        allow_destructive: addresses that destructive steps may touch although the suite
            did not start what is there.
        provider_origin: where the provider is said.
        version: of the service's own servers; empty: the suite's choice.
        command: a program in their place, with arguments; empty: none.
        nodes: how its nodes are broken and healed, by their names.
    """

    name: str
    provider: str = ""
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    origins: Mapping[str, str] = field(default_factory=dict)
    allow_destructive: tuple[str, ...] = ()
    provider_origin: str = values.DEFAULT
    nodes: Mapping[str, NodeSettings] = field(default_factory=dict)
    version: str = ""
    command: tuple[str, ...] = field(default=(), repr=False)


def read_services(
    tables: Mapping[str, Any],
    file: Path | None,
    environment: Mapping[str, str],
    command_line: Mapping[str, str],
) -> dict[str, ServiceSettings]:
    """Read every section ``[services.NAME]`` and what stands for it in the other layers.

    Args:
        tables: the sections by name.
        file: where they stand.
        environment: variables by name.
        command_line: texts by key without ``services.``, e.g. "kafka.bootstrap_servers".

    Raises:
        Trouble: an unknown service or key, or a secret where none may stand.
    """
    for place, name in [
        *((f"[services.{name}] in {file}", name) for name in tables),
        *((f"--set services.{key}", key.partition(".")[0]) for key in command_line),
    ]:
        try:
            service(name)
        except Trouble as trouble:
            raise Trouble(trouble.what, f"{place}: {trouble.why}", trouble.remedy) from None
    return {
        name: _read(name, tables.get(name, {}), file, environment, command_line)
        for name in service_names()
    }


def _read(
    name: str,
    table: Any,
    file: Path | None,
    environment: Mapping[str, str],
    command_line: Mapping[str, str],
) -> ServiceSettings:
    where = f"[services.{name}] in {file}"
    if not isinstance(table, dict):
        raise Trouble(f"{where} is not a section", "", f"write [services.{name}]")
    known = {setting.key: setting for setting in connection_settings(service(name))}
    given = {
        key.partition(".")[2]: text
        for key, text in command_line.items()
        if key.partition(".")[0] == name
    }
    for key, place in [*((k, where) for k in table), *((k, values.COMMAND_LINE) for k in given)]:
        if place == values.COMMAND_LINE and key.partition(".")[0] in _FILE_ALONE:
            raise Trouble(
                f"{key} cannot be given on the command line",
                "what is run, and what may be broken, belongs in a file that is reviewed",
                f"write it into [services.{name}] of {values.FILE_NAME}",
            )
        if key not in known and key not in _OWN_KEYS:
            raise values.unknown_key(key, [*known, *_OWN_KEYS], place)
    texts: dict[str, str] = {}
    origins: dict[str, str] = {}
    ranks: dict[str, int] = {}
    for key, setting in known.items():
        variable = next((v for v in setting.variables if _set(environment, v)), None)
        if key in given:
            texts[key], origins[key] = given[key], values.COMMAND_LINE
        elif variable is not None:
            texts[key], origins[key] = environment[variable], f"environment {variable}"
        elif key in table:
            texts[key], origins[key] = _scalar(table[key], key, where), str(file)
        else:
            continue
        ranks[key] = rank(origins[key])
        if setting.is_file and texts[key]:
            # A system under test runs elsewhere.
            base = file.parent if file is not None and key not in given and not variable else None
            texts[key] = str(absolute(texts[key], base))
        if setting.secret:
            if variable is None or key in given:
                raise Trouble(
                    f"the secret {name}.{key} must not stand in {origins[key]}",
                    "files of a project and command lines are read by others",
                    f"put it into a file and name that as {key}_file, "
                    f"or set the variable {setting.variables[0]}",
                )
            register_secret(texts[key])
    for key in [key for key in texts if f"{key}_file" in texts]:
        # Of a secret and its file the one from the higher layer counts.
        lower = key if ranks[key] < ranks[f"{key}_file"] else f"{key}_file"
        del texts[lower], origins[lower]
    provider = given.get("provider") or values.text(table.get("provider", ""))
    try:
        provider = values.one_of(*PROVIDERS)(provider) if provider else ""
    except ValueError as error:
        place = values.COMMAND_LINE if given.get("provider") else where
        raise Trouble(f"the provider in {place} cannot be used", str(error), "correct it") from None
    allowed = table.get("allow_destructive", [])
    if not isinstance(allowed, list) or not all(isinstance(a, str) for a in allowed):
        raise Trouble(
            f"allow_destructive in {where} cannot be {allowed!r}",
            "a list of addresses is expected, each as the suite connects to it",
            'e.g. allow_destructive = ["broker.staging:9092"]',
        )
    origin = values.COMMAND_LINE if given.get("provider") else str(file)
    return ServiceSettings(
        name, provider, texts, origins, tuple(allowed), origin if provider else values.DEFAULT,
        read_nodes(name, table.get("nodes", {}), str(file)),
        *_own(name, table, given, origins, file),
    )  # fmt: skip


def _own(
    name: str,
    table: Mapping[str, Any],
    given: Mapping[str, str],
    origins: dict[str, str],
    file: Path | None,
) -> tuple[str, tuple[str, ...]]:
    """Version and command; where they are said is added to ``origins``.

    Raises:
        Trouble: one of them cannot be used.
    """
    where, version, command = f"[services.{name}] in {file}", "", table.get("command")
    for source, origin in ((table, where), (given, values.COMMAND_LINE)):
        if "version" in source:
            version, origins["version"] = _scalar(source["version"], "version", where), origin
    if command is not None:
        texts = isinstance(command, list) and all(isinstance(word, str) for word in command)
        if not texts or not command or not command[0].strip():
            kind = "empty" if not command else f"a {type(command).__name__}"  # it may hold secrets
            raise Trouble(
                f"command in {where} cannot be used",
                f"it is {kind}; a program and its arguments are expected, each a text of its own",
                'e.g. command = ["./valkey-server", "{file:redis.conf}"]',
            )
        origins["command"] = where
        if "/" in command[0] and file is not None:
            command = [str(absolute(command[0], file.parent)), *command[1:]]
    if (version or command) and isinstance(own := service(name), NodeService):
        own.chosen(version, command or ())  # what cannot be is told before anything starts
    return version, tuple(command or ())


def _set(environment: Mapping[str, str], variable: str) -> bool:
    """Whether a person has set a variable.

    Kubernetes and Docker give every container the address of a service called "redis" by
    ``REDIS_PORT=tcp://10.0.0.1:6379``.
    """
    text = environment.get(variable, "")
    return bool(text) and not (variable.endswith("_PORT") and "://" in text)


def rank(origin: str) -> int:
    """The layer that an origin belongs to; a higher one overrides a lower one."""
    if origin == values.COMMAND_LINE:
        return 3
    if origin.startswith("environment "):
        return 2
    return 0 if origin == values.DEFAULT else 1


def _scalar(value: Any, key: str, where: str) -> str:
    if isinstance(value, dict | list):
        raise Trouble(
            f"{key} in {where} cannot be {value!r}", "one value is expected", "correct it"
        )
    return values.text(value)
