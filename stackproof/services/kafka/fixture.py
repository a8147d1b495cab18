"""One scenario's work with its Kafka cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from stackproof.errors import Trouble, step_missing
from stackproof.history import Flow
from stackproof.polling import STALLED_AFTER, work_off
from stackproof.services.fixture import Scenario
from stackproof.services.kafka import client
from stackproof.services.kafka.client.connection import bootstrap, connection, security_protocol
from stackproof.services.kafka.client.messages import (
    Message,
    Reading,
    Received,
    TopicSpec,
    as_delivered,
)
from stackproof.services.kafka.client.properties import (
    java_properties,
    librdkafka_properties,
    write_properties,
)
from stackproof.services.sending import Sent
from stackproof.texts import counted

if TYPE_CHECKING:
    from kafka.errors import KafkaError

    from stackproof.history.columns import Isolation

_LONGEST_TOPIC = 249
_OBSERVER = "observer"


class KafkaFixture:
    """Topics, publishing, reading and groups of one scenario.

    Args:
        scenario: the scenario.
        endpoint: the cluster's name among the scenario's.
    """

    def __init__(self, scenario: Scenario, endpoint: str = "kafka"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self._readers: dict[str, client.TopicReader] = {}
        self._adopted: dict[str, str] = {}
        self._how: dict[str, tuple[Reading, Mapping[int, int] | None, Isolation]] = {}
        self.consumers: list[client.GroupConsumer] = []
        self._fresh = 0
        self.topics: dict[str, TopicSpec] = {}
        self.sent = Sent()
        self.refusal: KafkaError | None = None

    @property
    def connection(self) -> dict[str, Any]:
        """What every client needs to connect."""
        return connection(self.endpoint.addresses, self.endpoint.access)

    @cached_property
    def fields(self) -> dict[str, str]:
        """How a system under test connects: fields for its command and environment.

        What is secret stands in files that only this user can read; they are removed with
        the scenario. Command lines are read by everybody on the machine.
        """
        access = self.endpoint.access
        files = {}
        for name, java, of in (("client", False, librdkafka_properties),
                               ("java", True, java_properties)):  # fmt: skip
            file = self._scenario.directory / f"kafka-{name}.properties"
            self._scenario.add_cleanup(partial(file.unlink, missing_ok=True))
            write_properties(file, of(self.endpoint.addresses, access), java=java)
            files[f"kafka_{name}_properties"] = str(file)
        return {
            "kafka": bootstrap(self.endpoint.addresses),
            "kafka_security_protocol": security_protocol(access),
            "kafka_sasl_mechanism": access.sasl_mechanism,
            "kafka_username": access.username,
            "kafka_ca_file": access.ca_file,
            "kafka_certificate_file": access.certificate_file,
            "kafka_key_file": access.key_file,
            **files,
        }

    @cached_property
    def admin(self) -> client.KafkaAdmin:
        """The admin API."""
        endpoint = self.endpoint
        admin = client.KafkaAdmin(endpoint.addresses, endpoint.access, foreign=not endpoint.ours)
        self._scenario.add_cleanup(admin.close)
        return admin

    @cached_property
    def publisher(self) -> client.Publisher:
        """The scenario's producer."""
        return self.new_publisher("producer")

    @cached_property
    def compressing(self) -> client.Publisher:
        """A producer that compresses: for what is above the broker's limit when it does not."""
        return self.new_publisher("compressing producer", compression_type="gzip")

    def new_publisher(self, name: str, **options: Any) -> client.Publisher:
        """A further producer; ``options``: settings of kafka-python's."""
        publisher = client.Publisher(self.connection, self._scenario.history, name=name, **options)
        self._scenario.add_cleanup(publisher.close)
        return publisher

    def transactional(self, transactional_id: str, **options: Any) -> client.TransactionalPublisher:
        """A new transactional producer; it fences the one before of the same id.

        Args:
            transactional_id: in the scenario's words.
            options: further settings of kafka-python's producer.
        """
        self._fresh += 1
        publisher = client.TransactionalPublisher(
            self.connection, self._scenario.history, name=f"{transactional_id} {self._fresh}",
            transactional_id=self._scenario.own(transactional_id),
            within=self._scenario.scaled(30), **options,
        )  # fmt: skip
        self._scenario.add_cleanup(publisher.close)
        return publisher

    # -- topics --------------------------------------------------------------
    def own(self, topic: str) -> str:
        """The scenario's own topic for a name in its text.

        Raises:
            Trouble: no broker takes a topic with so long a name.
        """
        real = self._scenario.own(topic)
        if len(real) > _LONGEST_TOPIC:
            raise Trouble(
                f"the topic's name is too long by {len(real) - _LONGEST_TOPIC} characters",
                f"Kafka takes {_LONGEST_TOPIC}; with prefix, run and scenario it is {real!r}",
                "shorten the topic's name in the feature, or run.prefix",
            )
        return real

    def create_topics(self, specs: Iterable[TopicSpec]) -> None:
        """Create topics under the scenario's own names."""
        specs = list(specs)
        self.admin.provide(
            [replace(spec, name=self.own(spec.name)) for spec in specs],
            within=self._scenario.scaled(10),
        )
        self.topics |= {spec.name: spec for spec in specs}

    def try_to_create(self, spec: TopicSpec) -> None:
        """Ask for a topic that may be refused; the refusal is kept in `refusal`."""
        from kafka.errors import KafkaError

        # The violation must reach the broker; whatever it takes is still the scenario's own.
        name = self._scenario.own(spec.name) if spec.name.strip(".") else spec.name
        self.refusal = None
        try:
            self.admin.create([replace(spec, name=name)], within=self._scenario.scaled(10))
        except KafkaError as error:
            self.refusal = error

    def differences(self, topic: str) -> list[str]:
        """How a topic differs from what was asked for."""
        spec = self.topics[topic]
        partitions = self.admin.partitions(self.own(topic))
        found = [f"{counted(partitions, 'partition')} instead of {spec.partitions}"]
        found = found if partitions != spec.partitions else []
        config = self.admin.config(self.own(topic))
        for name, value in spec.config.items():
            if config.get(name) != value:
                found.append(f"{name} is {config.get(name)!r} instead of {value!r}")
        return [f"{topic}: {difference}" for difference in found]

    # -- publishing and reading ----------------------------------------------
    def publish(self, topic: str, messages: Iterable[Message]) -> Sent:
        """Publish to one of the scenario's topics and wait for the outcomes."""
        self.sent = self.publisher.publish(
            self.own(topic), messages, within=self._scenario.scaled(30)
        )
        return self.sent

    def plain_messages(self, count: int, *, size: int = 64) -> list[Message]:
        """Messages with distinct keys and contents, ``size`` bytes each."""
        return [
            Message(
                key=f"message-{number:05d}".encode(),
                value=f"content of message {number:05d} ".encode().ljust(size, b"."),
            )
            for number in range(1, count + 1)
        ]

    def reader(
        self,
        topic: str,
        reading: Reading = as_delivered,
        since: Mapping[int, int] | None = None,
        isolation: Isolation = "read_uncommitted",
    ) -> client.TopicReader:
        """The observer of a topic, given by its real name; made at the first call.

        Args:
            topic: its real name.
            reading: how to understand its records.
            since: offsets to begin at, by partition, where that is not the beginning.
            isolation: "read_committed" leaves out what no transaction has committed.
        """
        if reading is as_delivered:
            reading, since, isolation = self._how.get(topic, (reading, since, isolation))
        if topic not in self._readers:
            reader = client.TopicReader(
                self.connection, self._scenario.history, topic, name=_OBSERVER,
                reading=reading, since=since, isolation=isolation,
            )  # fmt: skip
            self._scenario.add_cleanup(reader.close)
            self._readers[topic] = reader
        return self._readers[topic]

    def adopt(
        self,
        name: str,
        topic: str,
        reading: Reading,
        since: Mapping[int, int],
        isolation: Isolation,
    ) -> None:
        """Have steps call a system's topic (real name) so; whoever observes it does it this way."""
        self._adopted[name] = topic
        self._how[topic] = reading, since, isolation

    def real(self, name: str) -> str | None:
        """The topic that the scenario calls so, where there is one: a system's, or its own."""
        if name in self._adopted:
            return self._adopted[name]
        own = self.own(name)
        return own if own in self.admin.list_topics() else None

    def names(self) -> list[str]:
        """Topics in the scenario's words."""
        own = self._scenario.own("")
        there = [t.removeprefix(own) for t in self.admin.list_topics() if t.startswith(own)]
        return sorted({*there, *self._adopted})

    def seen_now(self, topic: str, isolation: Isolation) -> list[Received]:
        """What a fresh reader finds in a topic (real name), as far as it gets at present.

        One that reads committed records gets as far as no transaction is open.

        Raises:
            DeadlineExceeded: it did not get there.
        """
        self._fresh += 1
        reader = client.TopicReader(
            self.connection, self._scenario.history, topic,
            name=f"{isolation} {self._fresh}", isolation=isolation,
        )  # fmt: skip
        try:
            return reader.drain(within=self._scenario.scaled(15))
        finally:
            reader.close()

    def delivery(self, topic: str, **rules: Any) -> Flow:
        """The expectation that a topic holds what was published to it."""
        real = self.own(topic)
        rules = {"content": "bytes", "order": "sequence", **rules}
        return Flow(f'delivery on "{topic}"', real, real, **rules)

    def observed(self, topic: str, *, within: float) -> Flow:
        """Read a topic up to its present end; the expectation that its observer found it all.

        What other consumers were handed does not count.

        Args:
            topic: in the scenario's words.
            within: seconds.

        Raises:
            DeadlineExceeded: the end was not reached in time.
        """
        real = self.own(topic)
        self.reader(real).drain(within=within)
        snapshot = self._scenario.history.snapshot()
        sends, topics = snapshot.sends, snapshot.codes("topics", (real,))
        places = zip(sends.client.tolist(), sends.topic.tolist(), strict=True)
        senders = {snapshot.clients[client] for client, to in places if to in topics}
        return self.delivery(topic, scope_clients=(*sorted(senders), _OBSERVER))

    def drain_all(self) -> None:
        """Read every observed topic up to its present end."""
        for reader in self._readers.values():
            reader.drain(within=self._scenario.scaled(15))

    def final_drain(
        self,
        topic: str,
        reading: Reading = as_delivered,
        isolation: Isolation = "read_committed",
    ) -> list[Received]:
        """Read a topic (real name) whole by a fresh consumer; see `draining.drain`.

        Verdicts on the topic say that it took place. Call it when all faults are healed and
        nothing is sent any more.

        Raises:
            DeadlineExceeded: the end was not reached in time.
        """
        self._fresh += 1
        return client.drain(
            self.connection, self._scenario.history, topic, name=f"final drain {self._fresh}",
            reading=reading, isolation=isolation, within=self._scenario.scaled(60),
        )  # fmt: skip

    # -- groups --------------------------------------------------------------
    def join(self, topic: str, group: str, **how: Any) -> client.GroupConsumer:
        """A new consumer of a group; ``how``: further arguments of `GroupConsumer`."""
        consumer = client.GroupConsumer(
            self.connection,
            self._scenario.history,
            self.own(topic),
            group=self._scenario.own(group),
            name=f"consumer {len(self.consumers) + 1}",
            **how,
        )
        self._scenario.add_cleanup(consumer.close)
        self.consumers.append(consumer)
        return consumer

    def closed_consumers(self, at_least: int = 1) -> list[client.GroupConsumer]:
        """The consumers of groups that steps have had, in their order; each has received.

        Raises:
            PremiseNotMet: there were fewer.
        """
        if len(self.consumers) < at_least:
            raise step_missing(
                "a consumer that has received" if at_least == 1 else f"{at_least} consumers",
                'a consumer of group "readers" receives 10 messages from "orders" and closes',
            )
        return self.consumers

    def wait_worked_off(
        self,
        group: str,
        topic: str,
        *,
        within: float,
        alive: Any = None,
        since: Mapping[int, int] | None = None,
        stalled_after: float = STALLED_AFTER,
    ) -> None:
        """Wait until a group (real name) has committed everything in a topic (real name).

        Args:
            group: its real name.
            topic: its real name.
            within: seconds.
            alive: tells when it cannot come true any more; see `poll`.
            since: where a partition counts from that the group has never committed.
            stalled_after: seconds without progress after which it is stalled, not late.

        Raises:
            Late, Stalled, Died: messages are left uncommitted.
        """
        work_off(
            lambda: self.admin.lag(group, topic, since),
            within=within,
            awaiting=f'group "{group}" to commit everything it was sent',
            describe=lambda lag: (
                f"{counted(lag, 'message')} not committed: a restart would repeat them"
            ),
            alive=alive,
            stalled_after=stalled_after,
        )
