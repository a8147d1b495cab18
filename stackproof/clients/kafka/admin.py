"""Topics and groups through the admin API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kafka import KafkaAdminClient, OffsetSpec, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    ClusterAuthorizationFailedError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorError,
    TopicAuthorizationFailedError,
)

from stackproof.errors import Trouble
from stackproof.polling import poll

T = TypeVar("T")

# Of a broker that has never had a group, or of a group that is just moving: it passes.
_NO_COORDINATOR = (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NotCoordinatorError,
)
_COORDINATOR_WITHIN = 15.0


@dataclass(frozen=True)
class TopicSpec:
    """A topic asked for; ``config`` holds topic settings by their Kafka names."""

    name: str
    partitions: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    replicas: int = -1


class KafkaAdmin:
    """The admin API of one cluster."""

    def __init__(self, connection: Mapping[str, Any]):
        self._client = KafkaAdminClient(**connection)

    def describe_cluster(self) -> dict[str, Any]:
        """Brokers, controller ID and cluster ID."""
        return self._client.describe_cluster()

    def list_topics(self) -> list[str]:
        """Names of all topics."""
        return list(self._client.list_topics())

    def create(self, specs: Iterable[TopicSpec], *, within: float = 10.0) -> None:
        """Create topics and wait until every partition has a leader.

        Raises:
            kafka.errors.KafkaError: the broker refused one, e.g. it exists already.
            Trouble: the user has no right to create them.
        """
        wanted = {
            spec.name: {
                "num_partitions": spec.partitions,
                "replication_factor": spec.replicas,
                "configs": dict(spec.config),
            }
            for spec in specs
        }
        try:
            self._client.create_topics(wanted, timeout_ms=int(within * 1000))
        except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
            raise Trouble(
                "the suite's user may not create topics on this broker",
                f"{type(error).__name__}: {', '.join(wanted)}",
                "grant it all operations on topics and groups that begin with run.prefix, "
                "or set that prefix to what it may use",
            ) from error
        poll(
            lambda: self._without_leader(wanted),
            until=lambda missing: not missing,
            within=within,
            awaiting="a leader for every partition of the new topics",
            retry_on=(KafkaError,),
        )

    def _without_leader(self, names: Iterable[str]) -> list[str]:
        described = {t["name"]: t for t in self._client.describe_topics(list(names))}
        missing = []
        for name in names:
            topic = described.get(name)
            partitions = topic["partitions"] if topic and not topic["error_code"] else []
            led = [p for p in partitions if not p["error_code"] and p["leader_id"] >= 0]
            if not partitions or len(led) < len(partitions):
                missing.append(name)
        return missing

    def partitions(self, topic: str) -> int:
        """Number of partitions."""
        (described,) = self._client.describe_topics([topic])
        return len(described["partitions"])

    def config(self, topic: str) -> dict[str, str]:
        """All settings of a topic, defaults included."""
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        described = self._client.describe_configs([resource], config_filter="all")
        return {
            name: entry["value"] if isinstance(entry, dict) else entry
            for name, entry in _only_topic(described, topic).items()
        }

    def delete(self, topics: Iterable[str]) -> None:
        """Delete topics."""
        self._client.delete_topics(list(topics))

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """A group's committed offsets by topic and partition; empty for an unknown group."""
        offsets = _coordinated(lambda: self._client.list_group_offsets({group: None}), group)
        found = offsets.get(group, {})
        return {
            (tp.topic, tp.partition): position.offset
            for tp, position in found.items()
            if position.offset >= 0
        }

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The end of each partition: the offset that the next record will get."""
        latest = {
            TopicPartition(topic, p): OffsetSpec.LATEST for p in range(self.partitions(topic))
        }
        found = self._client.list_partition_offsets(latest)
        return {tp.partition: position.offset for tp, position in found.items()}

    def beginning_offsets(self, topic: str) -> dict[int, int]:
        """The first offset of each partition that is still there."""
        earliest = {
            TopicPartition(topic, p): OffsetSpec.EARLIEST for p in range(self.partitions(topic))
        }
        found = self._client.list_partition_offsets(earliest)
        return {tp.partition: position.offset for tp, position in found.items()}

    def delete_before(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Delete the records before these offsets, by partition."""
        self._client.delete_records({TopicPartition(topic, p): o for p, o in offsets.items()})

    def lag(self, group: str, topic: str, since: Mapping[int, int] | None = None) -> int:
        """Records of ``topic`` that ``group`` has not committed yet.

        Args:
            since: where a partition counts from that the group has never committed.

        Raises:
            AssertionError: the group has committed an offset beyond a partition's end.
        """
        # Committed first: what is published in between must not look like "beyond".
        committed = self.committed(group)
        lag = 0
        for partition, end in self.end_offsets(topic).items():
            position = committed.get((topic, partition), (since or {}).get(partition, 0))
            if position > end:
                raise AssertionError(
                    f'group "{group}" has committed offset {position} of partition {partition}, '
                    f"which is beyond the end {end}: it will skip records"
                )
            lag += end - position
        return lag

    def group_members(self, group: str) -> int:
        """How many members the group has now."""
        return len(self._described(group)["members"])

    def active_members(self, group: str) -> frozenset[str]:
        """IDs of the members of a classic group that has finished its rebalance; else none."""
        described = self._described(group)
        if described.get("group_state") != "Stable":
            return frozenset()
        return frozenset(member["member_id"] for member in described["members"])

    def members(self, group: str) -> frozenset[str]:
        """IDs of all members of a classic group, in whatever state it is."""
        return frozenset(member["member_id"] for member in self._described(group)["members"])

    def shares(self, group: str, topic: str) -> dict[str, list[int]]:
        """The partitions of ``topic`` by member of a classic group; empty while it rebalances."""
        described = self._described(group)
        if described.get("group_state") != "Stable":
            return {}
        return {
            member["member_id"]: sorted(
                partition
                for name, partitions in _assigned(member)
                if name == topic
                for partition in partitions
            )
            for member in described["members"]
        }

    def _described(self, group: str) -> dict[str, Any]:
        described = _coordinated(lambda: self._client.describe_groups([group]), group)
        return _only_group(described, group)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _only_topic(described: Any, topic: str) -> dict[str, Any]:
    for by_name in described.values() if isinstance(described, dict) else []:
        if topic in by_name:
            return by_name[topic]
    raise AssertionError(f"the broker described {described!r} instead of topic {topic}")


def _only_group(described: Any, group: str) -> dict[str, Any]:
    return described[group] if isinstance(described, dict) else described[0]


def _coordinated(ask: Callable[[], T], group: str) -> T:
    return poll(
        ask,
        until=lambda _: True,
        within=_COORDINATOR_WITHIN,
        awaiting=f'a coordinator of the group "{group}"',
        retry_on=_NO_COORDINATOR,
    )


def _assigned(member: dict[str, Any]) -> list[tuple[str, list[int]]]:
    """Topics and partitions of a member as the group's leader has assigned them."""
    assignment = member["member_assignment"] or {}
    places = assignment["assigned_partitions"] if assignment else []
    return [(place["topic"], list(place["partitions"])) for place in places]
