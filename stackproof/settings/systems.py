"""Systems under test as ``[systems.NAME]`` describes them."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof.polling import STALLED_AFTER
from stackproof.services import service_names
from stackproof.settings.vocabulary import FINER

OWN = "own"
EXACT = "exact"
AT_LEAST_ONCE = "at-least-once"
EXACTLY_ONCE = "exactly-once"
#: What goes in, what comes out, what cannot be processed: topics and contracts by these.
ROLES = ("input", "output", "dead_letter")
#: One and several of what goes in and comes out, where a system does not say it.
NOUNS = {"input": ("message", "messages"), "output": ("output", "outputs")}
#: How a program ends that was told to: as it likes, or as shells and Java tell of SIGTERM.
STOP_EXIT_CODES = (0, 143)


@dataclass(frozen=True)
class TopicSettings:
    """One topic of a system.

    Attributes:
        partitions: of the topic, when it is made for the system.
        config: topic settings by Kafka's names, when it is made for the system.
        name: exact name, or the beginning of the scenario's own; empty: after its role.
    """

    partitions: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Limits:
    """What a system is granted that features do not know of.

    Attributes:
        time_factor: multiplies every time limit for what it is to do, besides the run's own.
        stalled_after: seconds without progress after which it counts as stalled, not as late.
        ahead: messages that keep arriving are at most so many ahead of what has come out.
    """

    time_factor: float = 1.0
    stalled_after: float = STALLED_AFTER
    ahead: int = 500


@dataclass(frozen=True)
class MetricsSettings:
    """A system's own counters.

    Attributes:
        url: address that answers in the text format of Prometheus; empty: there is none.
        counters: names of samples by what they count (received, outputs, dead_letters).
    """

    url: str = ""
    counters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mistake:
    """A command line that a system must refuse.

    Attributes:
        options: added to the end of its command; fields are filled in.
        told: text that its message must hold.
    """

    options: tuple[str, ...]
    told: str


@dataclass(frozen=True)
class SystemSettings:
    """A system under test as ``[systems.NAME]`` describes it.

    Attributes:
        name: as features call it.
        command: program and arguments; ``{}`` fields are filled in when it is launched.
            Empty when it is attached.
        directory: working directory, absolute.
        environment: variables added to its environment; fields are filled in too.
        contracts: JSON Schema files by role (input, output, dead_letter), absolute.
        completeness: fraction of valid inputs that must come out, 0 to 1.
        ready_line: text in its output that says it is ready.
        ready_http: address that answers with 2xx when it is ready.
        ready_port: ``port`` or ``host:port`` that accepts connections when it is ready.
        ready_group: it is ready when its consumer group has a new member.
        ready_within: seconds from launch to ready.
        stop_within: seconds from SIGTERM to its end.
        stop_exit_codes: what it may end with then; negative: killed by that signal.
        topics: by role (input, output, dead_letter).
        names: "own": topics and group are the scenario's own; "exact": taken literally.
        group: the consumer group's name; empty: after the system, unknown if attached.
        attach: it runs already; nothing is launched.
        samples: JSONL file of valid inputs to take instead of generated ones.
        invalid_samples: JSONL file or directory of invalid inputs.
        error_types: the system's names of error types, by the features' names.
        error_words: how its errors' texts word the rule that is broken, by the same names.
        not_applicable: kinds of invalid messages that the system does not have, with reasons.
        limits: what it is granted beyond the features' limits.
        keeps_partition: it promises that an output is in the partition of its input.
        metrics: its own counters.
        mistakes: what it must refuse at its start, by the features' names.
        component: ``package.module:Class`` that is hosted in a process of its own, or what a
            ``command`` that answers lines of JSON is called; empty: it is a program.
        options: arguments of a component; fields in texts are filled in.
        methods: how a component wants to be called, by the features' names of its methods.
        errors: kinds of a component's errors, by the features' words for them.
        fields: where a field of an event stands in what arrives: a name or a JSON pointer.
        uses: services that it works with, beside those that its fields tell of.
        nouns: one and several of what goes in and comes out, by role (input, output).
        guarantee: "at-least-once"; "exactly-once": its outputs are read as of committed
            transactions, and nothing may come twice.
    """

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    contracts: Mapping[str, Path] = field(default_factory=dict)
    completeness: float = 1.0
    ready_line: str = ""
    ready_within: float = 30.0
    stop_within: float = 15.0
    stop_exit_codes: tuple[int, ...] = STOP_EXIT_CODES
    topics: Mapping[str, TopicSettings] = field(default_factory=dict)
    ready_http: str = ""
    ready_port: str = ""
    ready_group: bool = False
    names: str = OWN
    group: str = ""
    attach: bool = False
    samples: Path | None = None
    invalid_samples: Path | None = None
    error_types: Mapping[str, str] = field(default_factory=dict)
    error_words: Mapping[str, str] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    keeps_partition: bool = False
    metrics: MetricsSettings = MetricsSettings()
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)
    component: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    nouns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    guarantee: str = AT_LEAST_ONCE

    @property
    def called(self) -> str:
        """How features call it, after "the": its name with spaces."""
        return spoken(self.name)

    @property
    def exactly_once(self) -> bool:
        """Whether it promises that nothing comes twice."""
        return self.guarantee == EXACTLY_ONCE

    def noun(self, role: str, count: int = 1) -> str:
        """What one, or so many, of its inputs or outputs are called."""
        return self.nouns.get(role, NOUNS[role])[count != 1]

    @property
    def roles(self) -> tuple[str, ...]:
        """Its topics; where a section has contracts, those that it tells something of."""
        told = {*self.contracts, *self.topics, *self._fields()}
        return tuple(role for role in ROLES if not self.contracts or role in told)

    @property
    def indexes(self) -> bool:
        """Whether what comes out of it are documents of a search engine."""
        return "opensearch" in self.services and "output" not in self.roles

    @property
    def services(self) -> tuple[str, ...]:
        """The services that it needs: those of its fields, its topics' Kafka, and ``uses``."""
        found = {*self.uses, *(_service(name) for name in self._fields())}
        if self.topics or self.contracts or self.attach or self.ready_group:
            found.add("kafka")
        return tuple(sorted(found - {""}))

    def _fields(self) -> Iterator[str]:
        """Names of the ``{}`` fields that are filled in when it is launched."""
        options = [word for mistake in self.mistakes.values() for word in mistake.options]
        given = [value for value in self.options.values() if isinstance(value, str)]
        ready = (self.ready_http, self.ready_port, self.metrics.url)
        for text in (*self.command, *self.environment.values(), *options, *given, *ready):
            try:
                yield from (name for _, name, _, _ in string.Formatter().parse(text) if name)
            except ValueError:  # told when it is launched, with the system's name
                continue

    @property
    def exact(self) -> bool:
        """Whether topics and group are taken literally."""
        return self.names == EXACT

    def error_type(self, name: str) -> str:
        """The system's own name for an error type of the features."""
        common = FINER.get(name, name)
        return self.error_types.get(name, self.error_types.get(common, common))


def spoken(name: str) -> str:
    """A section's name as features say it: "vector-stream" is "vector stream"."""
    return name.replace("-", " ").replace("_", " ")


def _service(name: str) -> str:
    """The service that a field tells of, e.g. "kafka" of ``{kafka_username}``; empty: none."""
    if name in (*ROLES, "group"):
        return "kafka"
    return next((s for s in service_names() if name == s or name.startswith(f"{s}_")), "")
