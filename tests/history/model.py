"""The checks once more: slow, obvious, in plain Python, sharing no code with the real ones."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from stackproof.history import Flow, History


@dataclass
class Send:
    ident: str
    topic: str
    client: str
    label: str
    digest: int
    carried: int | None
    status: str
    partition: int | None
    offset: int | None


@dataclass
class Reception:
    ident: str
    topic: str
    client: str
    partition: int
    offset: int
    digest: int
    carried: int | None


@dataclass
class Matched:
    lost: int = 0
    extra: int = 0
    corrupted: int = 0
    unexpected: int = 0
    recovered: int = 0
    visible_failed: int = 0


@dataclass
class Records:
    sends: list[Send] = field(default_factory=list)
    receptions: list[Reception] = field(default_factory=list)

    def history(self) -> History:
        """The same records in a history: first all sends, then all receptions."""
        history = History()
        for send in self.sends:
            op = history.send(
                client=send.client, topic=send.topic, ident=send.ident, digest=send.digest,
                carried=send.carried, label=send.label, at=1.0,
            )  # fmt: skip
            if send.status != "open":
                history.complete(
                    op, send.status, partition=send.partition, offset=send.offset, at=2.0  # type: ignore[arg-type]
                )  # fmt: skip
        for reception in self.receptions:
            history.receive(**vars(reception), at=3.0)
        return history

    def selected(self, flow: Flow) -> tuple[list[Send], list[Reception]]:
        labels = (flow.sent_label,) if isinstance(flow.sent_label, str) else flow.sent_label

        def in_scope(client: str) -> bool:
            return flow.scope_clients is None or client in flow.scope_clients

        return (
            [
                send
                for send in self.sends
                if send.topic == flow.sent_topic
                and (labels is None or send.label in labels)
                and in_scope(send.client)
            ],
            [
                reception
                for reception in self.receptions
                if reception.topic == flow.received_topic and in_scope(reception.client)
            ],
        )


def content_of(record: Any, flow: Flow, sends: list[Send]) -> Any:
    if flow.content == "bytes":
        return record.digest
    if flow.content == "carried" and all(send.carried is not None for send in sends):
        return record.carried
    return "anything"


def of_ident(ident: str, records: list[Any]) -> list[Any]:
    return [record for record in records if record.ident == ident]


def match(records: Records, flow: Flow) -> Matched:
    """Give each reception a send of its own, as long as there are any."""
    sends, receptions = records.selected(flow)
    result = Matched()
    for ident in {record.ident for record in [*sends, *receptions]}:
        mine, seen = of_ident(ident, sends), of_ident(ident, receptions)
        if not mine:
            result.unexpected += len(seen)
            continue
        contents = [content_of(send, flow, mine) for send in mine]
        waiting = sorted(
            mine, key=lambda send: ["ok", "unknown", "open", "fail"].index(send.status)
        )
        damaged = 0
        for reception in seen:
            content = content_of(reception, flow, mine)
            if content not in contents:
                damaged += 1
                continue
            fitting = [send for send in waiting if content_of(send, flow, mine) == content]
            if not fitting:
                result.extra += 1
                continue
            waiting.remove(next(send for send in waiting if send is fitting[0]))
            result.recovered += fitting[0].status in ("unknown", "open")
            result.visible_failed += fitting[0].status == "fail"
        result.corrupted += damaged
        result.extra += max(0, damaged - len(waiting))
        result.lost += sum(send.status == "ok" for send in waiting[damaged:])
    return result


def reordered(records: Records, flow: Flow) -> int:
    sends, receptions = records.selected(flow)
    direct = flow.sent_topic == flow.received_topic
    lanes: dict[Any, list[Any]] = defaultdict(list)
    done = set()
    for when, reception in enumerate(receptions):
        mine = of_ident(reception.ident, sends)
        key = (reception.ident, content_of(reception, flow, mine))
        same = [send for send in mine if content_of(send, flow, mine) == key[1]]
        same_seen = [
            other
            for other in of_ident(reception.ident, receptions)
            if content_of(other, flow, mine) == key[1]
        ]
        effective = [send for send in same if send.status != "fail"]
        if key in done or len(effective) != 1:
            continue
        done.add(key)
        if len(effective) < len(same) and len(same_seen) > 1:
            continue
        send = effective[0]
        if flow.order == "offset":
            if send.offset is None:
                continue
            lane, place = (send.partition, reception.partition), send.offset
        else:
            if send.partition is None and not direct:
                continue
            source = None if direct else send.partition
            lane = (send.client, source, reception.partition)
            place = next(i for i, other in enumerate(sends) if other is send)
        lanes[lane].append((reception.offset, when, place))
    return sum(
        earlier[2] > later[2]
        for lane in lanes.values()
        for earlier, later in pairwise(sorted(lane))
    )


def inconsistent_offsets(records: Records, flow: Flow) -> int:
    topics = {flow.sent_topic, flow.received_topic, *flow.exclusive_topics}
    contents, owners = defaultdict(set), defaultdict(int)
    for send in records.sends:
        if send.topic in topics and send.status == "ok" and send.offset is not None:
            position = (send.topic, send.partition, send.offset)
            contents[position].add((send.ident, send.digest))
            owners[position] += 1
    for one in records.receptions:
        if one.topic in topics:
            contents[one.topic, one.partition, one.offset].add((one.ident, one.digest))
    return sum(len(contents[position]) > 1 or owners[position] > 1 for position in list(contents))


def strayed(records: Records, flow: Flow) -> tuple[int, int]:
    """Return the counts of conflicting outcomes and of misrouted messages."""
    sends, receptions = records.selected(flow)
    conflicting = misrouted = 0
    for ident in {send.ident for send in sends}:
        topics = (flow.sent_topic, *flow.exclusive_topics)
        others = [
            send
            for send in of_ident(ident, records.sends)
            if send.topic in topics and not any(send is mine for mine in sends)
        ]
        astray = [
            one
            for one in of_ident(ident, records.receptions)
            if one.topic in flow.exclusive_topics
            and (flow.scope_clients is None or one.client in flow.scope_clients)
        ]
        if len(astray) <= len(others):
            continue
        topics_seen = {one.topic for one in [*astray, *of_ident(ident, receptions)]}
        conflicting += len(topics_seen) > 1
        misrouted += len(topics_seen) == 1
    return conflicting, misrouted


def resume(records: Records, flow: Flow) -> tuple[int, int]:
    """Return the counts of records left out and of records repeated at a change of consumer."""
    _, receptions = records.selected(flow)
    group = [one for one in receptions if one.client in flow.group_clients]
    known = {
        (send.partition, send.offset)
        for send in records.sends
        if send.topic == flow.received_topic and send.status == "ok" and send.offset is not None
    } | {
        (one.partition, one.offset)
        for one in records.receptions
        if one.topic == flow.received_topic
    }
    got = {(one.partition, one.offset) for one in group}
    highest: dict[int, int] = {}
    consumer: dict[int, str] = {}
    first_reader: dict[tuple[int, int], str] = {}
    left_out, repeated = set(), 0
    for one in group:
        if one.partition in consumer and consumer[one.partition] != one.client:
            left_out |= {
                (partition, offset)
                for partition, offset in known - got
                if partition == one.partition and highest[partition] < offset < one.offset
            }
        consumer[one.partition] = one.client
        highest[one.partition] = max(one.offset, highest.get(one.partition, -1))
        reader = first_reader.setdefault((one.partition, one.offset), one.client)
        repeated += reader != one.client
    return len(left_out), repeated
