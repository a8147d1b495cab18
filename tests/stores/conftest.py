"""Servers that run outside of any run, as somebody else's do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from psycopg2 import Error as PostgreSQLError
from redis.exceptions import RedisError

from stackproof.obtain import Cache
from stackproof.obtain.debian import library_path
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.services import service
from stackproof.services.base import Endpoint
from stackproof.services.postgresql.client import asking, starting
from stackproof.services.redis.client import connect
from stackproof.stack.site import LocalSite

ROOT = Path(__file__).parents[2]
#: Starts a Redis with these arguments besides its port; returns its address.
StartRedis = Callable[..., str]


def endpoint_of(address: str) -> Endpoint:
    """A Redis that somebody else has started."""
    return Endpoint("redis", "e", "external", {"server": address})


@contextmanager
def ended(*argv: str, place: Path, **options: object) -> Iterator[subprocess.Popen]:
    """A process that ends with the block; its output in ``place``."""
    with (place / "output.txt").open("ab") as log:
        process = subprocess.Popen(argv, cwd=place, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, **options)  # type: ignore[call-overload] # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def said(process: subprocess.Popen, place: Path) -> str | None:
    """None while it runs, else its output."""
    return None if process.poll() is None else (place / "output.txt").read_text()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[StartRedis]:
    (artifact,) = service("redis").artifacts()
    root = Cache().ensure(artifact, lambda _: None)
    with ExitStack() as servers:

        def start(*arguments: str, file: str = "", also: Sequence[str] = ()) -> str:
            port = free_port()
            process = servers.enter_context(
                ended(str(root / "usr/bin/redis-server"), *filter(None, [file]), "--port",
                      str(port), "--bind", LOOPBACK, *(() if file else ("--save", "")),
                      *arguments, *also, place=tmp_path, env=library_path(root))
            )  # fmt: skip
            address = f"{LOOPBACK}:{port}"

            def answers() -> bool:
                with connect(endpoint_of(address), timeout=2) as client:
                    try:
                        return bool(client.ping())
                    except RedisError as error:
                        return "connect" not in str(error).lower()

            poll(answers, within=20, awaiting="Redis",
                 alive=lambda: said(process, tmp_path))  # fmt: skip
            return address

        yield start


#: By name: its rights to configure, to write and to read; the password is "pw" for all.
USERS = {
    "qa": ("^qa-.*", r"^(qa-.*|amq\.default)$", "^qa-.*"),
    "undefault": ("^qa-.*", "^qa-.*", "^qa-.*"),
    "reader": ("^$", "^$", ".*"),
    "writer": (".*", ".*", "^$"),
    "guest": (".*", ".*", ".*"),
}


@pytest.fixture(scope="session")
def rabbitmq_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a broker that knows `USERS`, with an empty virtual host and heartbeats of 1 s."""
    place = tmp_path_factory.mktemp("rabbitmq")
    rabbitmq, cache = service("rabbitmq"), Cache()
    for artifact in rabbitmq.artifacts():
        cache.ensure(artifact, lambda _: None)
    site = LocalSite("somebodys", place / "broker", rabbitmq.default_options(), cache)
    (spec,) = rabbitmq.lay_out(site)
    (spec.cwd / "definitions.json").write_text(json.dumps({
        "users": [{"name": name, "password": "guest" if name == "guest" else "pw", "tags": ""}
                  for name in USERS],
        "vhosts": [{"name": "/"}, {"name": "full", "limits": []}],
        "permissions": [{"user": name, "vhost": "/", "configure": c, "write": w, "read": r}
                        for name, (c, w, r) in USERS.items()],
    }))  # fmt: skip
    config = spec.cwd / "rabbitmq.config"
    added = f'{{heartbeat, 1}}, {{load_definitions, "{spec.cwd}/definitions.json"}}, '
    config.write_text(config.read_text().replace("{rabbit, [", "{rabbit, [" + added, 1))
    env = {**os.environ, **spec.env}
    with ended(*spec.argv, place=spec.cwd, env=env) as process:
        endpoint = Endpoint("rabbitmq", "e", "external", rabbitmq.addresses(site))
        poll(lambda: rabbitmq.check(endpoint, timeout=5), until=lambda _: True, within=90,
             awaiting="RabbitMQ", retry_on=rabbitmq.unready,
             alive=lambda: said(process, spec.cwd))  # fmt: skip
        yield endpoint.addresses["node-1"]


#: Starts a PostgreSQL with further settings and these rules of access; returns its address.
StartPostgreSQL = Callable[..., str]


@pytest.fixture
def postgresql_server(tmp_path: Path) -> Iterator[StartPostgreSQL]:
    postgresql, cache = service("postgresql"), Cache()
    for artifact in postgresql.artifacts():
        cache.ensure(artifact, lambda _: None)
    with ExitStack() as servers:

        def start(access: str = "", *settings: str, before: Sequence[str] = ()) -> str:
            """``before``: statements that are run before these settings and rules hold."""
            site = LocalSite("somebodys", tmp_path / "server", postgresql.default_options(), cache)
            (spec,) = postgresql.lay_out(site)
            env = {**os.environ, **spec.env}
            address = postgresql.addresses(site)["primary"]
            endpoint = Endpoint("postgresql", "e", "external", {"primary": address})

            def answers(process: subprocess.Popen) -> None:
                poll(lambda: postgresql.check(endpoint, timeout=5), until=lambda _: True,
                     within=60, awaiting="PostgreSQL", retry_on=postgresql.unready,
                     alive=lambda: said(process, spec.cwd))  # fmt: skip

            with ended(*spec.argv, place=spec.cwd, env=env) as process:
                answers(process)
                for statement in before:
                    run_statement(endpoint, statement)
                process.send_signal(signal.SIGINT)
                process.wait(30)
            with (spec.cwd / "postgresql.conf").open("a") as file:
                file.writelines(f"{line}\n" for line in settings)
            if access:
                (spec.cwd / "pg_hba.conf").write_text(access + "\n")
            process = servers.enter_context(ended(*spec.argv, place=spec.cwd, env=env))

            def refuses_or_answers() -> bool:
                try:
                    postgresql.check(endpoint, timeout=5)
                except postgresql.unready as error:
                    return not starting(error) and "refused" not in str(error)
                except PostgreSQLError:
                    pass  # refused by what the test asked for
                return True

            poll(refuses_or_answers, within=60, awaiting="PostgreSQL",
                 alive=lambda: said(process, spec.cwd))  # fmt: skip
            return address

        yield start


def run_statement(endpoint: Endpoint, statement: str) -> None:
    with asking(endpoint) as cursor:
        cursor.execute(statement)


def verdicts_of(*chosen: str, place: Path, **variables: str) -> dict[str, str]:
    """How the scenarios of a run on somebody's server ended, by name."""
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", *chosen, "--no-report",
         "--tags", "not @performance", "--reports", str(place / "reports"),
         "--stack", "external"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "STACKPROOF_RUNS": str(place), "STACKPROOF_PREFIX": "qa", **variables},
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    results = json.loads((place / "reports" / "results.json").read_text())
    return {scenario["name"]: scenario["verdict"] for scenario in results["scenarios"]}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project; nothing of this machine's settings is seen."""
    for variable in (
        "STACK",
        "STACKPROOF_CONFIG",
        "STACKPROOF_PREFIX",
        "REDIS_URL",
        "RABBITMQ_URL",
        "POSTGRESQL_URL",
        "DATABASE_URL",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stackproof.commands.doctor._checks", dict)
    monkeypatch.setattr("stackproof.commands.doctor._server", str)
    return tmp_path
