"""One broker made to write something, over connections of one's own, and to give it back."""

from __future__ import annotations

import contextlib
from functools import partial

from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.kafka.client.direct import DirectBroker

_CREATE, _DELETE, _PRODUCE, _FETCH = 4, 3, 7, 7
#: The partition was made just now, and the broker has not heard of it.
_NOT_YET = (3, 5, 6)
_VALUE = b"written by a check"


def write_and_read(broker: DirectBroker, number: int, topic: str, *, timeout: float) -> None:
    """Have a broker write a message to a topic that lies on it alone; the topic is deleted again.

    Args:
        broker: the one.
        number: its ID.
        topic: a name that nobody has.
        timeout: seconds for each of the steps.

    Raises:
        OSError: it did not write, or did not give back what it wrote.
    """
    _create(broker, number, topic, timeout)
    try:
        poll(
            partial(_produce, broker, topic, timeout),
            until=lambda error: error not in _NOT_YET,
            within=timeout,
            awaiting="the broker to lead its new partition",
        )
        read = _fetch(broker, topic, timeout)
        if _VALUE not in read:
            raise ConnectionError("it does not give back what it has written")
    except DeadlineExceeded as late:
        raise TimeoutError(str(late)) from late
    finally:
        with contextlib.suppress(OSError):
            _delete(broker, topic, timeout)


def _create(broker: DirectBroker, number: int, topic: str, timeout: float) -> None:
    from kafka.protocol.admin.topics import CreateTopicsRequest, CreateTopicsResponse

    wanted = CreateTopicsRequest[_CREATE].CreatableTopic
    request = CreateTopicsRequest[_CREATE](
        topics=[wanted(
            name=topic, num_partitions=-1, replication_factor=-1,
            assignments=[wanted.CreatableReplicaAssignment(partition_index=0, broker_ids=[number])],
            configs=[wanted.CreatableTopicConfig(name="min.insync.replicas", value="1")],
        )],
        timeout_ms=round(timeout * 1000), validate_only=False,
    )  # fmt: skip
    (told,) = broker.told(CreateTopicsResponse, request, timeout=timeout).topics
    _must("make a topic", told.error_code)


def _produce(broker: DirectBroker, topic: str, timeout: float) -> int:
    """The error code, if it is one of those that pass."""
    from kafka.protocol.producer.produce import ProduceRequest, ProduceResponse
    from kafka.record.memory_records import MemoryRecordsBuilder

    records = MemoryRecordsBuilder(2, 0, 1024)
    records.append(timestamp=None, key=None, value=_VALUE)
    records.close()
    data = ProduceRequest[_PRODUCE].TopicProduceData
    request = ProduceRequest[_PRODUCE](
        transactional_id=None, acks=-1, timeout_ms=round(timeout * 1000),
        topic_data=[data(
            name=topic,
            partition_data=[data.PartitionProduceData(index=0, records=records.buffer())],
        )],
    )  # fmt: skip
    answer = broker.told(ProduceResponse, request, timeout=timeout)
    error = answer.responses[0].partition_responses[0].error_code
    if error not in _NOT_YET:
        _must("write", error)
    return error


def _fetch(broker: DirectBroker, topic: str, timeout: float) -> bytes:
    from kafka.protocol.consumer.fetch import FetchRequest, FetchResponse

    wanted = FetchRequest[_FETCH].FetchTopic
    request = FetchRequest[_FETCH](
        replica_id=-1, max_wait_ms=round(timeout * 500), min_bytes=1, max_bytes=65536,
        isolation_level=0, session_id=0, session_epoch=-1,
        topics=[wanted(topic=topic, partitions=[wanted.FetchPartition(
            partition=0, fetch_offset=0, log_start_offset=-1, partition_max_bytes=65536)])],
        forgotten_topics_data=[],
    )  # fmt: skip
    answer = broker.told(FetchResponse, request, timeout=timeout)
    partition = answer.responses[0].partitions[0]
    _must("read", partition.error_code)
    return bytes(partition.records or b"")


def _delete(broker: DirectBroker, topic: str, timeout: float) -> None:
    from kafka.protocol.admin.topics import DeleteTopicsRequest

    broker.ask(
        DeleteTopicsRequest[_DELETE](topic_names=[topic], timeout_ms=round(timeout * 1000)),
        timeout=timeout,
    )


def _must(what: str, error: int) -> None:
    if error:
        from kafka.errors import for_code

        raise ConnectionError(f"it does not {what}: {for_code(error).__name__}")
