"""The docker provider on the engine of this machine, mostly with Redis, which starts quickly."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kafka
import kafka.admin
import pytest
import redis

from stackproof import settings
from stackproof.actions import Action, Crash, JoinPeers, Pause, Resume, Start, Stop
from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.processes import reaper
from stackproof.processes.run import Run
from stackproof.services import service
from stackproof.services.base import Endpoint, Image, Requirement
from stackproof.services.redis import Redis
from stackproof.stack.choosing import Providers
from stackproof.stack.docker.cluster import DockerCluster
from stackproof.stack.docker.images import Images
from stackproof.stack.docker.provider import DockerProvider
from stackproof.stack.site import LocalSite
from tests import engine
from tests.stack.conftest import PATIENCE

pytestmark = pytest.mark.skipif(bool(engine.missing("redis")), reason=engine.missing("redis"))

REDIS = Requirement("redis")


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch, runs: Path) -> str:
    """The engine's address, back in the environment."""
    monkeypatch.setenv("DOCKER_HOST", engine.the_engine().host)
    return engine.the_engine().host


@pytest.fixture
def run(runs: Path) -> Iterator[Run]:
    run = Run.begin()
    yield run
    assert reaper.reap(run) == []
    assert engine.of_run(run.id) == []


@pytest.fixture
def provider(run: Run, tmp_path: Path) -> DockerProvider:
    made = DockerProvider(run, tmp_path / "logs", Cache())
    said: list[str] = []
    made.obtain(service("redis"), said.append)
    return made


@pytest.fixture
def cluster(provider: DockerProvider) -> Iterator[DockerCluster]:
    started = provider.start(service("redis"), REDIS, "redis-1")
    yield started
    started.stop()


def client(endpoint: Endpoint) -> redis.Redis:
    host, _, port = endpoint.addresses["server"].partition(":")
    return redis.Redis(host=host, port=int(port.partition("/")[0]), socket_timeout=5)


def answers(endpoint: Endpoint) -> bool:
    with contextlib.suppress(redis.RedisError), contextlib.closing(client(endpoint)) as one:
        return bool(one.ping())
    return False


def container(run: Run) -> str:
    (name,) = engine.docker("ps", "-aq", "--filter", f"label=stackproof.run={run.id}").split()
    return name


def inspected(run: Run) -> dict[str, Any]:
    return json.loads(engine.docker("inspect", container(run)))[0]


# -- starting and stopping ---------------------------------------------------
def test_it_starts_and_is_reached(cluster: DockerCluster, run: Run) -> None:
    endpoint = cluster.endpoint
    assert (endpoint.service, endpoint.cluster, endpoint.provider) == ("redis", "redis-1", "docker")
    assert endpoint.instances == tuple(cluster.logs())
    assert answers(endpoint)
    assert cluster.death() is None


def test_it_is_labelled_and_published_on_loopback_alone(cluster: DockerCluster, run: Run) -> None:
    found = inspected(run)
    bindings = [b for each in found["HostConfig"]["PortBindings"].values() for b in each]
    assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}
    assert found["HostConfig"]["Memory"] > 0
    assert found["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
    kinds = sorted(line.split()[0] for line in engine.of_run(run.id))
    assert kinds == ["container", "network"]
    assert f"stackproof.run={run.id}" in engine.of_run(run.id)[1]


def test_stop_removes_everything_but_the_logs(
    provider: DockerProvider, run: Run, tmp_path: Path
) -> None:
    volumes = set(engine.docker("volume", "ls", "-q").split())
    cluster = provider.start(service("redis"), REDIS, "redis-1")
    cluster.stop()
    assert engine.of_run(run.id) == []
    assert set(engine.docker("volume", "ls", "-q", "--filter", "dangling=true").split()) <= volumes
    assert not (run.directory / "redis-1").exists()
    assert all(file.read_text() for file in cluster.logs().values())
    cluster.stop()  # once more does no harm


def test_one_that_dies_at_its_start(provider: DockerProvider, run: Run) -> None:
    with pytest.raises(Trouble, match="Redis died while it was starting") as caught:
        provider.start(_WithOption(), REDIS, "redis-1")
    assert "ended with exit code 1" in str(caught.value)
    assert "no-such-option" in str(caught.value)
    assert engine.of_run(run.id) == []


class _WithOption(Redis):
    """Configured with an option that there is not."""

    options: Mapping[str, Any] = {**Redis.options, "config": (("no-such-option", "yes"),)}


class _Never(Redis):
    """Never ready."""

    start_within = 0.5

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        raise ConnectionRefusedError("not yet")


def test_one_that_is_never_ready(provider: DockerProvider, run: Run) -> None:
    with pytest.raises(Trouble, match=r"Redis was not ready within 0\.5 s") as caught:
        provider.start(_Never(), REDIS, "redis-1")
    assert "not yet" in str(caught.value)
    assert "log ends:" in str(caught.value)
    assert engine.of_run(run.id) == []


def test_a_port_that_is_taken_is_given_up_for_another(
    provider: DockerProvider, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = LocalSite.port
    asked: list[int] = []

    def taken_first(site: LocalSite, role: str, chosen: int = 0) -> int:
        found = port(site, role, chosen)
        if not asked:
            site._ports[role] = found = int(other.endpoint.addresses["server"].split(":")[1])
        asked.append(found)
        return found

    other = provider.start(service("redis"), REDIS, "redis-1")
    monkeypatch.setattr(LocalSite, "port", taken_first)
    second = provider.start(service("redis"), REDIS, "redis-2")
    assert len(set(asked)) == 2
    assert answers(second.endpoint)
    second.stop()
    assert answers(other.endpoint)
    other.stop()


def test_a_start_that_is_given_up_leaves_nothing(
    provider: DockerProvider, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = DockerCluster.launch

    def gives_up(cluster: DockerCluster, factor: float) -> None:
        launch(cluster, factor)
        provider.give_up()

    monkeypatch.setattr(DockerCluster, "launch", gives_up)
    with pytest.raises(Trouble):
        provider.start(_Never(), REDIS, "redis-1")
    assert engine.of_run(run.id) == []


# -- breaking and healing ----------------------------------------------------
def test_a_crash_and_a_restart(cluster: DockerCluster, run: Run) -> None:
    (instance,) = cluster.endpoint.instances
    log = cluster.logs()[instance]
    poll(lambda: "Ready to accept" in log.read_text(), within=PATIENCE, awaiting="the log")
    cluster.act(instance, Crash())
    assert not answers(cluster.endpoint)
    assert inspected(run)["State"]["ExitCode"] == 137
    assert cluster.death() is None  # it was meant
    cluster.act(instance, Start())
    cluster.wait_healthy(PATIENCE)
    assert answers(cluster.endpoint)
    poll(
        lambda: log.read_text().count("Ready to accept"),
        until=lambda count: count == 2,  # once for each start: nothing is written twice
        within=PATIENCE,
        awaiting="the log of the second start",
    )
    cluster.act(instance, Start())  # runs already
    assert answers(cluster.endpoint)


def test_a_stop_is_a_clean_end(cluster: DockerCluster, run: Run) -> None:
    (instance,) = cluster.endpoint.instances
    cluster.act(instance, Stop())
    assert inspected(run)["State"]["ExitCode"] == 0
    assert cluster.death() is None
    assert cluster.unhealed() == f"{instance} is exited, and was not healed"
    cluster.act(instance, Start())
    cluster.wait_healthy(PATIENCE)


def test_pause_and_resume(cluster: DockerCluster) -> None:
    (instance,) = cluster.endpoint.instances
    assert cluster.unhealed() is None
    cluster.act(instance, Pause())
    assert cluster.death() is None
    assert cluster.unhealed() == f"{instance} is paused, and was not healed"
    with pytest.raises(redis.TimeoutError):
        redis.Redis.from_url(
            f"redis://{cluster.endpoint.addresses['server']}", socket_timeout=0.3
        ).ping()
    cluster.act(instance, Resume())
    assert answers(cluster.endpoint)


class Melt(Action):
    words = "melt"


def test_unknown_actions_are_not_supported(cluster: DockerCluster) -> None:
    with pytest.raises(NotSupported, match="cannot melt an instance"):
        cluster.act(cluster.endpoint.instances[0], Melt())


def test_what_the_engine_refuses_is_a_trouble(cluster: DockerCluster) -> None:
    (instance,) = cluster.endpoint.instances
    cluster.act(instance, Stop())
    with pytest.raises(Trouble, match="could not pause redis-1-server") as caught:
        cluster.act(instance, Pause())
    assert "is not running" in str(caught.value)


def test_a_crash_ends_a_pause_and_a_cut(cluster: DockerCluster) -> None:
    """Their healing comes later, and finds nothing to heal."""
    (instance,) = cluster.endpoint.instances
    cluster.act(instance, Pause())
    cluster.act(instance, Crash())
    cluster.act(instance, JoinPeers())
    cluster.act(instance, Start())
    cluster.wait_healthy(PATIENCE)
    cluster.act(instance, Resume())
    assert answers(cluster.endpoint)


def test_a_death_that_nobody_meant(cluster: DockerCluster, run: Run) -> None:
    (instance,) = cluster.endpoint.instances
    engine.docker("kill", container(run))
    death = poll(cluster.death, within=PATIENCE, awaiting="the death to be noticed")
    assert death is not None
    assert death.startswith(f"{instance} ended with exit code 137 (128 + SIGKILL); its log ends:")
    assert "Ready to accept" in death


def test_a_container_that_somebody_removed(cluster: DockerCluster, run: Run) -> None:
    engine.docker("rm", "--force", container(run))
    assert "removed by somebody else" in (cluster.death() or "")


@pytest.mark.kafka
@pytest.mark.skipif(bool(engine.missing("kafka")), reason=engine.missing("kafka"))
def test_kafkas_data_survive_a_crash_and_go_with_the_container(
    provider: DockerProvider, run: Run
) -> None:
    before = set(engine.docker("volume", "ls", "-q").split())
    provider.obtain(service("kafka"), lambda line: None)
    broker = provider.start(service("kafka"), Requirement("kafka"), "kafka-1")
    own = {m["Name"] for m in inspected(run)["Mounts"] if m["Type"] == "volume"}
    assert own
    assert not own & before
    address = broker.endpoint.addresses["broker-1"]
    with contextlib.closing(kafka.KafkaProducer(bootstrap_servers=address)) as producer:
        admin = kafka.KafkaAdminClient(bootstrap_servers=address)
        admin.create_topics([kafka.admin.NewTopic("kept", 1, 1)])
        admin.close()
        producer.send("kept", b"through", partition=0).get(timeout=PATIENCE)
    for how in (Crash(), Stop()):
        broker.act("kafka-1-broker-1", how)
        broker.act("kafka-1-broker-1", Start())
        broker.wait_healthy(PATIENCE)
        with contextlib.closing(kafka.KafkaConsumer(bootstrap_servers=address)) as consumer:
            partition = kafka.TopicPartition("kept", 0)
            consumer.assign([partition])
            consumer.seek_to_beginning()
            polled = poll(lambda c=consumer: c.poll(200), within=PATIENCE, awaiting="the record")
            assert [r.value for r in polled[partition]] == [b"through"]
    broker.stop()
    assert not own & set(engine.docker("volume", "ls", "-q").split())


# -- the engine dies ---------------------------------------------------------
def test_an_engine_that_dies(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with engine.proxied(tmp_path) as (address, end):
        monkeypatch.setenv("DOCKER_HOST", address)
        provider = DockerProvider(run, tmp_path / "logs", Cache())
        provider.obtain(service("redis"), lambda line: None)
        cluster = provider.start(service("redis"), REDIS, "redis-1")
        end()
        assert "the container engine does not answer any more" in (cluster.death() or "")
        with pytest.raises(Trouble, match="the container engine could not crash redis-1-server"):
            cluster.act("redis-1-server", Crash())
    # What is left is told, and the directory stays, by which it can be found again.
    (left,) = reaper.reap(run, within=0.5)
    assert left.startswith(f"containers of run {run.id}: the engine at {address} says:")
    assert run.directory.is_dir()
    known = run.directory / "docker.json"
    known.write_text(known.read_text().replace(address, host))  # as if it were back
    assert engine.of_run(run.id)
    assert reaper.reap(run) == []
    assert engine.of_run(run.id) == []
    assert not run.directory.exists()


# -- the choice --------------------------------------------------------------
def chosen(run: Run, place: Path, **environment: str) -> Providers:
    return Providers(run, place, settings.load(place, environment=environment))


def test_auto_takes_containers_where_they_can_be_had(run: Run, tmp_path: Path) -> None:
    providers = chosen(run, tmp_path)
    assert providers("redis").name == "docker"
    version = engine.the_engine().version
    assert providers.explain(["redis"]) == [f"redis: containers (Docker engine {version} answers)"]


def test_auto_does_without_where_there_is_no_image(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_IMAGE", UNREACHABLE)
    providers = chosen(run, tmp_path)
    assert providers("redis").name == "native"
    (line,) = providers.explain(["redis"])
    said = f"redis: native processes ({UNREACHABLE} is not present and cannot be pulled"
    assert line.startswith(said)


# -- images ------------------------------------------------------------------
LOCAL = "stackproof/redis:7.0.15"
UNREACHABLE = "127.0.0.1:9/nobody/nothing:1"


def test_one_that_is_built_here_is_taken_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Images, "refusal", lambda *_: pytest.fail("a registry was asked"))
    said: list[str] = []
    image = Image("SOME_IMAGE", UNREACHABLE, LOCAL)
    monkeypatch.delenv("SOME_IMAGE", raising=False)
    images = Images(engine.the_engine())
    assert images.obtain(image, "Some", said.append) == LOCAL
    assert said == [f"Some: {LOCAL}, built here, is taken ({UNREACHABLE} is not present)"]
    images.obtain(image, "Some", said.append)
    assert len(said) == 1  # once for all


def test_one_that_is_present_needs_no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Images, "refusal", lambda *_: pytest.fail("a registry was asked"))
    image = Image("SOME_IMAGE", LOCAL)
    assert Images(engine.the_engine()).obtain(image, "Some", print) == LOCAL
    monkeypatch.setenv("SOME_IMAGE", LOCAL)
    other = Image("SOME_IMAGE", UNREACHABLE)
    assert Images(engine.the_engine()).obtain(other, "Some", print) == LOCAL


def test_one_that_is_named_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_IMAGE", UNREACHABLE)
    with pytest.raises(Trouble, match="Some has no container image") as caught:
        Images(engine.the_engine()).obtain(Image("SOME_IMAGE", LOCAL, LOCAL), "Some", print)
    assert "SOME_IMAGE names it" in caught.value.why


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_IMAGE", raising=False)
    image = Image("SOME_IMAGE", UNREACHABLE, "nobody/has/this:1")
    with pytest.raises(Trouble) as caught:
        Images(engine.the_engine()).obtain(image, "Some", print)
    assert "make images" in caught.value.remedy
    assert "SOME_IMAGE" in caught.value.remedy
