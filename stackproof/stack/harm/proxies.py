"""Toxiproxy between clients and servers: lost, slow, narrow and broken connections.

Its HTTP interface is spoken directly: https://github.com/Shopify/toxiproxy#http-api
"""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stackproof.actions import (
    Action,
    ClearClients,
    ClearPeers,
    CutClients,
    ResetClients,
    SlowClients,
    SlowPeers,
    ThrottleClients,
)
from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache, GoArtifact, Say
from stackproof.polling import poll
from stackproof.ports import LOOPBACK
from stackproof.processes.environment import server_environment
from stackproof.processes.process import ManagedProcess
from stackproof.processes.run import Run

VERSION = "2.5.0"
TOXIPROXY = GoArtifact(
    "toxiproxy",
    f"Toxiproxy {VERSION}",
    module=f"github.com/Shopify/toxiproxy/v2@v{VERSION}",
    package="./cmd/server",
)
_ANSWERS_WITHIN = 15.0
_REQUEST = 5.0


_BOTH_WAYS = ("upstream", "downstream")


def toxics(action: Action) -> list[dict[str, Any]]:
    """What must be on the way to a server, in Toxiproxy's terms; none: it is clear.

    Raises:
        NotSupported: that is done in another way than by proxies.
    """
    match action:
        case CutClients():
            return [_toxic("timeout", way, timeout=0) for way in _BOTH_WAYS]
        case SlowClients(latency, jitter):
            return [_toxic("latency", "downstream", latency=latency, jitter=jitter)]
        case ThrottleClients(kilobytes):
            return [_toxic("bandwidth", way, rate=kilobytes) for way in _BOTH_WAYS]
        case ResetClients():
            return [_toxic("reset_peer", "downstream", timeout=0)]
        case SlowPeers(latency):
            return [_toxic("latency", way, latency=latency, jitter=0) for way in _BOTH_WAYS]
        case ClearClients() | ClearPeers():
            return []
    raise NotSupported(f"this provider cannot {action} an instance")


def _toxic(kind: str, stream: str, **attributes: int) -> dict[str, Any]:
    return {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}


class Proxies:
    """One Toxiproxy with a proxy for each instance of a cluster.

    Args:
        run: it is a process of this run.
        cluster: name of the cluster.
        log: receives what it prints.
        api: its port.
        routes: ports to connect to, each with the server's own, by what the way is called.
        host: address of all of them.
        inside: ID of a process in whose network they are; None: in this one's.
    """

    def __init__(
        self,
        run: Run,
        cluster: str,
        log: Path,
        api: int,
        routes: Mapping[str, Sequence[tuple[int, int]]],
        *,
        host: str = LOOPBACK,
        inside: int | None = None,
    ):
        self._run = run
        self._cluster = cluster
        self._log = log
        self._api = f"http://{host}:{api}"
        self._host = host
        self._enter = ["nsenter", "--target", str(inside), "--net", "--"] if inside else []
        self._port = api
        self._routes = routes
        self._process: ManagedProcess | None = None

    def start(self, cache: Cache, say: Say) -> None:
        """Start it with all proxies.

        Raises:
            NotSupported: it cannot be obtained on this machine.
            Trouble: it does not answer.
        """
        try:
            cache.ensure(TOXIPROXY, say)
        except Trouble as trouble:
            raise NotSupported(
                "connections of clients cannot be broken here", str(trouble), trouble.remedy
            ) from trouble
        self._process = process = ManagedProcess(
            f"toxiproxy of {self._cluster}",
            [*self._enter, str(TOXIPROXY.program(cache)),
             "-host", self._host, "-port", str(self._port)],
            log=self._log,
            cwd=self._run.directory,
            env=server_environment({"LOG_LEVEL": "warn"}),
            alone=True,
            run=self._run,
        )  # fmt: skip
        proxies = [
            {"name": name, "listen": f"{self._host}:{listen}",
             "upstream": f"{self._host}:{upstream}"}
            for way, ports in self._routes.items()
            for name, (listen, upstream) in zip(self._names(way), ports, strict=True)
        ]  # fmt: skip
        poll(
            lambda: self._ask("GET", "/version"),
            until=lambda _: True,
            within=_ANSWERS_WITHIN,
            awaiting="Toxiproxy to answer",
            retry_on=(OSError,),
            alive=process.death,
        )
        self._ask("POST", "/populate", [{**proxy, "enabled": True} for proxy in proxies])

    def death(self) -> str | None:
        """None while it runs."""
        return self._process.death() if self._process is not None else None

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()

    def _names(self, way: str) -> list[str]:
        """Of Toxiproxy's proxies on a way."""
        return [f"{way}.{number}" for number in range(1, len(self._routes[way]) + 1)]

    def put(self, instance: str, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Have exactly these toxics on the way to an instance; none: it is clear.

        Raises:
            Trouble: Toxiproxy refuses.
        """
        try:
            for name in self._names(instance):
                for toxic in self._ask("GET", f"/proxies/{name}/toxics"):
                    self._ask("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")
                for toxic in wanted:
                    self._ask("POST", f"/proxies/{name}/toxics", toxic)
        except OSError as error:
            told = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
            raise Trouble(
                f"Toxiproxy did not change the way to {instance}",
                f"{error} {told}".strip(),
                f"its log: {self._log}",
            ) from error

    def unclear(self) -> str | None:
        """What is on the way to an instance, as Toxiproxy says; None: all ways are clear."""
        try:
            proxies = self._ask("GET", "/proxies")
        except OSError as error:
            return f"Toxiproxy does not answer: {error}"
        for way in self._routes:
            for proxy in (proxies.get(name, {}) for name in self._names(way)):
                if not proxy.get("enabled"):
                    return f"the way to {way} is closed"
                if proxy["toxics"]:
                    return f"on the way to {way} is {proxy['toxics'][0]['name']}"
        return None

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        import urllib.request  # loads much, and few runs break a network

        request = urllib.request.Request(
            self._api + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        # Not through a proxy of the user's: it is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_REQUEST) as response:
            told = response.read()
        return json.loads(told) if told[:1] in (b"{", b"[") else None
