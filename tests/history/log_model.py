"""The checks on logs, polls and transactions once more: slow, obvious, in plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any

from stackproof.history import Flow, History


@dataclass(eq=False)
class Transaction:
    how: str = ""
    status: str = "unknown"
    asked: float = inf

    @property
    def outcome(self) -> str:
        return self.status if self.how == "commit" else "fail"


@dataclass(eq=False)
class Send:
    ident: str
    topic: str
    client: str
    partition: int | None
    offset: int | None
    status: str
    transaction: Transaction | None
    ended: float

    @property
    def outcome(self) -> str:
        outcomes = {self.status, self.transaction.outcome if self.transaction else "ok"}
        return next(one for one in ("fail", "unknown", "ok") if one in outcomes)


@dataclass(eq=False)
class Reception:
    ident: str
    topic: str
    client: str
    partition: int
    offset: int
    poll: int
    ended: float

    @property
    def place(self) -> tuple[int, int]:
        return self.partition, self.offset


@dataclass(eq=False)
class Drain:
    client: str
    topic: str
    begin: int
    at: float


@dataclass
class World:
    """What happened, kept twice: in plain lists, and in a history."""

    history: History = field(default_factory=History)
    now: float = 0.0
    sends: list[Send] = field(default_factory=list)
    receptions: list[Reception] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    changes: list[tuple[str, str, str, int, int]] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    committed: set[str] = field(default_factory=set)
    polls: int = 0

    @property
    def open(self) -> list[Transaction]:
        return [t for t in self.transactions if not t.how]

    def tick(self) -> float:
        self.now += 1
        return self.now

    def consumer(self, client: str, isolation: Any) -> None:
        self.history.consumer(client, isolation=isolation)
        if isolation == "read_committed":
            self.committed.add(client)

    def send(self, client: str, topic: str, ident: str, place: Any, status: Any, of: int) -> None:
        open_ones = self.open
        transaction = open_ones[of % len(open_ones)] if of >= 0 and open_ones else None
        number = self.transactions.index(transaction) if transaction else -1
        partition, offset = place if status == "ok" else (None, None)
        op = self.history.send(
            client=client, topic=topic, ident=ident, digest=1, transaction=number, at=self.tick()
        )
        ended = self.tick()
        self.history.complete(op, status, partition=partition, offset=offset, at=ended)
        self.sends.append(Send(ident, topic, client, partition, offset, status, transaction, ended))

    def begin(self) -> None:
        self.history.begin("producer", "tx", at=self.tick())
        self.transactions.append(Transaction())

    def end(self, which: int, how: Any, status: Any) -> None:
        open_ones = self.open
        if not open_ones:
            return
        transaction = open_ones[which % len(open_ones)]
        number = self.transactions.index(transaction)
        transaction.how, transaction.status, transaction.asked = how, status, self.tick()
        self.history.end(number, how, at=transaction.asked)
        self.history.ended(number, how, status, at=self.tick())

    def poll(self, client: str, topic: str, change: Any, records: list[Any]) -> None:
        number = self.history.poll(client, at=self.tick())
        self.polls += 1
        if change:
            word, partition = change
            self.history.assignment(client, word, [(topic, partition)], at=self.tick())
            self.changes.append((client, word, topic, partition, number))
        ended = self.now + 1
        for ident, partition, offset in records:
            self.history.receive(
                client=client, topic=topic, ident=ident, digest=1, partition=partition,
                offset=offset, poll=number, at=self.now,
            )  # fmt: skip
            self.receptions.append(
                Reception(ident, topic, client, partition, offset, number, ended)
            )
        self.history.polled(number, at=self.tick())

    def drain(self, isolation: Any, topic: str, begin: int, records: list[Any]) -> None:
        client, at = f"drain {len(self.drains)}", self.tick()
        self.consumer(client, isolation)
        self.poll(client, topic, None, records)
        self.history.drain(client, topic, begins={0: begin, 1: begin}, ends={}, at=at)
        self.drains.append(Drain(client, topic, begin, at))


def in_scope(flow: Flow, client: str) -> bool:
    return flow.scope_clients is None or client in flow.scope_clients


def flow_sends(world: World, flow: Flow) -> list[Send]:
    return [s for s in world.sends if s.topic == flow.sent_topic and in_scope(flow, s.client)]


def flow_receptions(world: World, flow: Flow) -> list[Reception]:
    here = [
        r for r in world.receptions if r.topic == flow.received_topic and in_scope(flow, r.client)
    ]
    draining = {d.client for d in world.drains if d.topic == flow.received_topic}
    kept = [r for r in here if r.client not in draining]
    known = {(r.place, r.ident) for r in kept}
    for one in here:
        if one.client in draining and (one.place, one.ident) not in known:
            known.add((one.place, one.ident))
            kept.append(one)
    return kept


def drains_of(world: World, flow: Flow) -> list[Drain]:
    return [d for d in world.drains if d.topic == flow.received_topic]


def had_to_see(drain: Drain, send: Send) -> bool:
    return send.ended <= drain.at and (send.offset is None or send.offset >= drain.begin)


def loss(world: World, flow: Flow) -> tuple[int, int, bool]:
    """Lost writes, unseen ones, and whether a drain proves any of the unseen."""
    seen = flow_receptions(world, flow)
    direct = flow.sent_topic == flow.received_topic
    lost = unseen = 0
    proven = False
    for send in flow_sends(world, flow):
        if send.outcome != "ok" or send.ident in {r.ident for r in seen}:
            continue
        later = [r for r in seen if r.partition == send.partition]
        if direct and send.offset is not None and any(r.offset > send.offset for r in later):
            lost += 1
            continue
        unseen += 1
        proven |= any(
            had_to_see(d, send) if direct else send.ended <= d.at for d in drains_of(world, flow)
        )
    return lost, unseen, proven


def vanished(world: World, flow: Flow) -> int:
    gone = set()
    for drain in drains_of(world, flow):
        here = [r for r in world.receptions if r.topic == flow.received_topic]
        left = {r.place for r in here if r.client == drain.client}
        for one in here:
            if (
                one.client != drain.client
                and one.ended <= drain.at
                and one.offset >= drain.begin
                and (drain.client not in world.committed or one.client in world.committed)
                and one.place not in left
            ):
                gone.add(one.place)
    return len(gone)


def stored_twice(world: World, flow: Flow) -> int:
    sends, seen = flow_sends(world, flow), flow_receptions(world, flow)
    count = 0
    for ident in {s.ident for s in sends}:
        places = {r.place for r in seen if r.ident == ident}
        count += max(0, len(places) - sum(s.ident == ident for s in sends))
    return count


def shows(world: World, flow: Flow) -> Iterator[tuple[Reception, Send]]:
    """Receptions of committed readers, each with the transactional send that it shows."""
    on_topic = [s for s in world.sends if s.topic == flow.received_topic]
    for one in world.receptions:
        if (
            one.topic != flow.received_topic
            or one.client not in world.committed
            or not in_scope(flow, one.client)
        ):
            continue
        here = [s for s in on_topic if (s.partition, s.offset) == one.place]
        same = [s for s in on_topic if s.ident == one.ident]
        send = None
        if here and here[0].ident == one.ident:
            send = here[0]
        elif len(same) == 1 and same[0].offset is None:
            send = same[0]
        if send is not None and send.transaction is not None:
            yield one, send


def aborted_read(world: World, flow: Flow) -> int:
    sends = flow_sends(world, flow)
    idents = {
        one.ident
        for one, send in shows(world, flow)
        if send in sends and send.outcome == "fail" and send.transaction.how  # type: ignore[union-attr]
    }
    for one in flow_receptions(world, flow):
        mine = [s for s in sends if s.ident == one.ident]
        if not mine or any(s.outcome != "fail" for s in mine):
            continue
        plain = not any(s.transaction for s in mine)
        through = flow.sent_topic != flow.received_topic
        if plain or (through and one.client in world.committed):
            idents.add(one.ident)
    return len(idents)


def precommitted_read(world: World, flow: Flow) -> int:
    sends, count = flow_sends(world, flow), 0
    for one, send in shows(world, flow):
        transaction = send.transaction
        assert transaction is not None
        if send in sends and transaction.how != "abort":
            count += one.ended < transaction.asked
    return count


def torn(world: World, flow: Flow) -> int:
    count = 0
    for transaction in world.transactions:
        if not any(s.transaction is transaction for s in flow_sends(world, flow)):
            continue
        seen = []
        for send in world.sends:
            if send.transaction is not transaction or send.outcome == "fail":
                continue
            same = [s for s in world.sends if (s.topic, s.ident) == (send.topic, send.ident)]
            by_drain = any(
                d.topic == send.topic and d.client in world.committed
                and transaction.asked <= d.at
                for d in world.drains
            )  # fmt: skip
            if len(same) > 1 or not by_drain:
                continue
            seen.append(
                any(
                    (r.topic, r.ident) == (send.topic, send.ident) and r.client in world.committed
                    for r in world.receptions
                )
            )
        count += any(seen) and not all(seen)
    return count


def known_places(world: World, flow: Flow, committed: bool) -> set[tuple[int, int]]:
    received = [r for r in world.receptions if r.topic == flow.received_topic]
    only = committed and bool(world.transactions)
    places = {r.place for r in received if not only or r.client in world.committed}
    for send in world.sends:
        if send.topic != flow.received_topic or send.offset is None:
            continue
        if only and send.outcome != "ok":
            continue
        assert send.partition is not None
        place = (send.partition, send.offset)
        if place not in {r.place for r in received} and any(
            had_to_see(d, send) for d in drains_of(world, flow)
        ):
            continue
        places.add(place)
    return places


def polling(world: World, flow: Flow) -> dict[str, int]:
    found = dict.fromkeys(
        ("poll-skip", "nonmonotonic-poll", "int-poll-skip", "int-nonmonotonic-poll",
         "unassigned-poll"), 0,
    )  # fmt: skip
    last: dict[Any, Reception] = {}
    for one in world.receptions:
        if one.topic != flow.received_topic or not in_scope(flow, one.client):
            continue
        changes = [
            word
            for client, word, topic, partition, poll in world.changes
            if (client, topic, partition) == (one.client, one.topic, one.partition)
            and poll <= one.poll
        ]
        found["unassigned-poll"] += bool(changes) and changes[-1] == "revoked"
        key = (one.client, one.partition, len(changes))
        before, last[key] = last.get(key), one
        if before is None:
            continue
        prefix = "int-" if before.poll == one.poll else ""
        between = [
            place
            for place in known_places(world, flow, one.client in world.committed)
            if place[0] == one.partition and before.offset < place[1] < one.offset
        ]
        found[f"{prefix}poll-skip"] += bool(between)
        found[f"{prefix}nonmonotonic-poll"] += one.offset <= before.offset
    return found


def sending(world: World, flow: Flow) -> dict[str, int]:
    found = dict.fromkeys(("nonmonotonic-send", "int-nonmonotonic-send", "int-send-skip"), 0)
    lanes: dict[Any, list[Send]] = {}
    for send in flow_sends(world, flow):
        if send.offset is not None:
            lanes.setdefault((send.client, send.partition), []).append(send)
    for lane in lanes.values():
        for one, other in pairwise(lane):
            inside = one.transaction is not None and one.transaction is other.transaction
            assert one.offset is not None and other.offset is not None
            if other.offset <= one.offset:
                found["int-nonmonotonic-send" if inside else "nonmonotonic-send"] += 1
            elif inside and flow.sent_topic == flow.received_topic:
                places = known_places(world, flow, committed=False)
                found["int-send-skip"] += any(
                    p == one.partition and one.offset < o < other.offset for p, o in places
                )
    return found
