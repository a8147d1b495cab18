"""Removing containers, networks and volumes: of a cluster, or whatever a run has left.

`reap` is called by name from `stackproof.processes.reaper`, in the run's own process, in its
watcher, or by ``stackproof down``.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes import reaper
from stackproof.processes.run import Run
from stackproof.stack.docker.engine import Engine, client_of

if TYPE_CHECKING:
    from docker import DockerClient

RUN_LABEL = "stackproof.run"
PROJECT_LABEL = "com.docker.compose.project"
_ENGINE_FILE = "docker.json"
_STARTING = "docker-starting-"
#: A request of a Compose that was killed is still carried out by the engine: for so long after
#: the last sight of a container or network more of them may come.
_SETTLED_AFTER = 2.5
_SETTLES_WITHIN = 30.0


def register(run: Run, engine: Engine) -> None:
    """Have the run's containers removed with it, whoever ends it. Before the first exists."""
    (run.directory / _ENGINE_FILE).write_text(
        json.dumps({"host": engine.host, "api": engine.api}), encoding="utf-8"
    )
    reaper.also(run, __name__)


def mark_starting(run: Run, project: str) -> Path:
    """Whoever finds this file after the run's death waits for what the engine still makes.

    To be removed when Compose has ended by itself.
    """
    mark = run.directory / f"{_STARTING}{project}"
    mark.touch()
    return mark


def project_name(run: Run, cluster: str) -> str:
    """The Compose project of a cluster; tells the run."""
    return f"{_prefix(run)}{cluster}"


def _prefix(run: Run) -> str:
    return f"stackproof-{run.id}-"


def reap(run: Run) -> list[str]:
    """Remove every container, network and volume of a run.

    Returns:
        What was found, whether it could be removed or not; nothing: there is none any more.
    """
    import docker.errors
    import requests.exceptions

    try:
        known = json.loads((run.directory / _ENGINE_FILE).read_text(encoding="utf-8"))
        host, api = str(known["host"]), str(known["api"])
    except FileNotFoundError:
        return []  # it never came to start anything
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"containers of run {run.id}, whose engine is not known ({error})"]
    client = client_of(host, api)

    def belongs(labels: dict[str, str]) -> bool:
        return labels.get(RUN_LABEL) == run.id or labels.get(PROJECT_LABEL, "").startswith(
            _prefix(run)
        )

    try:
        found = remove(client, belongs)
        marks = list(run.directory.glob(f"{_STARTING}*"))
        if marks:
            found += _settle(client, belongs)
            for mark in marks:
                mark.unlink(missing_ok=True)
        return found
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        return [f"containers of run {run.id}: the engine at {host} says: {error}"]
    finally:
        client.close()


def _settle(client: DockerClient, belongs: Callable[[dict[str, str]], bool]) -> list[str]:
    """Remove what still appears, until nothing has for a while."""
    found: list[str] = []
    last = time.monotonic()

    def quiet() -> bool:
        nonlocal last
        if more := remove(client, belongs):
            found.extend(more)
            last = time.monotonic()
        return time.monotonic() - last >= _SETTLED_AFTER

    with contextlib.suppress(DeadlineExceeded):
        poll(quiet, within=_SETTLES_WITHIN, awaiting="the engine to have settled")
    return found


def remove(client: DockerClient, belongs: Callable[[dict[str, str]], bool]) -> list[str]:
    """Kill and remove containers with their data, then networks and volumes, by their labels.

    Returns:
        What was found.

    Raises:
        DockerException: something resists.
    """
    api = client.api
    containers = [c for c in api.containers(all=True) if belongs(c["Labels"] or {})]
    if containers:
        with ThreadPoolExecutor(len(containers)) as pool:
            list(pool.map(lambda c: _gone(partial(_remove_container, api, c["Id"])), containers))
    networks = [n for n in api.networks() if belongs(n["Labels"] or {})]
    for network in networks:
        _gone(partial(api.remove_network, network["Id"]))
    volumes = [v for v in api.volumes()["Volumes"] or [] if belongs(v["Labels"] or {})]
    for volume in volumes:
        _gone(partial(api.remove_volume, volume["Name"], force=True))
    return [
        *(f"container {c['Names'][0].lstrip('/') if c['Names'] else c['Id']}" for c in containers),
        *(f"network {n['Name']}" for n in networks),
        *(f"volume {v['Name']}" for v in volumes),
    ]


def _remove_container(api: Any, container: str) -> None:
    # `v`: anonymous volumes, which carry no label, go with their container and only with it.
    api.remove_container(container, force=True, v=True)


def _gone(removal: Callable[[], object]) -> None:
    """Do it; somebody else who was quicker, or is just at it, does no harm."""
    import docker.errors

    try:
        removal()
    except docker.errors.NotFound:
        pass
    except docker.errors.APIError as error:
        if "already in progress" not in str(error):
            raise
