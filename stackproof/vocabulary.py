"""Every type of parameter that steps may use, once; the runner registers them before any steps.

Known before any scenario runs, so nothing here loads a client. A type's pattern is matched
without regard to case, as behave does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import parse
from behave import register_type

from stackproof.faults.roles import WORDS
from stackproof.faults.words import FAULTS, PRODUCERS, TIMES, WORKLOADS, Workload
from stackproof.services.milvus.known import LEVELS as CONSISTENCY
from stackproof.services.milvus.known import MISTAKES as VECTOR_MISTAKES
from stackproof.services.opensearch.known import MISTAKES as SEARCH_MISTAKES
from stackproof.services.rabbitmq.known import EXCHANGES
from stackproof.services.redis.known import POLICIES, Batching
from stackproof.services.s3.known import CHECKSUMS, MISUSED, REFUSED
from stackproof.settings.systems import NOUNS, spoken
from stackproof.systems.sinks.known import FIRST, LAST, OVERFLOWS

if TYPE_CHECKING:
    from stackproof.settings import SystemSettings
    from stackproof.systems.launching import RunningSystem

Type = Callable[[str], object]
_WORDS = "words"


def _pattern(words: Iterable[str]) -> str:
    """One of these words, the longest that fits; no text at all where there are none."""
    return "|".join(sorted(words, key=len, reverse=True)) or "(?!)"


def one_of(words: Iterable[str]) -> Type:
    """A type whose values are these words; the longest that fits is taken."""

    @parse.with_pattern(_pattern(words))
    def text_itself(text: str) -> str:
        return text

    setattr(text_itself, _WORDS, tuple(words))
    return text_itself


def words_of(name: str) -> tuple[str, ...]:
    """The words that are values of a type of `TYPES`; none where they are not a list of words."""
    return getattr(TYPES.get(name), _WORDS, ())


def counted(noun: str) -> Type:
    """A type for a number of something: ``counted("broker")`` takes "1 broker", "3 brokers"."""

    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"

    @parse.with_pattern(rf"\d+ (?:{plural}|{noun})")
    def number(text: str) -> int:
        return int(text.split()[0])

    return number


# -- services ------------------------------------------------------------------
#: What features call a service that others use as well.
SERVERS = {
    "a Kafka broker": "kafka",
    "a mail server": "mailpit",
    "a PostgreSQL server": "postgresql",
    "a Prometheus": "prometheus",
    "a Pushgateway": "pushgateway",
    "a RabbitMQ broker": "rabbitmq",
    "a Redis server": "redis",
    "a search engine": "opensearch",
    "a vector database": "milvus",
    "a ZooKeeper server": "zookeeper",
    "an Alertmanager": "alertmanager",
    "an etcd server": "etcd",
    "an object store": "s3",
}
#: What they say of how it makes durable what it acknowledges, and its options then.
SYNCING: Mapping[str, Mapping[str, tuple[tuple[str, Any], ...]]] = {
    "syncs each write": {
        "redis": (("config", (("appendonly", "yes"), ("appendfsync", "always"))),)
    },
    "syncs every second": {
        "redis": (("config", (("appendonly", "yes"), ("appendfsync", "everysec"))),)
    },
    "saves a snapshot every second": {"redis": (("config", (("save", "1 1"),)),)},
    "acknowledges before it syncs": {
        "postgresql": (("config", (("synchronous_commit", "off"),)),),
    },
    "never syncs": {
        "redis": (("config", (("appendonly", "yes"), ("appendfsync", "no"))),),
        "postgresql": (("fsync", False),),
    },
}
#: What they call one of several nodes, and its option that says of how many.
CLUSTERS = {
    "a Kafka cluster": ("kafka", "brokers"),
    "a RabbitMQ cluster": ("rabbitmq", "nodes"),
    "a ZooKeeper ensemble": ("zookeeper", "nodes"),
    "an etcd cluster": ("etcd", "nodes"),
}


@parse.with_pattern(r"\d+ (?:node|broker)s?")
def parse_nodes(text: str) -> int:
    """How many nodes a cluster has, whatever its service calls them."""
    return int(text.split()[0])


# -- how something ends, and how long it takes ---------------------------------
#: How an instance of a system may be interrupted, as features say it.
INTERRUPTIONS: dict[str, Callable[[RunningSystem], None]] = {
    "is stopped": lambda system: system.stop(),
    "crashes": lambda system: system.crash(),
    "is paused": lambda system: system.pause(),
}

#: How an instance of a service may end.
SERVER_ENDINGS: dict[str, Literal["stop", "crash"]] = {"is stopped": "stop", "crashes": "crash"}


@parse.with_pattern(r"\d+(?:\.\d+)? (?:milli)?seconds?")
def parse_seconds(text: str) -> float:
    """A time such as "1 second" or "250 milliseconds", in seconds."""
    number, unit = text.split()
    return float(number) / (1000 if unit.startswith("milli") else 1)


@dataclass(frozen=True)
class Span:
    """The time of a demand.

    Attributes:
        seconds: how long, on a machine of usual speed.
        throughout: it must hold all the time ("for"), and not only once ("within").
    """

    seconds: float
    throughout: bool


@parse.with_pattern(rf"(?:within|for) {parse_seconds.pattern}")
def parse_span(text: str) -> Span:
    """A time such as "within 10 seconds" or "for 5 seconds"."""
    word, _, rest = text.partition(" ")
    return Span(parse_seconds(rest), word == "for")


# -- figures -------------------------------------------------------------------
@parse.with_pattern(r"median|average|longest|\d+th percentile")
def parse_statistic(text: str) -> str:
    """Which latency of many counts: "median", "average", "longest", "95th percentile"."""
    return text.lower()


#: What rates count, a second.
UNITS = ("documents", "entries", "events", "megabytes", "messages", "operations", "vectors")


@parse.with_pattern(r"[A-Za-z]+(?: [a-z]+)?")
def parse_operation(text: str) -> str:
    """What was measured, in the words of the step that measures it: "search", "GET"."""
    return text


@parse.with_pattern(r'(?:the [a-z][a-z -]* )?"[^"]*"')
def parse_place(text: str) -> str:
    """A named place: "orders" in quotation marks, or which kind it is: the queue "orders"."""
    return text


# -- faults --------------------------------------------------------------------
#: What a producer may promise, as features say it, and the guarantee that this is.
PROMISES = {"exactly once": "idempotent", "at least once": "at-least-once"}


@parse.with_pattern("|".join(PROMISES))
def parse_promise(text: str) -> str:
    """A guarantee, by its name in `history`."""
    return PROMISES[text]


@parse.with_pattern(WORDS)
def parse_role(text: str) -> str:
    """A role that a broker of Kafka has; `stackproof.faults.roles.Role` reads it."""
    return text


@parse.with_pattern(rf"broker \d+|{WORDS}")
def parse_broker(text: str) -> str:
    """A broker by its number, or by its role."""
    return text


@parse.with_pattern(r"the (?:server|primary|leader)|(?:replica|node|broker|sentinel) \d+")
def parse_node(text: str) -> str:
    """The name of a node: "the primary" is ``primary``, "replica 1" is ``replica-1``; or a role."""
    return text.removeprefix("the ").replace(" ", "-")


@parse.with_pattern(r"replica \d+")
def parse_replica(text: str) -> str:
    """The same of replicas alone."""
    return parse_node(text)


@parse.with_pattern("|".join(WORKLOADS))
def parse_workload(text: str) -> Workload:
    """What a client goes on doing."""
    return WORKLOADS[text]


setattr(parse_workload, _WORDS, tuple(WORKLOADS))


# -- stores and queues ---------------------------------------------------------
#: Rate limiters under test, as stackproof.toml calls them.
LIMITERS = ("fixed-window-limiter", "sliding-window-limiter")
#: Kinds of collections in Redis.
COLLECTIONS = ("hash", "list", "set", "sorted set")
#: Services that coordinate others, by how features call them.
COORDINATION = {"etcd": "etcd", "ZooKeeper": "zookeeper"}
#: Which records consumers of Kafka are handed.
READ_ISOLATIONS = ("read_committed", "read_uncommitted")
#: Isolation levels of the SQL standard.
LEVELS = ("read uncommitted", "read committed", "repeatable read", "serializable")


# -- systems under test --------------------------------------------------------
def types_of_systems(systems: Mapping[str, SystemSettings]) -> dict[str, Type]:
    """Types for the systems of ``stackproof.toml``, and for what goes in and comes out of them.

    The words of `NOUNS` are right for every system.

    Args:
        systems: by name.

    Returns:
        System, Component: its settings, by what features call it, with spaces or hyphens. Input,
        Inputs, Output, Outputs: the word.
    """
    programs = [system for system in systems.values() if not system.component]
    called = {system.called.lower(): system for system in systems.values()}
    nouns = {
        (role, count): {NOUNS[role][count - 1], *(system.noun(role, count) for system in programs)}
        for role in NOUNS
        for count in (1, 2)
    }

    def named(chosen: Iterable[SystemSettings]) -> Type:
        names = (re.escape(system.called.lower()).replace(r"\ ", "[ -]") for system in chosen)

        @parse.with_pattern(_pattern(names))
        def parse_system(text: str) -> SystemSettings:
            return called[spoken(text).lower()]

        return parse_system

    return {
        "System": named(programs),
        "Component": named(system for system in systems.values() if system.component),
        "Input": one_of(nouns["input", 1]),
        "Inputs": one_of(nouns["input", 2]),
        "Output": one_of(nouns["output", 1]),
        "Outputs": one_of(nouns["output", 2]),
    }


#: Every type, by its name in the patterns of steps, e.g. ``{limit:Seconds}``.
TYPES: dict[str, Type] = {
    "Acks": one_of(("0", "1", "all")),
    "Batching": one_of(get_args(Batching)),
    "Broker": parse_broker,
    "Brokers": counted("broker"),
    "Checksum": one_of(CHECKSUMS),
    "Cluster": one_of(CLUSTERS),
    "Collection": one_of(COLLECTIONS),
    "Consistency": one_of(CONSISTENCY),
    "Coordination": one_of(COORDINATION),
    "Customers": counted("customer"),
    "Ending": one_of(SERVER_ENDINGS),
    "Exchange": one_of(EXCHANGES),
    "Fault": one_of(FAULTS),
    "Interruption": one_of(INTERRUPTIONS),
    "Isolation": one_of(LEVELS),
    "Misuse": one_of(MISUSED),
    "Limiter": one_of(LIMITERS),
    "Node": parse_node,
    "Nodes": parse_nodes,
    "Overflow": one_of(OVERFLOWS),
    "Operation": parse_operation,
    "Partitions": counted("partition"),
    "Place": parse_place,
    "Policy": one_of(POLICIES),
    "Primaries": counted("primary"),
    "Producer": one_of(PRODUCERS),
    "Promise": parse_promise,
    "ReadIsolation": one_of(READ_ISOLATIONS),
    "Refused": one_of(REFUSED),
    "Replica": parse_replica,
    "Role": parse_role,
    "Seconds": parse_seconds,
    "Server": one_of(SERVERS),
    "Syncing": one_of(SYNCING),
    "Span": parse_span,
    "Statistic": parse_statistic,
    "Times": one_of(TIMES),
    "SearchMistake": one_of(SEARCH_MISTAKES),
    "Unit": one_of(UNITS),
    "VectorMistake": one_of(VECTOR_MISTAKES),
    "Workload": parse_workload,
    "WhichEvents": one_of((FIRST, LAST)),
}


_done = False


def register(systems: Mapping[str, SystemSettings]) -> None:
    """Make the types known to behave; before any steps are loaded.

    Args:
        systems: those under test, by name.
    """
    global _done
    register_type(**TYPES, **types_of_systems(systems))
    _done = True


def register_once() -> None:
    """The same for whoever loads steps without the suite's runner, e.g. an editor."""
    if not _done:
        from stackproof.settings import load_systems

        register(load_systems())
