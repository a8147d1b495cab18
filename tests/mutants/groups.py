"""Groups of broken systems: what is run for each mutant, and the unbroken ones beside them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module

from stackproof.obtain import Cache
from stackproof.services import service as known_service
from tests.mutants.mutant import PLACE, ROOT, Mutant, known
from tests.mutants.servers import behind
from tests.mutants.servers.running import SOUND, running_features
from tests.second import scorer

#: Limits in seconds are shortened, or every mutant that loses something would wait them out.
TIME_FACTOR = 0.25
_FEATURES = tuple(
    f"features/messaging/{name}.feature"
    for name in ("predictions", "dead_letters", "pipeline_restarts", "pipeline_settings")
)
_STREAMS = ("features/streams/vectors.feature", "features/streams/troubles.feature")
_INDEXING = ("features/search/indexing.feature",)


def _alone(feature: str, name: str) -> tuple[str, ...]:
    """Its nightly scenarios, too, but those in which a server breaks, or a client is killed."""
    return (f"features/coordination/{feature}.feature", "--suite", "nightly",
            "--name", rf"^(?!.*killed).*\b{name}\b(?!.* while )")  # fmt: skip


#: The component and the arguments of each group of components.
_COMPONENTS = {
    "pool": ("reference.connection_pool:ConnectionPool", "features/database/pool.feature"),
    **{
        name: (f"reference.coordination:{component}", *_alone(feature, name))
        for name, component, feature in (
            ("etcd-election", "EtcdElection", "elections"),
            ("zookeeper-election", "ZooKeeperElection", "elections"),
            ("etcd-lock", "EtcdLock", "locks"),
            ("zookeeper-lock", "ZooKeeperLock", "locks"),
        )
    },
    "cache": ("reference.caching:CacheAside", "features/cache/aside.feature"),
    "fixed window": ("reference.caching:FixedWindow", "features/cache/rate_limits.feature"),
    "metrics": ("reference.caching:Metrics", "features/cache/metrics.feature"),
    "session": ("reference.caching:SessionStore", "features/cache/sessions.feature"),
    "sliding window": ("reference.caching:SlidingWindow", "features/cache/rate_limits.feature"),
    "lock": ("reference.coordination:RedisLock", *_alone("locks", "redis-lock")),
}
_FIGURES = ("--tags=@performance", "features/streams/vectors.feature")
#: An interrupted transaction keeps its successor waiting for seconds.
_STREAM_FACTOR = 0.6
_LONGEST = 1200

#: Runs one mutant; what came of it lies in the mutant's place.
RunOne = Callable[[Mutant], None]


@dataclass
class Group:
    """Mutants that are run in the same way.

    Attributes:
        name: as ``group`` in ``mutants.toml``.
        controls: unbroken; they pass everything.
        running: what runs its mutants, while the context lasts.
        missing: why it cannot be run here; empty when it can.
        tolerated: verdicts that are no failure of a control.
    """

    name: str
    controls: Sequence[Mutant]
    running: Callable[[], AbstractContextManager[RunOne]]
    missing: Callable[[], str] = lambda: ""
    tolerated: tuple[str, ...] = ("passed",)


def _run_pipeline(
    mutant: Mutant,
    configuration: str,
    features: Sequence[str] = _FEATURES,
    suite: str = "release",
    time_factor: float = TIME_FACTOR,
    **environment: str,
) -> None:
    file = mutant.place / "stackproof.toml"
    file.write_text(configuration)
    with (mutant.place / "output.txt").open("w") as output:
        subprocess.run(
            [sys.executable, "-m", "stackproof", "run", "--no-report",
             "--suite", suite, "--jobs", "2", "--stack", "native",
             "--time-factor", str(time_factor), "--reports", str(mutant.place), *features],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, timeout=_LONGEST,
            env={**os.environ, "STACKPROOF_CONFIG": str(file), **environment},
        )  # fmt: skip


def _configuration(module: str, mutant: Mutant) -> str:
    """The repository's own, with the mutant in place of a module."""
    config = (ROOT / "stackproof.toml").read_text()
    config = config.replace(f'"{module}"', f'"{mutant.module}"')
    config = config.replace('directory = "."', f'directory = "{ROOT.as_posix()}"')
    return config.replace('"contracts/', f'"{ROOT.as_posix()}/contracts/')


@contextmanager
def _pipelines() -> Iterator[RunOne]:
    def run_one(mutant: Mutant) -> None:
        _run_pipeline(mutant, _configuration("reference.churn_pipeline", mutant))

    yield run_one


@contextmanager
def _streams() -> Iterator[RunOne]:
    def run_one(mutant: Mutant) -> None:
        # Throughput and latency are no matter of right and wrong: not in this suite.
        config = _configuration("reference.vector_stream", mutant)
        _run_pipeline(mutant, config, _STREAMS, "pr", _STREAM_FACTOR)

    yield run_one


@contextmanager
def _indexers() -> Iterator[RunOne]:
    def run_one(mutant: Mutant) -> None:
        config = _configuration("reference.search_indexer", mutant)
        _run_pipeline(mutant, config, _INDEXING, "pr", _STREAM_FACTOR)

    yield run_one


@contextmanager
def _figures() -> Iterator[RunOne]:
    def run_one(mutant: Mutant) -> None:
        config = _configuration("reference.vector_stream", mutant)
        # A machine that does other things excuses the control, but no mutant.
        quiet = {"STACKPROOF_QUIET_BELOW": "1000"} if mutant.caught_by else {}
        _run_pipeline(mutant, config, _FIGURES, "nightly", 1, **quiet)

    yield run_one


@contextmanager
def _scorers() -> Iterator[RunOne]:
    def run_one(mutant: Mutant) -> None:
        if mutant.caught_by:
            configuration = scorer.configuration(fault=mutant.name.removeprefix("scorer_"))
        else:
            words = mutant.name == scorer.WORDS
            configuration = scorer.configuration(exact=mutant.name == scorer.EXACT, words=words)
        features = scorer.FEATURES if mutant.name == scorer.WORDS else _FEATURES
        _run_pipeline(mutant, configuration, features)

    yield run_one


def _components(name: str) -> Group:
    module, *features = _COMPONENTS[name]

    @contextmanager
    def running() -> Iterator[RunOne]:
        def run_one(mutant: Mutant) -> None:
            config = _configuration(module, mutant)
            _run_pipeline(mutant, config, ("--tags=not @performance", *features), "pr", 1)

        yield run_one

    return Group(name, [Mutant(f"(none: the {name})", group=name, module=module)], running)


def _sinks(name: str, module: str) -> Group:
    """Each is put to the scenarios that must catch it, the unbroken one to those of all of them."""

    @contextmanager
    def running() -> Iterator[RunOne]:
        def run_one(mutant: Mutant) -> None:
            caught_by = mutant.caught_by or {
                scenario for other in known() if other.group == name for scenario in other.caught_by
            }
            names = [word for one in caught_by for word in ("--name", f"^{re.escape(one)}")]
            config = _configuration(module, mutant)
            _run_pipeline(mutant, config, [*names, "features/sinks"], "pr", 2)

        yield run_one

    return Group(name, [Mutant(f"(none: the {name})", group=name, module=module)], running)


def _behind(service: str, features: Sequence[str]) -> Group:
    """Servers that the suite itself starts, with programs of this service that are broken."""
    control = Mutant(f"(none: {service})", group=service)

    @contextmanager
    def running() -> Iterator[RunOne]:
        fields = import_module(f"tests.mutants.servers.{service}").FIELDS
        cache = Cache()
        for artifact in known_service(service).artifacts():
            cache.ensure(artifact, print)

        def run_one(mutant: Mutant) -> None:
            fault = SOUND if mutant is control else mutant.name
            whole = replace(mutant, module="reference.churn_pipeline")
            config = _configuration(whole.module, whole)
            words = json.dumps(behind.command(service, fault, *fields))
            config += f"\n[services.{service}]\ncommand = {words}\n"
            # Scenarios with servers of their own take ten seconds each: a mutant gets its own ones.
            names = [word for name in mutant.caught_by for word in ("--name", f"^{name}$")]
            _run_pipeline(mutant, config, [*names, *features], "nightly", 1)

        yield run_one

    return Group(service, [control], running)


def _servers(service: str) -> Group:
    control = Mutant(f"(none: {service})", group=service)

    @contextmanager
    def running() -> Iterator[RunOne]:
        with running_features(service, PLACE) as run:
            yield lambda mutant: run(SOUND if mutant is control else mutant.name, mutant.place)

    return Group(service, [control], running, tolerated=("passed", "not supported"))


GROUPS = (
    Group(
        "pipeline",
        [Mutant("(none: the reference)", module="reference.churn_pipeline")],
        _pipelines,
    ),
    Group(
        "stream",
        [Mutant("(none: the stream)", group="stream", module="reference.vector_stream")],
        _streams,
    ),
    Group(
        "indexer",
        [Mutant("(none: the indexer)", group="indexer", module="reference.search_indexer")],
        _indexers,
    ),
    Group(
        "figures",
        [Mutant("(none: the stream's figures)", group="figures", module="reference.vector_stream")],
        _figures,
        tolerated=("passed", "machine busy"),
    ),
    Group(
        "scorer",
        [Mutant(name, group="scorer") for name in (scorer.OWN, scorer.EXACT, scorer.WORDS)],
        _scorers,
        scorer.missing,
        # It promises neither partitions nor counters, nor a largest dead letter, nor all refusals.
        tolerated=("passed", "not supported"),
    ),
    *map(_components, _COMPONENTS),
    _sinks("redis-sink", "reference.sinks:RedisSink"),
    _sinks("rabbitmq-sink", "reference.sinks:RabbitMQSink"),
    _servers("postgresql"),
    _servers("redis"),
    _servers("rabbitmq"),
    _servers("kafka"),
    _servers("mailpit"),
    _servers("etcd"),
    _servers("zookeeper"),
    _servers("opensearch"),
    _servers("pushgateway"),
    _servers("s3"),
    _behind(
        "prometheus",
        (
            "features/monitoring/scraping.feature",
            "features/monitoring/queries.feature",
            "features/monitoring/alerts.feature",
        ),
    ),
    _behind("alertmanager", ("features/monitoring/alerts.feature",)),
)
