"""Finding Compose and the suite's files for it; building it where there is none."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping

from stackproof.errors import Trouble
from stackproof.obtain import Cache, GoArtifact
from stackproof.paths import find_program
from stackproof.stack.docker.engine import Engine

#: Where Compose files may hold the content of a server's files since.
OLDEST_COMPOSE = (2, 23, 1)
VERSION = "2.40.3"
#: For machines that have an engine without Compose, as Debian's package `docker.io` is.
COMPOSE = GoArtifact(
    "docker-compose",
    f"Docker Compose {VERSION}",
    module=f"github.com/docker/compose/v2@v{VERSION}",
    package="./cmd",
    deadline=1500,  # some 200 s of work; a busy machine takes its time
    ldflags=f"-s -w -X github.com/docker/compose/v2/internal.Version=v{VERSION}",
)


def find_compose() -> tuple[tuple[str, ...], str]:
    """How Compose is called, and its version: the machine's own, else the one built here.

    Raises:
        Trouble: it is missing or too old.
    """
    told = ""
    for command in _candidates():
        try:
            done = subprocess.run(
                [*command, "version", "--short"],
                capture_output=True, text=True, errors="replace", timeout=30,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            told = told or str(error)
            continue
        version = done.stdout.strip().removeprefix("v")
        numbers = version.split(".")
        if done.returncode == 0 and numbers[0].isdecimal():
            if tuple(int(n) for n in numbers[:3] if n.isdecimal()) >= OLDEST_COMPOSE:
                return command, version
            told = f"{' '.join(command)} is version {version}"
    oldest = ".".join(map(str, OLDEST_COMPOSE))
    raise Trouble(
        "Docker Compose is missing" if not told else "Docker Compose cannot be used",
        told or "neither `docker compose` nor `docker-compose` can be called",
        f"install Compose {oldest} or newer (Debian: apt-get install docker-compose-plugin from "
        "Docker's repository; `stackproof images compose` builds it with Go), or run without "
        "containers: STACK=native",
    )


def usable() -> bool:
    """Whether Compose is there and new enough."""
    try:
        find_compose()
    except Trouble:
        return False
    return True


def _candidates() -> Iterator[tuple[str, ...]]:
    if (docker := find_program("docker")) is not None:
        yield str(docker), "compose"
    if (alone := find_program("docker-compose")) is not None:
        yield (str(alone),)
    cache = Cache()
    if cache.has(COMPOSE):
        yield (str(COMPOSE.program(cache)),)


def compose_environment(engine: Engine, variables: Mapping[str, str]) -> dict[str, str]:
    """What Compose is to know; never what a person's shell has for Compose itself."""
    return {
        **variables,
        "DOCKER_HOST": engine.host,
        "COMPOSE_PROJECT_NAME": "",
        "COMPOSE_FILE": "",
        "COMPOSE_PROFILES": "",
        "COMPOSE_ENV_FILES": "",
        "COMPOSE_REMOVE_ORPHANS": "",
        "COMPOSE_MENU": "false",
    }
