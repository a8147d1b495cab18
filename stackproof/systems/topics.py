"""A pipeline's topics and group: the scenario's own, or exactly those that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kafka.errors import TopicAlreadyExistsError

from stackproof.errors import Refused, Trouble
from stackproof.polling import DeadlineExceeded
from stackproof.services.kafka import KafkaFixture
from stackproof.services.kafka.client import TopicSpec
from stackproof.services.kafka.client.connection import bootstrap
from stackproof.settings import SystemSettings, TopicSettings

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

_WORKED_OFF_WITHIN = 10.0


class PipelineTopics:
    """Names and beginnings of a pipeline's topics. Creating it creates what is missing.

    Own names: made anew for the scenario. Exact names: made on a broker of the suite's own
    (the scenario has it for itself) and on an endpoint where they are missing, and removed
    there afterwards; where they exist already they are used only if that endpoint may be
    touched, and only what comes after their present end counts.

    Attributes:
        names: real topic names by role.
        called: the same as features call them.
        group: the consumer group's real name; empty: not known.
        since: the offsets that the scenario begins at, by role and partition.
    """

    def __init__(self, session: ScenarioSession, settings: SystemSettings):
        self._session = session
        self._settings = settings
        self._kafka = session.use(KafkaFixture)
        self._endpoint = session.endpoint("kafka")
        asked = {r: settings.topics.get(r, TopicSettings()) for r in settings.roles}
        if settings.exact:
            self.called = self.names = {role: asked[role].name for role in asked}
            self.group = settings.group or ("" if settings.attach else settings.name)
        else:
            self.called = {
                role: asked[role].name or f"{settings.name}.{role.replace('_', '-')}"
                for role in asked
            }
            self.names = {role: session.own(name) for role, name in self.called.items()}
            self.group = session.own(settings.group or settings.name)
        self.since: dict[str, Mapping[int, int]] = {role: {} for role in asked}
        there = self._there() if settings.exact else []
        if settings.attach:
            self._check_attached(there)
        if there:
            self._check_allowed(there)
        self._create({r: t for r, t in asked.items() if self.names[r] not in there})
        if there:
            self._begin_here()

    @property
    def _started_by_suite(self) -> bool:
        return self._endpoint.ours

    def _there(self) -> list[str]:
        existing = set(self._kafka.admin.list_topics())
        return [name for name in self.names.values() if name in existing]

    def _check_attached(self, there: list[str]) -> None:
        name = self._settings.name
        if self._started_by_suite:
            raise Trouble(
                f"the system {name} cannot be attached to a broker that this run has started",
                "nobody but this run knows that broker, so the system cannot be reading from it",
                'name the system\'s broker: [services.kafka] provider = "external"',
            )
        missing = [topic for topic in self.names.values() if topic not in there]
        if missing:
            raise Trouble(
                f"the topic {missing[0]} of the attached system {name} does not exist",
                "a system that runs already has its topics",
                f"correct the names in [systems.{name}.topics] of stackproof.toml",
            )

    def _check_allowed(self, there: list[str]) -> None:
        if self._endpoint.destructive and not self._started_by_suite:
            return
        address = bootstrap(self._endpoint.addresses)
        if self._started_by_suite:
            raise Trouble(
                f"topics exist already: {', '.join(there)}",
                "the scenario should have a broker of its own, and this one is not new",
                "use the system in one step of the scenario only by its own steps",
            )
        raise Refused(
            f"topics exist already: {', '.join(there)}",
            f"this run did not create them on {address}, and messages would be put into them",
            "allow that endpoint by name, allow_destructive = "
            f'["{address}"] in [services.kafka] of stackproof.toml, or remove the topics',
        )

    def _create(self, wanted: Mapping[str, TopicSettings]) -> None:
        specs = [TopicSpec(self.names[r], t.partitions, t.config) for r, t in wanted.items()]
        if not specs:
            return
        within = self._session.scaled(10)
        if not self._settings.exact or self._started_by_suite:
            self._kafka.admin.provide(specs, within=within)
            return
        ours: list[str] = []
        self._session.add_cleanup(lambda: self._kafka.admin.delete(ours) if ours else None)
        for spec in specs:
            try:
                self._kafka.admin.provide([spec], within=within)
            except TopicAlreadyExistsError as error:  # somebody was quicker: it is not ours
                raise Refused(
                    f"topics exist already: {spec.name}",
                    "somebody has just made it, and messages would be put into it",
                    "run again; topics that are there need that endpoint's name in "
                    "allow_destructive",
                ) from error
            except BaseException:
                ours.append(spec.name)  # it may have been made: nobody else's is there
                raise
            ours.append(spec.name)

    def _begin_here(self) -> None:
        """What was there before does not count, provided that nobody is still busy with it."""
        admin = self._kafka.admin
        if self.group:
            try:
                self._kafka.wait_worked_off(
                    self.group, self.names["input"],
                    within=self._session.scaled(_WORKED_OFF_WITHIN if self._settings.attach else 0),
                )  # fmt: skip
            except DeadlineExceeded as late:
                raise Trouble(
                    f"{self.names['input']} holds messages from before that "
                    f"{self._settings.name} has not processed",
                    f"{late}\nwhat comes of them could be taken for this scenario's",
                    "let the system work them off, or empty the topic",
                ) from late
        self.since = {role: admin.end_offsets(topic) for role, topic in self.names.items()}

    def foreign_inputs(self, published: int) -> int:
        """How many records somebody else has put into the input since the beginning."""
        ends = self._kafka.admin.end_offsets(self.names["input"])
        since = self.since["input"]
        return sum(end - since.get(partition, 0) for partition, end in ends.items()) - published
