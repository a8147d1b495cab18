"""Histories as files: columns in a zip archive, as numpy writes them, beside tables in JSON.

``header.json`` holds the format's name and version, the history's name, and how many rows each
table has; ``tables.json`` the texts; ``sends.at.npy`` and the like one column each (so that
``numpy.load`` opens them, too). Another version is refused. This is the only module of the
package that touches files; `exporting` writes lines for people.
"""

import json
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from stackproof.history import columns
from stackproof.history.anomaly import number
from stackproof.history.columns import (
    NONE,
    Array,
    Assignment,
    Consumer,
    Drain,
    Event,
    Snapshot,
)
from stackproof.history.exporting import as_json, lines
from stackproof.history.models.checking import check, expectation_from
from stackproof.history.record import History
from stackproof.history.verdict import Verdict

FORMAT = "stackproof-history"
VERSION = 3
"""Versions 1 and 2 were lines of JSON."""
_QUICK = 1
"""Level of compression: a higher one takes three times as long for a tenth less."""

_COLUMNS: Mapping[str, tuple[type, columns.Layout]] = {
    "sends": (columns.Sends, columns.SEND),
    "receptions": (columns.Receptions, columns.RECEPTION),
    "polls": (columns.Polls, columns.POLL),
    "transactions": (columns.Transactions, columns.TRANSACTION),
    "operations": (columns.Operations, columns.OPERATION),
}
_TEXTS = ("clients", "topics", "idents", "labels", "transactional_ids", "spaces", "keys")
#: Which columns are codes, and of which table.
_CODES = {
    "client": "clients", "topic": "topics", "ident": "idents", "label": "labels",
    "name": "transactional_ids", "space": "spaces", "key": "keys",
}  # fmt: skip


class HistoryError(Exception):
    """A saved history cannot be used; the message says which file, and what to do.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}. {remedy}")
        self.path = path


def save(
    history: History | Snapshot, path: Path | str, *, clean: Callable[[str], str] = str
) -> Path:
    """Write a history to a file and return its path; an old file is replaced at once.

    Args:
        history: what to write.
        path: where to.
        clean: makes texts that clients and servers gave fit for everybody, such as by
            masking secrets.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    snapshot = history.snapshot() if isinstance(history, History) else history
    partial = path.with_name(path.name + ".partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=_QUICK) as archive:
            archive.writestr("header.json", as_json(_header(snapshot)))
            archive.writestr("tables.json", as_json(_tables(snapshot, clean)))
            for table, (_, layout) in _COLUMNS.items():
                for column in layout.dtype.names or ():
                    with archive.open(f"{table}.{column}.npy", "w", force_zip64=True) as file:
                        np.lib.format.write_array(file, getattr(getattr(snapshot, table), column))
        if path.exists() and not path.is_file():  # a device, a pipe: written to, never replaced
            with partial.open("rb") as made, path.open("wb") as file:
                shutil.copyfileobj(made, file)
            partial.unlink()
        else:
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def _header(snapshot: Snapshot) -> dict[str, Any]:
    rows = {table: len(getattr(snapshot, table)) for table in _COLUMNS}
    return {"format": FORMAT, "version": VERSION, "name": snapshot.name, "rows": rows}


def _tables(snapshot: Snapshot, clean: Callable[[str], str]) -> dict[str, Any]:
    def cleaned(texts: Mapping[int, str]) -> dict[int, str]:
        return {number: clean(text) for number, text in texts.items()}

    return {
        "meta": snapshot.meta,
        **{name: getattr(snapshot, name) for name in _TEXTS},
        "previews": cleaned(snapshot.previews),
        "carried_values": {
            number: {field: clean(value) for field, value in values.items()}
            for number, values in snapshot.carried_values.items()
        },
        "errors": cleaned(snapshot.errors),
        "operation_errors": cleaned(snapshot.operation_errors),
        "events": [{**asdict(event), "text": clean(event.text)} for event in snapshot.events],
        "expectations": [expectation.as_dict() for expectation in snapshot.expectations],
        "consumers": [asdict(consumer) for consumer in snapshot.consumers],
        "assignments": [asdict(assignment) for assignment in snapshot.assignments],
        "drains": [asdict(drain) for drain in snapshot.drains],
    }


def load(path: Path | str) -> Snapshot:
    """Read a history from a file.

    Raises:
        HistoryError: the file is missing, damaged, cut short, or of another version.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            begins = file.read(2)
        if begins in (b"\x1f\x8b", b'{"'):
            raise _other_version(path, "1 or 2 (lines of JSON)")
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except OSError as error:
        raise HistoryError(
            path, f"cannot be read ({error.strerror or error})", "Check the path"
        ) from error
    except (
        zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError, KeyError, AttributeError,
        NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        raise HistoryError(
            path, f"not a history, or a damaged one ({type(error).__name__}: {error})",
            "Copy or record it again",
        ) from error  # fmt: skip


def _other_version(path: Path, version: object) -> HistoryError:
    return HistoryError(
        path, f"version {version} of the format, this program reads version {VERSION}",
        "Use the release of stackproof that wrote it",
    )  # fmt: skip


def _read(path: Path, archive: zipfile.ZipFile) -> Snapshot:
    header = json.loads(archive.read("header.json"))
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}")
    if header["version"] != VERSION:
        raise _other_version(path, header["version"])
    told = json.loads(archive.read("tables.json"))
    texts: dict[str, tuple[str, ...]] = {name: tuple(told[name]) for name in _TEXTS}
    tables = {
        table: kind(**{
            column: _column(archive, f"{table}.{column}.npy", layout, column,
                            header["rows"][table])
            for column in layout.dtype.names or ()
        })
        for table, (kind, layout) in _COLUMNS.items()
    }  # fmt: skip
    _check_codes(tables, texts)
    parts: dict[str, Any] = {**texts, **tables}
    return Snapshot(
        name=header["name"],
        meta=told["meta"],
        **parts,
        previews=_by_number(told["previews"]),
        carried_values=_by_number(told["carried_values"]),
        errors=_by_number(told["errors"]),
        operation_errors=_by_number(told["operation_errors"]),
        events=tuple(Event(**event) for event in told["events"]),
        expectations=tuple(map(expectation_from, told["expectations"])),
        consumers=tuple(Consumer(**consumer) for consumer in told["consumers"]),
        assignments=tuple(map(_assignment, told["assignments"])),
        drains=tuple(map(_drain, told["drains"])),
    )


def _column(
    archive: zipfile.ZipFile, member: str, layout: columns.Layout, column: str, rows: int
) -> Array:
    with archive.open(member) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    if array.shape != (rows,) or array.dtype != layout.dtype[column]:
        raise ValueError(f"{member} has {array.shape} of {array.dtype}, not {rows} rows")
    return array


def _check_codes(tables: Mapping[str, Any], texts: Mapping[str, tuple[str, ...]]) -> None:
    """Find codes that stand for nothing: no check may read past a table's end."""
    limits: dict[tuple[str, str], tuple[int, int]] = {
        ("receptions", "poll"): (NONE, len(tables["polls"])),
        ("sends", "transaction"): (NONE, len(tables["transactions"])),
        ("operations", "action"): (0, len(columns.ACTIONS)),
        ("transactions", "how"): (0, len(columns.ENDINGS)),
        **{(table, "status"): (0, len(columns.STATUS))
           for table in ("sends", "transactions", "operations")},
    }  # fmt: skip
    for table in tables:
        for column in fields(tables[table]):
            values = getattr(tables[table], column.name)
            low, end = limits.get(
                (table, column.name), (0, len(texts.get(_CODES.get(column.name, ""), ())))
            )
            if column.name not in _CODES and (table, column.name) not in limits:
                continue
            if len(values) and not low <= int(values.min()) <= int(values.max()) < end:
                raise ValueError(f"{table} speaks of a {column.name} that it does not hold")


def _by_number(mapping: Mapping[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in mapping.items()}


def _assignment(told: dict[str, Any]) -> Assignment:
    partitions = tuple((topic, partition) for topic, partition in told.pop("partitions"))
    return Assignment(**told, partitions=partitions)


def _drain(told: dict[str, Any]) -> Drain:
    return Drain(**{**told, "begins": _by_number(told["begins"]), "ends": _by_number(told["ends"])})


def recheck(path: Path | str) -> list[Verdict]:
    """Check a saved history again, against the expectations remembered in it.

    Raises:
        HistoryError: as `load`.
    """
    return _verdicts(load(path), Path(path))


def _verdicts(snapshot: Snapshot, path: Path) -> list[Verdict]:
    try:
        return [check(snapshot, one) for one in snapshot.expectations]
    except ValueError as error:
        raise HistoryError(
            path, f"it cannot be checked ({error})", "Use the release that wrote it"
        ) from error


def render_check(path: Path | str) -> tuple[str, bool]:
    """Check a saved history again; return the explanation and whether all is as expected.

    A history without remembered expectations is not as expected, nor is one that proves nothing.

    Raises:
        HistoryError: as `load`.
    """
    snapshot = load(path)
    counts = (
        ("send", snapshot.sends), ("reception", snapshot.receptions),
        ("operation", snapshot.operations), ("event", snapshot.events),
    )  # fmt: skip
    told = ", ".join(number(len(table), word) for word, table in counts if len(table))
    title = f"{snapshot.name or path}: {told or 'nothing recorded'}"
    if not snapshot.expectations:
        return f"{title}\n\nNo expectations are remembered in this file: nothing to check.\n", False
    verdicts = _verdicts(snapshot, Path(path))
    marks = [f"{verdict.outcome}  {verdict.explain()}" for verdict in verdicts]
    fine = all(verdict.ok and verdict.conclusive for verdict in verdicts)
    return "\n\n".join([title, *marks]) + "\n", fine


def export(path: Path | str, write: Callable[[str], Any]) -> None:
    """Hand a saved history to ``write`` as lines of JSON, one operation each.

    Raises:
        HistoryError: as `load`.
    """
    for line in lines(load(path)):
        write(line)
