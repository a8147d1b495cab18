"""Reaching the container engine, and Compose."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stackproof.errors import Trouble
from stackproof.paths import find_program

if TYPE_CHECKING:
    from docker import DockerClient

#: Where Compose files may include others since.
OLDEST_COMPOSE = (2, 20)
_DEFAULT_HOST = (
    "npipe:////./pipe/docker_engine" if sys.platform == "win32" else "unix:///var/run/docker.sock"
)
_ANSWERS_WITHIN = 5.0
#: Seconds for one request: the engine may be busy with others' containers.
_REQUEST = 60.0
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Engine:
    """A container engine that has answered.

    Attributes:
        host: its address, as in ``DOCKER_HOST``.
        version: of the engine.
        api: version of its interface that is spoken.
    """

    host: str
    version: str
    api: str

    def client(self, *, timeout: float = _REQUEST) -> DockerClient:
        """A client of its own for one thread; ``timeout`` in seconds for each request."""
        return client_of(self.host, self.api, timeout=timeout)


def client_of(host: str, api: str, *, timeout: float = _REQUEST) -> DockerClient:
    """A client; nothing is asked yet."""
    from docker import DockerClient

    return DockerClient.from_env(
        version=api,
        timeout=int(timeout),
        environment={**os.environ, "DOCKER_HOST": host},
    )


def engine_host() -> str:
    """The engine's address: ``DOCKER_HOST``, or that of the Docker context in use."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    from docker.context import ContextAPI

    with contextlib.suppress(Exception):  # a context that cannot be read: told when it is used
        name = os.environ.get("DOCKER_CONTEXT")
        context = ContextAPI.get_context(name) if name else ContextAPI.get_current_context()
        if context is not None and context.Host:
            return str(context.Host).replace("http+unix://", "unix://")
    return _DEFAULT_HOST


def find_engine() -> Engine:
    """The engine of this machine.

    Raises:
        Trouble: none answers, it must not be used, or it is another machine's.
    """
    import docker.errors
    import requests.exceptions

    host = engine_host()
    _refuse_foreign(host)
    _knock(host)
    try:
        with contextlib.closing(client_of(host, "auto", timeout=_ANSWERS_WITHIN)) as client:
            told = client.version()
            return Engine(host, told["Version"], client.api._version)
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise no_engine(host, str(error)) from error


def _refuse_foreign(host: str) -> None:
    """Ports are published on the engine's loopback, files mounted from its disk."""
    parts = urlsplit(host)
    if parts.scheme in ("unix", "npipe", "http+unix") or parts.hostname in _HERE:
        return
    raise Trouble(
        "the container engine is another machine's",
        f"{host}: ports published on its loopback cannot be reached from here",
        "use an engine of this machine (unset DOCKER_HOST), or STACK=native",
    )


def _knock(host: str) -> None:
    """Tell the common causes apart, which the SDK wraps into one another."""
    if not host.startswith("unix://") or sys.platform == "win32":
        return
    path = host.removeprefix("unix://")
    try:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as knock:
            knock.settimeout(_ANSWERS_WITHIN)
            knock.connect(path)
    except PermissionError as error:
        raise Trouble(
            "the container engine must not be used by this user",
            f"{path}: {error.strerror}",
            "add the user to the group that owns the socket (`sudo usermod -aG docker $USER`, "
            "then log in again), use a rootless engine, or STACK=native",
        ) from error
    except OSError as error:
        raise no_engine(host, error.strerror or str(error)) from error


def no_engine(host: str, why: str) -> Trouble:
    """Nobody answers there."""
    return Trouble(
        "no container engine answers",
        f"{host}: {why}",
        "start Docker (Linux: `sudo systemctl start docker`; else Docker Desktop), "
        "or run without containers: STACK=native",
    )


def find_compose() -> tuple[tuple[str, ...], str]:
    """How Compose is called, and its version.

    Raises:
        Trouble: it is missing or too old.
    """
    told = ""
    command: tuple[str, ...]
    for command in (("docker", "compose"), ("docker-compose",)):
        program = find_program(command[0])
        if program is None:
            continue
        command = (str(program), *command[1:])
        try:
            done = subprocess.run(
                [*command, "version", "--short"],
                capture_output=True, text=True, errors="replace", timeout=30,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            told = str(error)
            continue
        version = done.stdout.strip().removeprefix("v")
        numbers = version.split(".")
        if done.returncode == 0 and numbers[0].isdecimal():
            if tuple(int(n) for n in numbers[:2] if n.isdecimal()) >= OLDEST_COMPOSE:
                return command, version
            told = f"{' '.join(command)} is version {version}"
    oldest = ".".join(map(str, OLDEST_COMPOSE))
    raise Trouble(
        "Docker Compose is missing" if not told else "Docker Compose cannot be used",
        told or "neither `docker compose` nor `docker-compose` can be called",
        f"install Compose {oldest} or newer (Debian: apt-get install docker-compose-plugin "
        "from Docker's repository), or run without containers: STACK=native",
    )


def compose_file(service: str) -> Path:
    """The Compose file of a service.

    Raises:
        Trouble: there is none.
    """
    # Beside the package in a checkout; below the environment's prefix when it is installed.
    places = [Path(__file__).parents[3] / "compose", Path(sys.prefix, "share/stackproof/compose")]
    for place in places:
        if (place / f"{service}.yml").is_file():
            return place / f"{service}.yml"
    raise Trouble(
        f"{service} has no Compose file",
        f"looked for {service}.yml in {' and '.join(map(str, places))}",
        "run it natively: STACK=native",
    )


def compose_environment(engine: Engine, variables: Mapping[str, str]) -> dict[str, str]:
    """What Compose is to know; never what a person's shell has for Compose itself."""
    return {
        **variables,
        "DOCKER_HOST": engine.host,
        "COMPOSE_PROJECT_NAME": "",
        "COMPOSE_FILE": "",
        "COMPOSE_ENV_FILES": "",
        "COMPOSE_REMOVE_ORPHANS": "",
        "COMPOSE_MENU": "false",
    }
