"""Inputs that people have written or recorded, instead of generated ones."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackproof.errors import Trouble
from stackproof.matching import NotJson
from stackproof.systems.contracts import Contract, strict_json
from stackproof.values import unknown_key


def valid_samples(file: Path, contract: Contract) -> list[dict[str, Any]]:
    """Documents from a JSONL file, each checked against the contract.

    Raises:
        Trouble: a line is no JSON object, or violates the contract; or there is none.
    """
    found = []
    for number, line in _lines(file):
        document = _object(line, file, number)
        if errors := contract.errors(document):
            raise Trouble(
                f"the sample in {file}, line {number}, is not valid", errors[0],
                f"correct it, or the contract {contract.file}",
            )  # fmt: skip
        found.append(document)
    if not found:
        raise Trouble(f"{file} holds no sample", "", "write one JSON object to a line")
    return found


@dataclass(frozen=True)
class InvalidSample:
    """One invalid message: its kind as features call it, and its bytes (None: a tombstone)."""

    kind: str
    value: bytes | None


def invalid_samples(place: Path) -> dict[str, list[InvalidSample]]:
    """Invalid messages by kind.

    Args:
        place: a directory with a file for each message, called after its kind
            (``with a missing field.json``, ``that-is-not-JSON.2.txt``), whose bytes are the
            message; or a JSONL file of objects with ``kind`` and one of ``value`` (any JSON),
            ``text`` or ``base64``.

    Raises:
        Trouble: a kind is unknown, or a line cannot be understood.
    """
    from stackproof.settings.vocabulary import FLAWS

    by_words = {_plain(kind): kind for kind in FLAWS}

    def kind_of(name: str, where: str) -> str:
        if _plain(name) not in by_words:
            raise unknown_key(name, FLAWS, where)
        return by_words[_plain(name)]

    found: dict[str, list[InvalidSample]] = {}
    if place.is_dir():
        for file in sorted(p for p in place.iterdir() if p.is_file()):
            kind = kind_of(file.name.partition(".")[0], str(file))
            found.setdefault(kind, []).append(InvalidSample(kind, file.read_bytes()))
        return found
    for number, line in _lines(place):
        entry = _object(line, place, number)
        where = f"{place}, line {number}"
        forms = [form for form in ("value", "text", "base64") if form in entry]
        if len(forms) != 1 or "kind" not in entry:
            raise Trouble(
                f"the sample in {where} is not understood",
                "a kind and exactly one of value, text and base64 are expected",
                'e.g. {"kind": "that is not JSON", "text": "{"}',
            )
        kind = kind_of(str(entry["kind"]), where)
        found.setdefault(kind, []).append(InvalidSample(kind, _bytes(entry, forms[0], where)))
    return found


def _bytes(entry: dict[str, Any], form: str, where: str) -> bytes | None:
    given = entry[form]
    if form == "value":
        return json.dumps(given).encode()
    if given is None:
        return None
    try:
        return str(given).encode() if form == "text" else base64.b64decode(given, validate=True)
    except (binascii.Error, TypeError) as error:
        raise Trouble(f"the sample in {where} is no base64", str(error), "correct it") from error


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"the samples {file} cannot be read", str(error), "correct it") from error
    return ((n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip())


def _object(line: str, file: Path, number: int) -> dict[str, Any]:
    try:
        document = strict_json(line.encode())
    except NotJson as error:
        raise Trouble(f"{file}, line {number}, is not JSON", str(error), "correct it") from error
    if not isinstance(document, dict):
        raise Trouble(f"{file}, line {number}, is no object", f"{line:.100}", "correct it")
    return document


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
