"""Single fields of a message, a row or a value, and what each must be (jsonpath-ng)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from stackproof.errors import Trouble
from stackproof.matching.comparing import Difference, differences, kind_of, remembered
from stackproof.matching.payloads import NotJson, read_json, told
from stackproof.matching.reading import Reader
from stackproof.matching.wanted import ABSENT, Absent, Wanted

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
#: A path with one of these may find several values.
_SEVERAL = re.compile(r"\*|\.\.|\?|,|:")
KEY, BODY, HEADER = "key", "body", "header "


@dataclass(frozen=True)
class Seen:
    """What fields are looked for in.

    Attributes:
        body: the content; None: there is none.
        key: as text; None: there is none.
        headers: as texts.
        where: where it was found, for people.
        lane: what has an order of its own, such as a partition.
        data: the content as plain data, where it is not read from ``body``.
    """

    body: bytes | None
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    lane: str = ""
    data: Any = ABSENT

    def read(self) -> Any:
        """The content as plain data.

        Raises:
            NotJson: it is none.
        """
        if not isinstance(self.data, Absent):
            return self.data
        if self.body is None:
            raise NotJson("there is no content")
        return read_json(self.body)

    def text(self) -> str | Absent | None:
        """The content as a text."""
        if self.body is None:
            return None
        return self.body.decode("utf-8", "backslashreplace")

    def __str__(self) -> str:
        content = told(self.data) if not isinstance(self.data, Absent) else (
            "no content" if self.body is None else told(self.body))  # fmt: skip
        parts = [self.where, f"key {self.key}" if self.key is not None else "", content]
        shown = ", ".join(f"{name}: {value}" for name, value in self.headers.items())
        return ", ".join(part for part in parts if part) + (f" [{shown}]" if shown else "")


class Fields:
    """What some fields must be.

    Args:
        wanted: what each must be, by its name: a JSONPath, "key", "body" or "header NAME".
    """

    def __init__(self, wanted: Mapping[str, Any]):
        self._wanted = wanted

    @classmethod
    def read(cls, rows: Iterable[Sequence[str]], reader: Reader) -> Fields:
        """What pairs of a field and what it is say.

        Raises:
            Trouble: a field is named in a way that means nothing, or twice.
        """
        wanted: dict[str, Any] = {}
        for name, cell in rows:
            if name in wanted:
                raise Trouble(f"the field {name} stands twice in the table", "", "name it once")
            if name.startswith("$"):
                path(name)
                wanted[name] = reader.cell(cell, name)
            elif name in (KEY, BODY) or name.startswith(HEADER):
                wanted[name] = reader.text_cell(cell)
            else:
                raise _no_field(name)
        return cls(wanted)

    def differences(self, seen: Seen) -> list[Difference]:
        """Every field that is not as it must be."""
        found: list[Difference] = []
        content: Any = ABSENT
        if any(name.startswith("$") for name in self._wanted):
            try:
                content = seen.read()
            except NotJson as error:
                found.append(Difference("$", "JSON", f"{seen} ({error})"))
        for name, expected in self._wanted.items():
            if not name.startswith("$"):
                found += differences(expected, _outside(name, seen), name)
            elif not isinstance(content, Absent):
                found += _compare(name, expected, content)
        return found

    def weight(self, differs: Sequence[Difference]) -> int:
        """How far these differences are: a content that is no JSON lacks every field."""
        unread = any(one.path == "$" for one in differs)
        return len(differs) + unread * sum(name.startswith("$") for name in self._wanted)

    def remember(self, seen: Seen, remember: Callable[[str, Any], Any]) -> None:
        """Remember what matched; call it for what has no differences."""
        for name, expected in self._wanted.items():
            if name.startswith("$"):
                values = path(name).find(seen.read())
                value = values[0].value if values else ABSENT
                if several(name) and isinstance(expected, list):
                    value = [one.value for one in values]
                remembered(expected, value, remember)
            else:
                remembered(expected, _outside(name, seen), remember)

    def __str__(self) -> str:
        return ", ".join(
            f"{name} is {value!r}" if isinstance(value, Wanted) else f"{name} is {told(value)}"
            for name, value in self._wanted.items()
        )


def _no_field(name: str) -> Trouble:
    return Trouble(
        f"{name!r} names no field",
        "a field of the content is a JSONPath, which begins with $; besides a message has key, "
        'body and "header NAME"',
        f"write $.{name}" if re.fullmatch(r"[\w.]+", name) else "write $['...']",
    )


def _outside(name: str, seen: Seen) -> Any:
    if name == KEY:
        return ABSENT if seen.key is None else seen.key
    if name == BODY:
        text = seen.text()
        return ABSENT if text is None else text
    return seen.headers.get(name.removeprefix(HEADER), ABSENT)


def _compare(name: str, expected: Any, content: Any) -> list[Difference]:
    values = [one.value for one in path(name).find(content)]
    if several(name) and isinstance(expected, list):
        return differences(expected, values, name)
    if len(values) > 1:
        found = f"{len(values)} values: {told(values)} (a list means all of them)"
        return [Difference(name, _shown(expected), found)]
    value = values[0] if values else ABSENT
    return differences(expected, value, name)


def _shown(expected: Any) -> str:
    return repr(expected) if isinstance(expected, Wanted) else told(expected)


def put(name: str, content: Any, value: Any) -> Any:
    """A content with another value in a field; `ABSENT`: without the field.

    Raises:
        Trouble: the field is no JSONPath.
    """
    if not name.startswith("$"):
        raise _no_field(name)
    if isinstance(value, Absent):
        path(name).filter(lambda _: True, content)
        return content
    return path(name).update_or_create(content, value)


def several(text: str) -> bool:
    """Whether a path may find several values."""
    return _SEVERAL.search(_QUOTED.sub("", text)) is not None


@lru_cache(maxsize=256)
def path(text: str) -> Any:
    """A JSONPath, read.

    Raises:
        Trouble: it is none.
    """
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext import parse

    try:
        return parse(text)
    except JSONPathError as error:
        raise Trouble(
            f"{text} is no JSONPath", str(error),
            "names with other characters than letters, digits and _ stand in brackets and "
            "quotation marks: $['order id']",
        ) from None  # fmt: skip


__all__ = ["Fields", "Seen", "kind_of", "path", "several"]
