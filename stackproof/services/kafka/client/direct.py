"""Asking one broker over a connection of one's own.

Clients go on with another broker when one does not answer, and keep connections and
metadata; a witness of a fault must not. The messages are kafka-python's, the connection is new
each time.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackproof.access import OPEN, Access
from stackproof.services.kafka.client.admission import admitted
from stackproof.services.reaching import Answer
from stackproof.urls import split_host_and_port

_CLIENT_ID = "witness"
_METADATA, _DESCRIBE_CLUSTER, _DESCRIBE_QUORUM, _FIND_COORDINATOR = 4, 2, 0, 2
_LIST_GROUPS, _LIST_TRANSACTIONS, _DESCRIBE_CONFIGS, _DESCRIBE_QUOTAS = 4, 0, 4, 1
_DESCRIBES_CLUSTER = 60  # Kafka's number for this kind of request
_GROUP = 0
_BROKER = 4
#: Where a setting comes from, when somebody has changed it while the broker ran.
_DYNAMIC = (2, 3)  # of this broker, of all brokers
#: A broker's metadata of a few topics has some kilobytes.
_LARGEST = 16 * 1024 * 1024
_LONGEST_NAME = 240
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Partition:
    """One partition in a broker's metadata; all by broker ID, -1: no leader."""

    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True)
class View:
    """The cluster as one broker sees it.

    Attributes:
        alive: IDs of brokers that may lead.
        fenced: IDs of brokers that the controller has shut out.
        partitions: by topic and number.
    """

    alive: frozenset[int]
    fenced: frozenset[int]
    partitions: Mapping[tuple[str, int], Partition]

    def lagging(self, broker: int) -> list[str]:
        """Partitions that a broker replicates without being in sync."""
        return [
            f"{topic}/{number}"
            for (topic, number), p in sorted(self.partitions.items())
            if broker in p.replicas and broker not in p.in_sync
        ]


class DirectBroker:
    """One broker; nothing is kept between calls.

    Args:
        address: ``host:port``.
        access: how to prove who one is.
    """

    def __init__(self, address: str, access: Access = OPEN):
        self.address = address
        self._access = access
        self._place = split_host_and_port(address)

    def try_to_ask(self, *, timeout: float) -> Answer:
        """Ask for metadata without topics; never raises.

        Args:
            timeout: seconds for all of it.
        """
        from kafka.protocol.metadata.metadata import MetadataRequest

        began = time.perf_counter()
        connected = False
        try:
            with self._connect(timeout) as made:
                connected = True
                request = MetadataRequest[_METADATA](topics=[], allow_auto_topic_creation=False)
                with self._admitted(made, began + timeout) as connection:
                    _exchange(connection, request, began + timeout)
        except OSError as error:
            return Answer(connected, False, time.perf_counter() - began, _named(error))
        return Answer(True, True, time.perf_counter() - began)

    def bytes_a_second(self, size: int, *, timeout: float) -> float:
        """The rate of a request and its response of some ``size`` bytes each, in bytes a second.

        The request asks for topics with long names that do not exist; the response lists them.

        Raises:
            OSError: no response came in time.
        """
        from kafka.protocol.metadata.metadata import MetadataRequest

        topic = MetadataRequest[_METADATA].MetadataRequestTopic
        names = [f"{number:0{_LONGEST_NAME}d}" for number in range(size // _LONGEST_NAME)]
        request = MetadataRequest[_METADATA](
            topics=[topic(name=name) for name in names], allow_auto_topic_creation=False
        )
        began = time.perf_counter()
        with self._open(timeout) as connection:
            response = _exchange(connection, request, began + timeout)
        return (len(response) + size) / (time.perf_counter() - began)

    def view(self, *, timeout: float) -> View:
        """The cluster as this broker sees it.

        Raises:
            OSError: it does not answer.
        """
        from kafka.protocol.admin.cluster import DescribeClusterRequest, DescribeClusterResponse
        from kafka.protocol.metadata.metadata import MetadataRequest, MetadataResponse

        deadline = time.perf_counter() + timeout
        with self._open(timeout) as connection:
            # Brokers before 4.0 do not list those that are fenced.
            version = min(_DESCRIBE_CLUSTER, _newest(connection, _DESCRIBES_CLUSTER, deadline))
            wanted = {"include_fenced_brokers": True} if version >= _DESCRIBE_CLUSTER else {}
            request = DescribeClusterRequest[version](
                include_cluster_authorized_operations=False, **wanted
            )
            cluster = decoded(
                DescribeClusterResponse, request, _exchange(connection, request, deadline)
            )
            request = MetadataRequest[_METADATA](topics=None, allow_auto_topic_creation=False)
            metadata = decoded(MetadataResponse, request, _exchange(connection, request, deadline))
        fenced = frozenset(b.broker_id for b in cluster.brokers if wanted and b.is_fenced)
        return View(
            alive=frozenset(b.broker_id for b in cluster.brokers) - fenced,
            fenced=fenced,
            partitions={
                (topic.name, p.partition_index): Partition(
                    p.leader_id, tuple(p.replica_nodes), tuple(p.isr_nodes)
                )
                for topic in metadata.topics
                for p in topic.partitions
            },
        )

    def controller(self, *, timeout: float) -> int:
        """ID of the active controller: who leads the metadata's log; -1: nobody.

        What other requests call the controller is any live broker (KIP-590).

        Raises:
            OSError: no answer, or none that tells.
        """
        from kafka.protocol.admin.cluster import DescribeQuorumRequest, DescribeQuorumResponse

        topic = DescribeQuorumRequest[_DESCRIBE_QUORUM].TopicData
        request = DescribeQuorumRequest[_DESCRIBE_QUORUM](
            topics=[
                topic(
                    topic_name="__cluster_metadata",
                    partitions=[topic.PartitionData(partition_index=0)],
                )
            ]
        )
        answer = self.told(DescribeQuorumResponse, request, timeout=timeout)
        _must_tell("the quorum", answer)
        (partition,) = answer.topics[0].partitions
        _must_tell("the quorum", partition)
        return int(partition.leader_id)

    def coordinator(self, group: str, *, timeout: float) -> int:
        """ID of the broker that coordinates a group (its real name).

        Raises:
            OSError: no answer, or there is none at present.
        """
        from kafka.protocol.metadata.find_coordinator import (
            FindCoordinatorRequest,
            FindCoordinatorResponse,
        )

        request = FindCoordinatorRequest[_FIND_COORDINATOR](key=group, key_type=_GROUP)
        answer = self.told(FindCoordinatorResponse, request, timeout=timeout)
        _must_tell("a coordinator", answer)
        return int(answer.node_id)

    def groups(self, *, timeout: float) -> dict[str, str]:
        """The groups that it coordinates: state by name, e.g. "Stable", "Empty".

        Raises:
            OSError: no answer, or none that tells.
        """
        from kafka.protocol.admin.groups import ListGroupsRequest, ListGroupsResponse

        request = ListGroupsRequest[_LIST_GROUPS](states_filter=[])
        answer = self.told(ListGroupsResponse, request, timeout=timeout)
        _must_tell("groups", answer)
        return {group.group_id: group.group_state for group in answer.groups}

    def transactions(self, *, timeout: float) -> dict[str, str]:
        """The transactional IDs that it coordinates, open transaction or not, with their states.

        Raises:
            OSError: no answer, or none that tells.
        """
        from kafka.protocol.admin.transactions import (
            ListTransactionsRequest,
            ListTransactionsResponse,
        )

        request = ListTransactionsRequest[_LIST_TRANSACTIONS](
            state_filters=[], producer_id_filters=[]
        )
        answer = self.told(ListTransactionsResponse, request, timeout=timeout)
        _must_tell("transactions", answer)
        return {one.transactional_id: one.transaction_state for one in answer.transaction_states}

    def changed_settings(self, broker: int, *, timeout: float) -> list[str]:
        """Names of its settings that were changed while it ran, and of quotas of clients.

        Args:
            broker: its ID.
            timeout: seconds for each of the two.

        Raises:
            OSError: no answer, or none that tells.
        """
        from kafka.protocol.admin.client_quotas import (
            DescribeClientQuotasRequest,
            DescribeClientQuotasResponse,
        )
        from kafka.protocol.admin.configs import DescribeConfigsRequest, DescribeConfigsResponse

        described = DescribeConfigsRequest[_DESCRIBE_CONFIGS].DescribeConfigsResource
        request = DescribeConfigsRequest[_DESCRIBE_CONFIGS](
            resources=[described(
                resource_type=_BROKER, resource_name=str(broker), configuration_keys=None
            )],
            include_synonyms=True,
            include_documentation=False,
        )  # fmt: skip
        (result,) = self.told(DescribeConfigsResponse, request, timeout=timeout).results
        _must_tell("its settings", result)
        request = DescribeClientQuotasRequest[_DESCRIBE_QUOTAS](components=[], strict=False)
        quotas = self.told(DescribeClientQuotasResponse, request, timeout=timeout)
        _must_tell("quotas", quotas)
        return [
            *(setting.name for setting in result.configs if was_changed(setting)),
            *(f"quota {value.key}" for entry in quotas.entries or () for value in entry.values),
        ]

    def ask(self, request: Any, timeout: float) -> bytes:
        """The response to one of kafka-python's requests, length taken off.

        Raises:
            OSError: none came in ``timeout`` seconds.
        """
        deadline = time.perf_counter() + timeout
        with self._open(timeout) as connection:
            return _exchange(connection, request, deadline)

    def told(self, response: Any, request: Any, *, timeout: float) -> Any:
        """What the response says; ``response``: kafka-python's class for it, of all versions.

        Raises:
            OSError: none came in ``timeout`` seconds.
        """
        return decoded(response, request, self.ask(request, timeout))

    def _connect(self, timeout: float) -> socket.socket:
        return socket.create_connection(self._place, timeout=timeout)

    def _admitted(self, made: socket.socket, deadline: float) -> socket.socket:
        return admitted(made, self._place[0], self._access, _exchange, deadline)

    @contextlib.contextmanager
    def _open(self, timeout: float) -> Iterator[socket.socket]:
        """A connection on which requests are answered; ``timeout``: seconds to make it."""
        deadline = time.perf_counter() + timeout
        with self._connect(timeout) as made, self._admitted(made, deadline) as connection:
            yield connection


def brokers_at(addresses: Mapping[str, str], access: Access = OPEN) -> dict[int, DirectBroker]:
    """Each broker that an endpoint names, e.g. "broker-2", by its ID."""
    numbered = ((node.rpartition("-")[2], address) for node, address in addresses.items())
    return {int(n): DirectBroker(address, access) for n, address in numbered if n.isdecimal()}


def was_changed(setting: Any) -> bool:
    """Whether a setting is dynamic, and otherwise than what the broker was started with.

    Controllers repeat ``min.insync.replicas`` as a dynamic one by themselves (KIP-966).
    """
    if setting.config_source not in _DYNAMIC:
        return False
    static = (s.value for s in setting.synonyms if s.source not in _DYNAMIC)
    return setting.value is None or setting.value != next(static, None)


def decoded(response: Any, request: Any, answer: bytes) -> Any:
    """An answer as kafka-python reads it; ``response``: its class for it, of all versions."""
    return response[request.API_VERSION].decode(answer, header=True)


def _must_tell(what: str, answer: Any) -> None:
    if answer.error_code:
        raise ConnectionError(f"it does not tell of {what}: error {answer.error_code}")


def _newest(connection: socket.socket, key: int, deadline: float) -> int:
    """The newest version in which a broker knows a kind of request."""
    from kafka.protocol.metadata.api_versions import ApiVersionsRequest, ApiVersionsResponse

    request = ApiVersionsRequest[0]()
    answer = decoded(ApiVersionsResponse, request, _exchange(connection, request, deadline))
    return next((known.max_version for known in answer.api_keys if known.api_key == key), 0)


def _exchange(connection: socket.socket, request: Any, deadline: float) -> bytes:
    """Send a request and return its response's bytes, length taken off.

    Raises:
        OSError: no whole response came before ``deadline`` (of ``time.perf_counter``).
    """
    number = next(_numbers) % 2**31
    request.with_header(correlation_id=number, client_id=_CLIENT_ID)
    connection.settimeout(_left(deadline))
    connection.sendall(request.encode(header=True, framed=True))
    (length,) = struct.unpack(">i", _receive(connection, 4, deadline))
    if not 4 <= length <= _LARGEST:
        raise ConnectionError(f"a response of {length} bytes is none of Kafka's")
    response = _receive(connection, length, deadline)
    if struct.unpack_from(">i", response)[0] != number:
        raise ConnectionError("the response belongs to another request")
    return response


def _receive(connection: socket.socket, count: int, deadline: float) -> bytes:
    received = bytearray()
    while len(received) < count:
        connection.settimeout(_left(deadline))
        part = connection.recv(count - len(received))
        if not part:
            raise ConnectionError("the connection was closed before the response")
        received += part
    return bytes(received)


def _left(deadline: float) -> float:
    left = deadline - time.perf_counter()
    if left <= 0:
        raise TimeoutError
    return left


def _named(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no response came"
    with contextlib.suppress(AttributeError):
        if error.strerror:
            return error.strerror.lower()
    return str(error) or type(error).__name__
