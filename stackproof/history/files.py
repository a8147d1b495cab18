"""Histories as files: JSON Lines, one operation a line, in the order of time.

The first line is a header with the format's name and version and the number of
lines of each kind that follow, so that a file cut short is noticed. A name that ends
in ".gz" means gzip. This is the only module of the package that touches files.
"""

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stackproof.history.anomaly import number
from stackproof.history.columns import ENDINGS, NONE, NOWHERE, STATUS, UNKNOWN, Snapshot
from stackproof.history.digests import Carried
from stackproof.history.flow import Flow
from stackproof.history.record import History
from stackproof.history.verdict import Verdict, check_flow

_KINDS = {
    "flow": "flows",
    "consumer": "consumers",
    "send": "sends",
    "receive": "receptions",
    "event": "events",
    "poll": "polls",
    "transaction": "transactions",
    "assignment": "assignments",
    "drain": "drains",
}
"""The operations by their name in a line, and what the header calls their number."""
_SINCE_2 = ("consumers", "polls", "transactions", "assignments", "drains")

FORMAT = "stackproof-history"
VERSION = 2
READABLE = (1, 2)
"""Version 1 knew neither polls, consumers, drains nor transactions."""


class HistoryError(Exception):
    """A saved history cannot be used; the message says which file and line, and what to do.

    Attributes:
        path: the file.
        line: the line's number, from 1; 0 when it is the file as a whole.
    """

    def __init__(self, path: Path, line: int, problem: str, remedy: str) -> None:
        place = f"{path}, line {line}" if line else str(path)
        super().__init__(f"{place}: {problem}. {remedy}")
        self.path = path
        self.line = line


def save(history: History | Snapshot, path: Path | str) -> Path:
    """Write a history to a file and return its path; an old file is replaced at once.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    snapshot = history.snapshot() if isinstance(history, History) else history
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as plain:
            if path.suffix == ".gz":
                with gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=5, mtime=0) as packed:
                    packed.writelines(line.encode("ascii") for line in _lines(snapshot))
            else:
                plain.writelines(line.encode("ascii") for line in _lines(snapshot))
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def load(path: Path | str) -> History:
    """Read a history from a file.

    Raises:
        HistoryError: the file is missing, damaged, cut short, or of an unknown version.
    """
    path = Path(path)
    try:
        with path.open("rb") as plain:
            stream = gzip.GzipFile(fileobj=plain) if path.suffix == ".gz" else plain
            return _read(path, stream.readline)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise HistoryError(
            path, 0, f"damaged compression ({error})", "Copy or record it again"
        ) from error
    except OSError as error:
        raise HistoryError(
            path, 0, f"cannot be read ({error.strerror or error})", "Check the path"
        ) from error


def recheck(path: Path | str) -> list[Verdict]:
    """Check a saved history again, against the flows remembered in it.

    Raises:
        HistoryError: as `load`.
    """
    return _verdicts(load(path).snapshot(), Path(path))


def _verdicts(snapshot: Snapshot, path: Path) -> list[Verdict]:
    try:
        return [check_flow(snapshot, flow) for flow in snapshot.flows]
    except ValueError as error:
        raise HistoryError(
            path, 0, f"it cannot be checked ({error})", "Use the release that wrote it"
        ) from error


def render_check(path: Path | str) -> tuple[str, bool]:
    """Check a saved history again; return the explanation and whether all is as expected.

    A history without remembered flows is not as expected, nor is one that proves nothing.

    Raises:
        HistoryError: as `load`.
    """
    snapshot = load(path).snapshot()
    title = (
        f"{snapshot.name or path}: {number(len(snapshot.sends), 'send')}, "
        f"{number(len(snapshot.receptions), 'reception')}, "
        f"{number(len(snapshot.events), 'event')}"
    )
    if not snapshot.flows:
        return f"{title}\n\nNo expectations are remembered in this file: nothing to check.\n", False
    verdicts = _verdicts(snapshot, Path(path))
    marks = [f"{verdict.outcome}  {verdict.explain()}" for verdict in verdicts]
    fine = all(verdict.ok and verdict.conclusive for verdict in verdicts)
    return "\n\n".join([title, *marks]) + "\n", fine


def _json(value: Any) -> str:
    """Return compact JSON; what has no form in JSON is written as text: evidence first."""
    return json.dumps(value, separators=(",", ":"), default=str)


def _lines(snapshot: Snapshot) -> Iterator[str]:
    sends, receptions = snapshot.sends, snapshot.receptions
    counts = {name: len(getattr(snapshot, name)) for name in _KINDS.values()}
    header = {"format": FORMAT, "version": VERSION, "name": snapshot.name, "meta": snapshot.meta}
    yield _json({**header, **counts}) + "\n"
    for flow in snapshot.flows:
        yield _json({"op": "flow", **flow.as_dict()}) + "\n"
    for consumer in snapshot.consumers:
        yield _json({"op": "consumer", **asdict(consumer)}) + "\n"
    # By time for the reader's sake, yet each kind in its own order: it bears meaning.
    streams = (
        (sends.at, _sends(snapshot)),
        (receptions.at, _receptions(snapshot)),
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


def _events(snapshot: Snapshot) -> Iterator[str]:
    for event in snapshot.events:
        fields = {"kind": event.kind, "text": event.text, "at": event.at, "until": event.until}
        yield _json({"op": "event", **fields, "detail": event.detail}) + "\n"


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
        yield _json(fields) + "\n"


def _plain(op: str, records: Iterable[Any]) -> Iterator[str]:
    for record in records:
        yield _json({"op": op, **asdict(record)}) + "\n"


def _read(path: Path, next_line: Callable[[], bytes]) -> History:
    header = _header(path, next_line())
    history = History(header["name"])
    history.meta = header["meta"]
    counts = dict.fromkeys(_KINDS, 0)
    line = 1
    while text := next_line():
        line += 1
        try:
            fields = json.loads(text)
            op = fields.pop("op")
            counts[op] += 1
            _replay(history, op, fields)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise HistoryError(
                path,
                line,
                f"not an operation of a history ({type(error).__name__}: {error})",
                "Copy or record it again",
            ) from error
    for op, name in _KINDS.items():
        if counts[op] != header[name]:
            raise HistoryError(
                path,
                line,
                f"{header[name]} {name} were saved, {counts[op]} are left",
                "The file is incomplete: copy or record it again",
            )
    snapshot = history.snapshot()
    for owned, owners, what in (
        (snapshot.receptions.poll, snapshot.polls, "polls"),
        (snapshot.sends.transaction, snapshot.transactions, "transactions"),
    ):
        if len(owned) and not NONE <= owned.min() <= owned.max() < len(owners):
            raise HistoryError(
                path, 0, f"it speaks of {what} that it does not hold", "Copy or record it again"
            )
    return history


def _header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']!r}")
        version = header["version"]
        if version in READABLE:
            if version == 1:
                header |= dict.fromkeys(_SINCE_2, 0)
            kinds = {"name": str, "meta": dict, **dict.fromkeys(_KINDS.values(), int)}
            for name, kind in kinds.items():
                if not isinstance(header[name], kind):
                    raise ValueError(f"{name} is not of type {kind.__name__}")
    except (ValueError, TypeError, KeyError) as error:
        raise HistoryError(
            path,
            1,
            f"not the header of a history ({type(error).__name__}: {error})",
            f'Give a file whose first line says "format": "{FORMAT}"',
        ) from error
    if version not in READABLE:
        raise HistoryError(
            path,
            1,
            f"version {version!r} of the format is unknown, this program reads 1 to {VERSION}",
            "Use the release of stackproof that wrote it",
        )
    return dict(header)


def _replay(history: History, op: str, fields: dict[str, Any]) -> None:
    """Record one line again."""
    if op == "flow":
        history.expect(Flow.from_dict(fields))
        return
    if op == "event":
        detail = fields.pop("detail")
        history.event(**{**detail, **fields})
        return
    if op in _REPLAY:
        _REPLAY[op](history, **fields)
        return
    fields["digest"] = int(fields["digest"], 16)
    values = fields.pop("carried_values", None)
    if "carried" in fields:
        carried = int(fields["carried"], 16)
        fields["carried"] = carried if values is None else Carried.of(carried, values)
    if op == "receive":
        history.receive(**fields)
        return
    outcome = {
        name: fields.pop(name)
        for name in ("status", "partition", "offset", "error")
        if name in fields
    }
    ended = fields.pop("ended", None)
    number_of_op = history.send(**fields)
    if "status" in outcome:
        history.complete(number_of_op, at=ended, **outcome)


def _replay_poll(history: History, ended: float | None = None, **fields: Any) -> None:
    poll = history.poll(**fields)
    if ended is not None:
        history.polled(poll, at=ended)


def _replay_transaction(
    history: History,
    at: float,
    client: str,
    transactional_id: str,
    how: Any = None,
    ending: float | None = None,
    status: Any = None,
    ended: float | None = None,
) -> None:
    transaction = history.begin(client, transactional_id, at=at)
    if how:
        history.end(transaction, how, at=ending)
        if status:
            history.ended(transaction, how, status, at=ended)


def _replay_drain(history: History, **fields: Any) -> None:
    for name in ("begins", "ends"):
        fields[name] = {int(partition): offset for partition, offset in fields[name].items()}
    history.drain(**fields)


_REPLAY: dict[str, Callable[..., None]] = {
    "consumer": History.consumer,
    "assignment": History.assignment,
    "drain": _replay_drain,
    "poll": _replay_poll,
    "transaction": _replay_transaction,
}
