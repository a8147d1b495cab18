"""The stand-alone Compose file of a Redis Cluster, as processes in place of its containers.

Each has an address of loopback; `redis-cli` and `getent` are told which, as a container's network
tells them.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from redis import Redis as Client

from stackproof.obtain import Cache
from stackproof.obtain.debian import library_path
from stackproof.polling import poll
from stackproof.ports import free_port
from stackproof.services.redis import Redis
from tests.stack.conftest import posix_only

pytestmark = posix_only
FILE = Path(__file__).parents[2] / "compose/redis-cluster.yml"
#: By what comes last in its address: who asks, or the node that it names.
CLI = """#!/bin/sh
host=$HERE
[ "$1" != -h ] || { host=127.0.0.1${2#node-}; shift 2; }
exec %s -h $host "$@"
"""
GETENT = "#!/bin/sh\necho 127.0.0.1${2#node-} $2\n"


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[tuple[dict[str, list[str]], dict[str, dict[str, str]]]]:
    """The health checks of the file's nodes, which run, and the environment of each."""
    cache = Cache()
    cache.ensure(Redis.server, lambda _: None)
    root = cache.path(Redis.server)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("redis-cli", CLI % (root / "usr/bin/redis-cli")), ("getent", GETENT)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    taken: dict[str, str] = {}

    def interpolated(text: str) -> str:
        text = re.sub(r"\$\{(\w+):-[^}]*\}",
                      lambda v: taken.setdefault(v[1], str(free_port())), text)  # fmt: skip
        return text.replace("$$", "$").replace("16379", taken.setdefault("bus", str(free_port())))

    project = yaml.safe_load(FILE.read_text())
    checks, environments, started = {}, {}, []
    try:
        for name, node in project["services"].items():
            here, place = f"127.0.0.1{name.removeprefix('node-')}", tmp_path / name
            place.mkdir()
            text = interpolated(project["configs"][f"{name}-redis.conf"]["content"])
            text = text.replace("bind *", f"bind {here}\nbind-source-addr {here}")
            text = text.replace("/data", str(place))
            (place / "redis.conf").write_text(text)
            environments[name] = {
                **os.environ, **library_path(root), "HERE": here,
                "PATH": f"{programs}:{os.environ['PATH']}",
            }  # fmt: skip
            started.append(subprocess.Popen(
                [root / "usr/bin/redis-server", place / "redis.conf"], env=environments[name],
                stdout=(place / "log").open("w"), stderr=subprocess.STDOUT,
            ))  # fmt: skip
            checks[name] = [interpolated(word) for word in node["healthcheck"]["test"][1:]]
        yield checks, environments
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_its_nodes_make_a_cluster_by_themselves(
    asked: tuple[dict[str, list[str]], dict[str, dict[str, str]]],
) -> None:
    checks, environments = asked

    def unhealthy() -> list[str]:
        return [
            name
            for name, check in checks.items()
            if subprocess.run(check, env=environments[name], capture_output=True, timeout=30)
            .returncode
        ]  # fmt: skip

    assert unhealthy() == list(checks)
    poll(unhealthy, until=lambda left: not left, within=60, awaiting="all nodes to be healthy")
    port = next(int(word) for word in re.findall(r"-p (\d+)", checks["node-1"][-1]))
    with Client("127.0.0.11", port) as client:
        told = client.execute_command("CLUSTER NODES")
    assert sorted(len(one["slots"]) for one in told.values()) == [0, 0, 0, 1, 1, 1]
    primaries = {one["node_id"] for one in told.values() if one["slots"]}
    assert {one["master_id"] for one in told.values() if not one["slots"]} == primaries
    assert {one["hostname"] for one in told.values()} == {"127.0.0.1"}
