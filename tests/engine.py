"""The container engine of this machine, for tests that need one."""

from __future__ import annotations

import contextlib
import os
import subprocess
from functools import cache
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.services import service
from stackproof.stack.docker.compose import find_compose
from stackproof.stack.docker.engine import Engine, find_engine

#: The machine's own, whatever tests set besides.
HOST = os.environ.get("DOCKER_HOST", "")


@cache
def the_engine() -> Engine:
    """The engine that answers here.

    Raises:
        Trouble: none does.
    """
    before = os.environ.get("DOCKER_HOST")
    try:
        if HOST:
            os.environ["DOCKER_HOST"] = HOST
        else:
            os.environ.pop("DOCKER_HOST", None)
        find_compose()
        return find_engine()
    finally:
        os.environ.pop("DOCKER_HOST", None)
        if before is not None:
            os.environ["DOCKER_HOST"] = before


def missing(*services: str) -> str:
    """Why tests with containers of these services cannot run here; empty: they can."""
    try:
        engine = the_engine()
    except Trouble as trouble:
        return f"{trouble.what}: {trouble.why}"
    from stackproof.stack.docker.images import Images

    for name in services:
        for image in service(name).images():
            if Images(engine).at_hand(image) is None:
                return f"no image of {name} is present (make images)"
    return ""


def of_run(run_id: str) -> list[str]:
    """Containers, networks and volumes of a run, asked by the command line."""
    lines = []
    for words in (
        ["ps", "--all", "--format", "container {{.Names}} {{.Labels}}"],
        ["network", "ls", "--format", "network {{.Name}} {{.Labels}}"],
        ["volume", "ls", "--format", "volume {{.Name}} {{.Labels}}"],
    ):
        lines += docker(*words).splitlines()
    return [line for line in lines if run_id in line]


def docker(*words: str) -> str:
    """What the command line of Docker prints."""
    environment = {**os.environ, "DOCKER_HOST": the_engine().host}
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def proxied(place: Path):
    """The engine behind a socket of our own; ends with the block, as if the engine died.

    Yields:
        The socket's address, and a function that ends the engine.
    """
    import socket
    import threading

    path = place / "engine.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    open_ones: list[socket.socket] = []
    target = the_engine().host.removeprefix("unix://")

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(target)
                open_ones.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    def end() -> None:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        path.unlink(missing_ok=True)
        for each in open_ones:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"unix://{path}", end
    finally:
        end()
