"""Topics and groups through the admin API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import ConsumerGroupState, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConsumerGroupDescription,
    NewTopic,
    OffsetSpec,
)
from kafka.errors import (
    ClusterAuthorizationFailedError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedVersionError,
)

from stackproof.access import OPEN, Access
from stackproof.errors import NotSupported, Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.kafka.client.librdkafka import admin_client, translated
from stackproof.services.kafka.client.messages import TopicSpec
from stackproof.services.kafka.client.progress import GroupProgress
from stackproof.texts import counted

T = TypeVar("T")

# Of a broker that has never had a group, or of a group that is just moving: it passes.
_NO_COORDINATOR = (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NotCoordinatorError,
)
_COORDINATOR_WITHIN = 15.0
_CONNECTS_WITHIN = 10.0
#: Not for want of being offered: it passes, or it is what was asked.
_TOLD = (
    *_NO_COORDINATOR,
    GroupIdNotFoundError,
    KafkaConnectionError,
    UnknownTopicOrPartitionError,
)


@dataclass(frozen=True)
class Cluster:
    """The live brokers' IDs, and which of them is the controller (-1: none is known)."""

    brokers: frozenset[int]
    controller: int


class KafkaAdmin:
    """The admin API of one cluster.

    What the broker does not offer is `NotSupported`, with what it said. Of somebody else's
    broker that is also what it does not answer; our own ones offer everything.

    Args:
        addresses: as of an endpoint: ``host:port``, or several, comma-separated.
        access: how to prove who one is.
        foreign: the suite did not start this broker.
        patience: seconds for each answer.

    Raises:
        OSError: nobody listens.
        KafkaError: no broker answers.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        access: Access = OPEN,
        *,
        foreign: bool = False,
        patience: float = 10.0,
    ):
        self._connection = (addresses, access)
        self._foreign = foreign
        self._soon = {"request_timeout": patience}
        self._client = admin_client(addresses, access, timeout=_CONNECTS_WITHIN)
        self._progress: dict[str, GroupProgress] = {}

    def cluster(self) -> Cluster:
        """The live brokers and the controller, from a broker's metadata."""
        found = self._ask("Metadata", lambda: self._client.describe_cluster(**self._soon).result())
        controller = found.controller.id if found.controller else -1
        return Cluster(frozenset(node.id for node in found.nodes), controller)

    def list_topics(self) -> list[str]:
        """Names of all topics."""
        return list(
            self._ask(
                "Metadata", lambda: self._client.list_topics(timeout=self._soon["request_timeout"])
            ).topics
        )

    # -- topics --------------------------------------------------------------
    def create(self, specs: Iterable[TopicSpec], *, within: float = 10.0) -> None:
        """Create topics and wait until every partition has a leader.

        Raises:
            kafka.errors.KafkaError: the broker refused one, e.g. it exists already.
            Trouble: the user has no right to create them.
        """
        specs = list(specs)
        try:
            self._create(specs, within)
        except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
            raise Trouble(
                "the suite's user may not create topics on this broker",
                f"{type(error).__name__}: {', '.join(spec.name for spec in specs)}",
                "grant it all operations on topics and groups that begin with run.prefix, "
                "or set that prefix to what it may use",
            ) from error
        self._await_leaders(specs, within)

    def _create(self, specs: Sequence[TopicSpec], within: float) -> None:
        topics = [NewTopic(s.name, s.partitions, s.replicas, config=dict(s.config)) for s in specs]
        asked = self._client.create_topics(topics, operation_timeout=within, request_timeout=within)
        for future in asked.values():
            with translated():
                future.result()

    def provide(self, specs: Iterable[TopicSpec], *, within: float = 10.0) -> None:
        """Have new topics as asked for, by whatever way this broker offers.

        Where it does not create them on demand, it may do so by itself when asked for them.

        Raises:
            TopicAlreadyExistsError: one is there already.
            NotSupported: they cannot be had on this broker.
        """
        specs = list(specs)
        try:
            self.create(specs, within=within)
        except (KafkaError, Trouble, DeadlineExceeded) as error:
            if not self._foreign or isinstance(error, TopicAlreadyExistsError):
                raise
            for spec in specs:
                self._find(spec, error, within)

    def _find(self, spec: TopicSpec, refusal: Exception, within: float) -> None:
        """Take a topic that is there, or that the broker makes by itself when asked for it."""
        failed = NotSupported(
            f"the topic {spec.name} cannot be had on this broker",
            f"asked to create it, it says: {refusal}",
            "run this scenario on another broker, or on a stack of the suite's own",
        )
        try:
            with translated():
                self._client.list_topics(spec.name, timeout=within)  # makes it, if anything does
            self._await_leaders([spec], within)
            partitions = self.partitions(spec.name)
            if partitions == spec.partitions and spec.config:
                self._configure(spec)
        except (KafkaError, DeadlineExceeded) as error:
            raise (refusal if isinstance(refusal, Trouble) else failed) from error
        if partitions != spec.partitions:
            failed.why += (
                f"\nby itself it makes {counted(partitions, 'partition')}, not {spec.partitions}"
            )
            raise failed

    def _configure(self, spec: TopicSpec) -> None:
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in spec.config.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, spec.name, incremental_configs=entries)
        (future,) = self._client.incremental_alter_configs([resource], **self._soon).values()
        with translated():
            future.result()

    def _await_leaders(self, specs: Sequence[TopicSpec], within: float) -> None:
        poll(
            lambda: [s.name for s in specs if not self._led(s.name)],
            until=lambda missing: not missing,
            within=within,
            awaiting="a leader for every partition of the new topics",
            retry_on=(KafkaError,),
        )

    def _led(self, topic: str) -> bool:
        partitions = self._topic(topic).partitions
        return bool(partitions) and all(p.leader and p.leader.id >= 0 for p in partitions)

    def _topic(self, name: str) -> Any:
        (future,) = self._client.describe_topics(TopicCollection([name]), **self._soon).values()
        with translated():
            return future.result()

    def partitions(self, topic: str) -> int:
        """Number of partitions."""
        return len(self._ask("Metadata", lambda: self._topic(topic)).partitions)

    def config(self, topic: str) -> dict[str, str]:
        """All settings of a topic, defaults included."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        (future,) = self._client.describe_configs([resource], **self._soon).values()
        described = self._ask("DescribeConfigs", future.result)
        return {name: entry.value for name, entry in described.items()}

    def delete(self, topics: Iterable[str]) -> None:
        """Delete topics."""
        for future in self._client.delete_topics(list(topics), **self._soon).values():
            self._ask("DeleteTopics", future.result)

    # -- offsets -------------------------------------------------------------
    def end_offsets(self, topic: str) -> dict[int, int]:
        """The end of each partition: the offset that the next record will get."""
        return self._offsets(topic, OffsetSpec.latest())

    def beginning_offsets(self, topic: str) -> dict[int, int]:
        """The first offset of each partition that is still there."""
        return self._offsets(topic, OffsetSpec.earliest())

    def _offsets(self, topic: str, spec: OffsetSpec) -> dict[int, int]:
        wanted = {TopicPartition(topic, p): spec for p in range(self.partitions(topic))}
        found = self._client.list_offsets(wanted, **self._soon)
        return {
            place.partition: self._ask("ListOffsets", future.result).offset
            for place, future in found.items()
        }

    def delete_before(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Delete the records before these offsets, by partition."""
        places = [TopicPartition(topic, p, o) for p, o in offsets.items()]
        for future in self._client.delete_records(places, **self._soon).values():
            self._ask("DeleteRecords", future.result)

    # -- groups --------------------------------------------------------------
    def committed(self, group: str, topic: str) -> dict[tuple[str, int], int]:
        """A group's committed offsets in a topic; empty for an unknown group."""
        partitions = range(self.partitions(topic))
        try:
            found = self._coordinated(
                "OffsetFetch", lambda: self._progress_of(group).committed(topic, partitions), group
            )
        except GroupIdNotFoundError:
            return {}
        return {(topic, partition): offset for partition, offset in found.items()}

    def lag(self, group: str, topic: str, since: Mapping[int, int] | None = None) -> int:
        """Offsets from the first record of ``topic`` that ``group`` has not committed to the end.

        0 where no record is left that anybody could be handed: markers of transactions, aborted
        and deleted records count only before one that is.

        Args:
            since: where a partition counts from that the group has never committed.

        Raises:
            AssertionError: the group has committed an offset beyond a partition's end.
        """
        # Committed first: what is published in between must not look like "beyond".
        committed = self.committed(group, topic)
        ends = self.end_offsets(topic)
        behind = {}
        for partition, end in ends.items():
            position = committed.get((topic, partition), (since or {}).get(partition, 0))
            if position > end:
                raise AssertionError(
                    f'group "{group}" has committed offset {position} of partition {partition}, '
                    f"which is beyond the end {end}: it will skip records"
                )
            if position < end:
                behind[partition] = position
        if not behind:
            return 0
        begins = self.beginning_offsets(topic)
        left = {p: max(position, begins[p]) for p, position in behind.items()}
        found = self._progress_of(group).next_records(topic, left)
        return sum(max(0, ends[p] - offset) for p, offset in found.items())

    def _progress_of(self, group: str) -> GroupProgress:
        if group not in self._progress:
            self._progress[group] = GroupProgress(*self._connection, group)
        return self._progress[group]

    def active_members(self, group: str) -> frozenset[str]:
        """IDs of the members of a group that has finished its rebalance; else none."""
        return frozenset(member.member_id for member in self._settled(group))

    def members(self, group: str) -> frozenset[str]:
        """IDs of all members of a group, in whatever state it is."""
        described = self._described(group)
        return frozenset(member.member_id for member in (described.members if described else ()))

    def shares(self, group: str, topic: str) -> dict[str, list[int]]:
        """The partitions of ``topic`` by member of a group; empty while it rebalances."""
        return {
            member.member_id: sorted(
                place.partition
                for place in (member.assignment.topic_partitions if member.assignment else ())
                if place.topic == topic
            )
            for member in self._settled(group)
        }

    def _settled(self, group: str) -> Sequence[Any]:
        described = self._described(group)
        stable = described is not None and described.state == ConsumerGroupState.STABLE
        return described.members if described and stable else ()

    def _described(self, group: str) -> ConsumerGroupDescription | None:
        """A group of the classic or of the new protocol (KIP-848); None: there is none.

        librdkafka asks three times in 0.3 s which broker coordinates the group. If none does yet,
        it then asks nothing until the time for the answer is over: so it is asked with little
        time first, and with more each time.
        """
        patience = self._soon["request_timeout"]
        shorter = iter([1.0, 2.0, 4.0])

        def ask() -> ConsumerGroupDescription:
            within = min(next(shorter, patience), patience)
            (future,) = self._client.describe_consumer_groups(
                [group], request_timeout=within
            ).values()
            try:
                with translated():
                    return future.result()
            except KafkaTimeoutError:
                if within == patience:
                    raise
                raise CoordinatorNotAvailableError from None

        try:
            return self._coordinated("DescribeGroups", ask, group)
        except GroupIdNotFoundError:
            return None

    def close(self) -> None:
        """Close the connections."""
        for progress in self._progress.values():
            progress.close()
        self._progress.clear()

    # -- answers -------------------------------------------------------------
    def _coordinated(self, what: str, ask: Callable[[], T], group: str) -> T:
        return poll(
            lambda: self._ask(what, ask),
            until=lambda _: True,
            within=_COORDINATOR_WITHIN,
            awaiting=f'a coordinator of the group "{group}"',
            retry_on=_NO_COORDINATOR,
        )

    def _ask(self, what: str, call: Callable[[], T]) -> T:
        try:
            with translated():
                return call()
        except _TOLD:
            raise
        except KafkaError as error:
            if not self._foreign and not isinstance(error, UnsupportedVersionError):
                raise
            raise NotSupported(
                f"the broker does not offer {what} as this scenario needs it",
                f"it says: {error}",
                "run this scenario on another broker, or on a stack of the suite's own",
            ) from error
