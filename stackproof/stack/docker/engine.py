"""Reaching the container engine."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stackproof.errors import Trouble

if TYPE_CHECKING:
    from docker import DockerClient

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
