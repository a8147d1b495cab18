"""Nodes of PostgreSQL whose primary Patroni chooses, and an etcd in which it keeps who that is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from stackproof.obtain import PackagesArtifact
from stackproof.services import service
from stackproof.services.base import Image
from stackproof.services.postgresql.known import ETCD, USER
from stackproof.services.where import Node, Where
from stackproof.urls import host_and_port

PATRONI = PackagesArtifact(("patroni==4.1.5", "python-etcd==0.4.5", "dnspython==2.9.2"))
#: Nobody publishes one with PostgreSQL in it that is called like this.
IMAGE = Image("PATRONI_IMAGE", "stackproof/patroni:4.1.5", "stackproof/patroni:4.1.5")
#: Seconds: the smallest time that Patroni allows until a silent primary is replaced; how often it
#: looks; how long it tries to reach etcd before the primary steps down.
_TTL, _LOOP_WAIT, _RETRY_TIMEOUT = 20, 2, 6
_FILE, _KEEPER = "patroni.json", "keeper.py"
_PATRONI_MB = 64


def managed_nodes(where: Where, settings: dict[str, Any], *, volume: str) -> list[Node]:
    """The etcd, then the servers, each with a Patroni of its own.

    Args:
        where: with the options of `PostgreSQL`.
        settings: of every server, as PostgreSQL calls them.
        volume: where its image keeps data.
    """
    names = [f"node-{number + 1}" for number in range(1 + where.options["replicas"])]
    servers = [_server(where, name, names, settings, volume) for name in names]
    return [*servers, _etcd(where)]


def _server(
    where: Where, name: str, names: list[str], settings: dict[str, Any], volume: str
) -> Node:
    data = where.data(name, volume)
    programs = Path(where.program("postgres")).parent
    options, packages = where.options, where.obtained(PATRONI)
    told = {
        "scope": "stackproof",
        "name": name,
        "etcd3": {"hosts": [host_and_port(*where.peer(ETCD))]},
        "restapi": {
            "listen": host_and_port(*where.listen(name, "agent")),
            "connect_address": host_and_port(*where.peer(name, "agent")),
        },
        "bootstrap": {
            "dcs": {
                "ttl": _TTL, "loop_wait": _LOOP_WAIT, "retry_timeout": _RETRY_TIMEOUT,
                "failsafe_mode": True,  # without etcd a primary goes on that all others hear
                "primary_start_timeout": 0,  # another one is promoted rather than waited for
                "synchronous_mode": bool(options["synchronous"]),
                "synchronous_node_count": max(1, options["synchronous"]),
                # pg_rewind syncs every file, and data is small: what only an old primary has goes
                # with its copy.
                "postgresql": {
                    "use_pg_rewind": False,
                    "remove_data_directory_on_diverged_timelines": True,
                    "parameters": settings,
                },
            },
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "no-sync"],
        },
        "postgresql": {
            "listen": host_and_port(*where.listen(name)),
            "connect_address": host_and_port(*where.peer(name)),
            "data_dir": f"{data}/main",
            **({"bin_dir": str(programs)} if programs.is_absolute() else {}),
            "pgpass": f"{data}/pgpass",
            "authentication": {who: {"username": USER} for who in ("superuser", "replication")},
            "parameters": {"unix_socket_directories": ""},
            "pg_hba": ["host all all all trust", "host replication all all trust"],
            "basebackup": [{"checkpoint": "fast"}, "no-sync"],
        },
    }  # fmt: skip
    python = sys.executable if packages else "python3"
    return Node(
        name,
        [python, where.file(name, _KEEPER), python, "-m", "patroni", where.file(name, _FILE)],
        image=IMAGE,
        files={
            _FILE: json.dumps(told, indent=1),
            _KEEPER: Path(__file__).with_name(_KEEPER).read_text(encoding="utf-8"),
        },
        env={"PYTHONPATH": str(packages)} if packages else {},
        roles=("client", "agent"),
        data=data,
        user="postgres",
        refuses_root=True,
        after=(ETCD,) if name == names[0] else (names[0],),
        memory_mb=96 + options["connections"] + _PATRONI_MB,
        health=("pg_isready", "-h", "127.0.0.1", "-U", USER),
    )


def _etcd(where: Where) -> Node:
    etcd = service("etcd")
    root, data = where.obtained(etcd.artifacts()[0]), where.data(ETCD, "/etcd-data")
    address, port = where.listen(ETCD)
    own = f"http://{host_and_port('0.0.0.0' if address == '*' else address, port)}"
    host, peers = where.listen(ETCD, "agent")
    for_peers = f"http://{host_and_port('0.0.0.0' if host == '*' else host, peers)}"
    reached = f"http://{host_and_port(*where.peer(ETCD))}"
    return Node(
        ETCD,
        [
            str(root / "usr/bin/etcd") if root else "etcd", "--name", ETCD, "--data-dir", data,
            "--listen-client-urls", own, "--advertise-client-urls", reached,
            "--listen-peer-urls", for_peers, "--initial-advertise-peer-urls", for_peers,
            "--initial-cluster", f"{ETCD}={for_peers}", "--logger", "zap",
        ],
        image=etcd.images()[0],
        data=data,
        memory_mb=96,
        health=("etcdctl", "--endpoints", f"http://127.0.0.1:{port}", "endpoint", "health"),
    )  # fmt: skip
