"""What the doctor, a run and a clean-up say of Redis servers that are not ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from behave.model_type import Status
from redis import Redis, exceptions

from stackproof.commands.doctor import doctor
from stackproof.errors import NotSupported, Passing, Trouble, explained
from stackproof.polling import poll
from stackproof.reporting.outcome import step_outcome
from stackproof.services import service
from stackproof.services.base import Endpoint, Requirement
from stackproof.services.redis.client import connect
from stackproof.stack.external import asked
from tests.native import native
from tests.stores.conftest import StartRedis, endpoint_of, verdicts_of

ROOT = Path(__file__).parents[2]
FEATURES = sorted((ROOT / "features/cache").glob("*.feature"))


def client_of(address: str, **options: object) -> Redis:
    host, port = address.split(":")
    return Redis(host, int(port), **options)  # type: ignore[arg-type]


def told(address: str, capsys: pytest.CaptureFixture) -> str:
    """The doctor's line of the endpoint and what belongs to it."""
    text = capsys.readouterr().out
    assert "\nsettings (file" in text, "the doctor went on to its end"
    return text[text.index("endpoint redis") :].partition("\nsettings")[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rename-command", "GETDEL", ""), ""),
        (("--rename-command", "UNLINK", "", "--rename-command", "INFO", ""), ""),
        (("--rename-command", "SET", ""), "does not offer .*\n.*unknown command 'SET'"),
        (("--rename-command", "DEL", "hidden"), "does not offer .*\n.*unknown command 'DEL'"),
        (("--replicaof", "127.0.0.1 9"), "is a replica, and takes no writes"),
        (("--maxmemory", "1"), "has no memory left for data\n.*maxmemory"),
        (("--min-replicas-to-write", "1"), "too few replicas\n.*NOREPLICAS"),
        (("--requirepass", "secret"), "does not let the suite in"),
        (("--cluster-enabled", "yes"), "is part of a Redis Cluster.*\n.*\n.*REDIS_NODES"),
        (("--cluster-enabled", "yes", "--rename-command", "HELLO", ""), "part of a Redis Cluster"),
        (("--cluster-enabled", "yes", "--rename-command", "HELLO", "", "--rename-command", "INFO",
          ""), "is part of a Redis Cluster"),
        (("--databases", "1"), ""),
    ],
    ids=lambda given: " ".join(given)[:40] if isinstance(given, tuple) else "",
)  # fmt: skip
def test_what_a_server_refuses_is_told(
    redis_server: StartRedis, arguments: tuple[str, ...], says: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    address = redis_server(*arguments)
    monkeypatch.setenv("STACK", "external")
    monkeypatch.setenv("REDIS_URL", f"redis://{address}")
    code = doctor(["redis"], endpoints=True)
    line = told(address, capsys)
    if not says:
        assert code == 0 and "answers" in line, line
        return
    assert code == 2
    assert re.search(says, line), line


def verdicts(address: str, place: Path, *chosen: str, user: str = "") -> dict[str, str]:
    """How the scenarios of a run on this server ended, by name."""
    names = [word for name in chosen for word in ("--name", name)]
    url = f"redis://{user}{address}"
    alone = [str(file) for file in FEATURES if "a Redis server\n" in file.read_text()]
    return verdicts_of(*alone, *names, place=place, REDIS_URL=url)


LAST, BATCH = "last value that was set", "written in one batch"


@pytest.mark.parametrize(
    ("arguments", "user"),
    [
        (("--rename-command", "MSET", ""), ""),
        (("--rename-command", "MSET", "x", "--rename-command", "SCAN", ""), ""),
        (("--user", *["qa", "on", ">pw", "~qa-*", "+@all", "-mset"]), "qa:pw@"),
    ],
)
def test_a_command_that_is_missing_keeps_its_scenario_from_running_and_no_other(
    redis_server: StartRedis, tmp_path: Path, arguments: tuple[str, ...], user: str
) -> None:
    found = verdicts(redis_server(*arguments), tmp_path, LAST, BATCH, user=user)
    assert list(found.values()) == ["passed", "not supported"], found


def test_the_rights_in_the_documentation_are_enough(
    redis_server: StartRedis, tmp_path: Path
) -> None:
    documented = re.search(r"`(~stackproof-[^`]*)`", (ROOT / "docs/endpoints.md").read_text())
    assert documented
    rights = documented[1].replace("stackproof-", "qa-")
    address = redis_server("--user", *f"qa on >pw {rights}".split())
    found = verdicts(address, tmp_path, user="qa:pw@")
    assert len(found) > 15
    wrong = {name: told for name, told in found.items() if told != "passed"}
    assert wrong == {
        "A subscriber that stalls is disconnected, and hinders nobody": "not supported"
    }
    assert not client_of(address).keys()


def test_what_cannot_be_cleaned_is_told(redis_server: StartRedis) -> None:
    address = redis_server("--rename-command", "SCAN", "")
    endpoint = endpoint_of(address)
    with pytest.raises(NotSupported, match="unknown command 'SCAN'"), asked(
        service("redis"), endpoint
    ):  # fmt: skip
        service("redis").leftovers(endpoint, "qa-")  # type: ignore[attr-defined]


def test_what_a_client_makes_of_an_answer_is_told_too(redis_server: StartRedis) -> None:
    endpoint = endpoint_of("127.0.0.1:1")
    with pytest.raises(Trouble, match=r"does not understand\n.*KeyError: 'is_fenced'"), asked(
        service("redis"), endpoint
    ):  # fmt: skip
        raise KeyError("is_fenced")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (exceptions.ResponseError("unknown command `GETDEL`, with"), NotSupported, "not offer"),
        (exceptions.ResponseError("unknown subcommand 'X'"), NotSupported, "not offer"),
        (exceptions.ResponseError("syntax error"), NotSupported, "not offer"),
        (exceptions.ResponseError("wrong number of arguments for 'hset'"), NotSupported, "not off"),
        (exceptions.NoPermissionError("this user has no permissions to run the 'watch' command"),
         NotSupported, "not offer"),
        (exceptions.NoPermissionError("No permissions to access a key"), Trouble, "forbids"),
        (exceptions.ResponseError("DENIED Redis is running in protected mode"), Trouble,
         "own machine only"),
        (exceptions.ResponseError("MISCONF Redis is configured to save"), Trouble, "save its data"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas"), Trouble, "few replicas"),
        (exceptions.BusyLoadingError("Redis is loading"), Passing, "still loading"),
        (exceptions.MasterDownError("Link with MASTER is down"), Trouble, "is a replica"),
        (exceptions.MovedError("1234 10.0.0.1:7001"), NotSupported, "Redis Cluster"),
        (exceptions.ClusterDownError("Hash slot not served"), NotSupported, "Redis Cluster"),
        (exceptions.ClusterCrossSlotError("Keys don't hash"), NotSupported, "Redis Cluster"),
        (exceptions.AuthenticationError("WRONGPASS invalid"), Trouble, "does not let"),
        (exceptions.ConnectionError("Connection closed by server."), Passing, "lost\n.*closed by"),
        (exceptions.TimeoutError("Timeout reading"), Passing, "lost\n.*Timeout reading"),
        (exceptions.ResponseError("something else"), Trouble, "refuses what"),
    ],
)  # fmt: skip
def test_what_a_clients_error_means(error: Exception, kind: type[Trouble], says: str) -> None:
    trouble = explained(error)
    assert type(trouble) is kind
    assert re.search(says, str(trouble)), trouble


def test_the_steps_of_a_scenario_tell_it_as_well() -> None:
    step = SimpleNamespace(
        exception=exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'"),
        exc_traceback=None, error_message="", hook_failed=False, status=Status.error,
    )  # fmt: skip
    outcome = step_outcome(step)
    assert (outcome.verdict, outcome.category) == ("broken", "environment")
    assert outcome.headline == "Redis has no memory left for data"


def test_an_idle_client_is_cut_off_and_does_not_mind(redis_server: StartRedis) -> None:
    address = redis_server("--timeout", "1")
    client, other = (connect(endpoint_of(address)) for _ in range(2))
    client.set("k", "v")
    poll(lambda: len(other.client_list()), until=lambda n: n == 1, within=20, awaiting="the cut",
         first_pause=0.3)  # fmt: skip
    assert client.get("k") == b"v"
    with client.pipeline() as pipeline:
        pipeline.watch("k")
        assert pipeline.get("k") == b"v"
    other.close()
    client.close()


def test_a_sentinel_holds_no_keys(redis_server: StartRedis, tmp_path: Path) -> None:
    (tmp_path / "sentinel.conf").write_text("")
    address = redis_server("--protected-mode", "no", file="sentinel.conf", also=("--sentinel",))
    endpoint = endpoint_of(address)
    with pytest.raises(NotSupported, match="is a Redis Sentinel"):
        service("redis").check(endpoint, timeout=5)


@pytest.fixture
def several_servers(tmp_path: Path) -> Iterator[Callable[..., Endpoint]]:
    """Starts what is to be somebody's own, with these options."""
    with native(tmp_path / "somebodys", time_factor=3) as provider:
        provider.obtain(service("redis"), lambda _: None)

        def start(**options: int) -> Endpoint:
            asked = Requirement("redis", tuple(options.items()))
            return provider.start(service("redis"), asked, "somebodys").endpoint

        yield start


def test_a_cluster_that_somebody_else_has_started(
    several_servers: Callable[..., Endpoint], tmp_path: Path
) -> None:
    endpoint = several_servers(nodes=6, replicas=1)
    found = verdicts_of(
        "features/cache/cluster.feature", "features/cache/basics.feature", "--name",
        "its slot|last value|in one batch|while their slots", place=tmp_path,
        # They call each other by names that are not the suite's: the order is another one.
        REDIS_NODES=",".join(reversed(endpoint.addresses.values())),
    )  # fmt: skip
    ended = {name.partition(" -- ")[0]: verdict for name, verdict in found.items()}
    assert ended.pop("Each key lies on the node that has its slot") == "passed"
    assert ended.pop("A key holds the last value that was set") == "passed"
    assert ended and set(ended.values()) == {"not supported"}
    with connect(endpoint) as client:
        assert not list(client.scan_iter("qa-*"))


def test_sentinels_that_somebody_else_has_started(
    several_servers: Callable[..., Endpoint], tmp_path: Path
) -> None:
    addresses = several_servers(replicas=1, sentinels=3).addresses
    watching = [address for node, address in addresses.items() if node.startswith("sentinel")]
    found = verdicts_of(
        "features/cache/failover.feature", "features/cache/basics.feature",
        "features/cache/replication.feature", "--name", "last value|survive|read on both",
        place=tmp_path, REDIS_SENTINELS=",".join(watching),
    )  # fmt: skip
    assert sorted(found.values()) == ["not supported", "not supported", "passed"]


def test_sentinels_without_a_password_that_watch_servers_with_one(
    several_servers: Callable[..., Endpoint], tmp_path: Path
) -> None:
    addresses = several_servers(replicas=1, sentinels=3).addresses
    for node in ("node-1", "node-2"):
        with client_of(addresses[node]) as client:
            client.config_set("masterauth", "secret")
            client.config_set("requirepass", "secret")
    watching = [address for node, address in addresses.items() if node.startswith("sentinel")]
    host, _, port = addresses["node-1"].partition(":")
    for address in watching:
        with client_of(address) as sentinel:
            sentinel.execute_command("SENTINEL", "REMOVE", "mymaster")
            sentinel.execute_command("SENTINEL", "MONITOR", "orders", host, port, 2)
            sentinel.execute_command("SENTINEL", "SET", "orders", "auth-pass", "secret")
    found = verdicts_of(
        "features/cache/basics.feature", "--name", LAST, place=tmp_path,
        REDIS_SENTINELS=",".join(watching), REDIS_SENTINEL_MASTER="orders", REDIS_PASSWORD="secret",
    )  # fmt: skip
    assert list(found.values()) == ["passed"]
