"""Histories as JSON Lines, for people and their tools: one operation a line, by time."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from stackproof.history.columns import ACTIONS, ENDINGS, NONE, NOWHERE, STATUS, UNKNOWN, Snapshot
from stackproof.history.operating import NO_VALUE


def as_json(value: Any) -> str:
    """Return compact JSON; what has no form in JSON is written as text: evidence first."""
    return json.dumps(value, separators=(",", ":"), default=str)


def lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield a history as JSON Lines, one operation a line, in the order of time."""
    sends, receptions = snapshot.sends, snapshot.receptions
    yield as_json({"name": snapshot.name, "meta": snapshot.meta}) + "\n"
    for expectation in snapshot.expectations:
        yield as_json({"op": "expectation", **expectation.as_dict()}) + "\n"
    for consumer in snapshot.consumers:
        yield as_json({"op": "consumer", **asdict(consumer)}) + "\n"
    # By time for the reader's sake, yet each kind in its own order: it bears meaning.
    streams = (
        (sends.at, _sends(snapshot)),
        (receptions.at, _receptions(snapshot)),
        (snapshot.operations.at, _operations(snapshot)),
        ([event.at for event in snapshot.events], _events(snapshot)),
        (snapshot.polls.at, _polls(snapshot)),
        (snapshot.transactions.begun, _transactions(snapshot)),
        ([one.at for one in snapshot.assignments], _plain("assignment", snapshot.assignments)),
        ([one.at for one in snapshot.drains], _plain("drain", snapshot.drains)),
    )
    times = [np.maximum.accumulate(np.asarray(at, dtype=np.float64)) for at, _ in streams]
    kind = np.repeat(np.arange(len(streams)), [len(of_kind) for of_kind in times])
    for which in kind[np.argsort(np.concatenate(times), kind="stable")].tolist():
        yield next(streams[which][1])


def _quoted(texts: tuple[str, ...]) -> list[str]:
    return [json.dumps(text) for text in texts]


def _common(snapshot: Snapshot, op: str, table: Any, belonging: str) -> Iterator[str]:
    """Yield the fields that sends and receptions share, as the beginning of a line."""
    clients, topics = _quoted(snapshot.clients), _quoted(snapshot.topics)
    idents, labels = _quoted(snapshot.idents), _quoted(snapshot.labels)
    for at, client, topic, ident, digest, has_carried, carried, label, belongs in zip(
        table.at.tolist(), table.client.tolist(), table.topic.tolist(), table.ident.tolist(),
        table.digest.tolist(), table.has_carried.tolist(), table.carried.tolist(),
        table.label.tolist(), getattr(table, belonging).tolist(), strict=True,
    ):  # fmt: skip
        line = (
            f'{{"op":"{op}","at":{at!r},"client":{clients[client]},"topic":{topics[topic]},'
            f'"ident":{idents[ident]},"digest":"{digest:016x}"'
        )
        if has_carried:
            line += f',"carried":"{carried:016x}"'
            if carried in snapshot.carried_values:
                line += f',"carried_values":{json.dumps(snapshot.carried_values[carried])}'
        if labels[label] != '""':
            line += f',"label":{labels[label]}'
        if belongs != NONE:
            line += f',"{belonging}":{belongs}'
        if digest in snapshot.previews:
            line += f',"preview":{json.dumps(snapshot.previews[digest])}'
        yield line


def _sends(snapshot: Snapshot) -> Iterator[str]:
    table = snapshot.sends
    outcomes = zip(
        table.status.tolist(), table.ended.tolist(), table.partition.tolist(),
        table.offset.tolist(), strict=True,
    )  # fmt: skip
    for op, (line, (status, ended, partition, offset)) in enumerate(
        zip(_common(snapshot, "send", table, "transaction"), outcomes, strict=True)
    ):
        if status != UNKNOWN or not math.isnan(ended):
            line += f',"status":"{STATUS[status]}","ended":{ended!r}'
            if partition != NOWHERE:
                line += f',"partition":{partition}'
            if offset != NOWHERE:
                line += f',"offset":{offset}'
            if op in snapshot.errors:
                line += f',"error":{json.dumps(snapshot.errors[op])}'
        yield line + "}\n"


def _receptions(snapshot: Snapshot) -> Iterator[str]:
    table = snapshot.receptions
    places = zip(table.partition.tolist(), table.offset.tolist(), strict=True)
    lines = _common(snapshot, "receive", table, "poll")
    for line, (partition, offset) in zip(lines, places, strict=True):
        yield f'{line},"partition":{partition},"offset":{offset}}}\n'


def _operations(snapshot: Snapshot) -> Iterator[str]:
    table = snapshot.operations
    for row in range(len(table)):
        value, expected = int(table.value[row]), int(table.expected[row])
        fields: dict[str, Any] = {
            "op": ACTIONS[table.action[row]],
            "at": float(table.at[row]),
            "client": snapshot.clients[table.client[row]],
            "space": snapshot.spaces[table.space[row]],
            "key": snapshot.keys[table.key[row]],
            "status": STATUS[table.status[row]],
        }
        if not math.isnan(table.ended[row]):
            fields["ended"] = float(table.ended[row])
        if value != NO_VALUE:
            fields |= {"value": f"{value:016x}", "preview": snapshot.previews.get(value, "")}
        if expected != NO_VALUE:
            fields["expected"] = f"{expected:016x}"
        if table.number[row]:
            fields["number"] = int(table.number[row])
        if snapshot.labels[table.label[row]]:
            fields["label"] = snapshot.labels[table.label[row]]
        if row in snapshot.operation_errors:
            fields["error"] = snapshot.operation_errors[row]
        yield as_json(fields) + "\n"


def _events(snapshot: Snapshot) -> Iterator[str]:
    for event in snapshot.events:
        fields = {"kind": event.kind, "text": event.text, "at": event.at, "until": event.until}
        yield as_json({"op": "event", **fields, "detail": event.detail}) + "\n"


def _polls(snapshot: Snapshot) -> Iterator[str]:
    clients, table = _quoted(snapshot.clients), snapshot.polls
    for at, ended, client in zip(
        table.at.tolist(), table.ended.tolist(), table.client.tolist(), strict=True
    ):
        answered = "" if math.isnan(ended) else f',"ended":{ended!r}'
        yield f'{{"op":"poll","at":{at!r},"client":{clients[client]}{answered}}}\n'


def _transactions(snapshot: Snapshot) -> Iterator[str]:
    table = snapshot.transactions
    for row in range(len(table)):
        fields: dict[str, Any] = {
            "op": "transaction",
            "at": float(table.begun[row]),
            "client": snapshot.clients[table.client[row]],
            "transactional_id": snapshot.transactional_ids[table.name[row]],
        }
        if table.how[row]:
            fields |= {"how": ENDINGS[table.how[row]], "ending": float(table.ending[row])}
        if not math.isnan(table.ended[row]):
            fields |= {"status": STATUS[table.status[row]], "ended": float(table.ended[row])}
        yield as_json(fields) + "\n"


def _plain(op: str, records: Iterable[Any]) -> Iterator[str]:
    for record in records:
        yield as_json({"op": op, **asdict(record)}) + "\n"
