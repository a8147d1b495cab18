"""Reading tables and texts of the vocabulary: JSON, bare words, and what stands in braces."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackproof.errors import PremiseNotMet, Trouble, reason_of
from stackproof.matching import wanted
from stackproof.matching.payloads import NotJson, as_json, as_text, is_number, read_json
from stackproof.matching.wanted import Wanted
from stackproof.texts import read
from stackproof.values import did_you_mean

#: `{{name}}` stands for `{name}` itself; `{/pattern/}` may hold braces; else braces begin with a
#: letter, which they never do in JSON.
_BRACES = re.compile(
    r"\{\{(?P<literal>[A-Za-z/][^{}\n]*)\}\}"
    r"|\{(?P<pattern>/(?:[^/\\\n]|\\.)*/)(?: as (?P<named>[^{}\n]+))?\}"
    r"|\{(?P<words>[A-Za-z][^{}\n]*)\}"
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_AS = re.compile(r"(?P<what>.+?) as (?P<name>.+)", re.DOTALL)
_FROM_TO = re.compile(r"(?:any )?number from (?P<least>\S+) to (?P<most>\S+)")
_MARK = "\ue000"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _.-]*")
#: What names of remembered values must not begin with.
_TAKEN = ("any ", "one of ", "file ", "time ", "number from ", "valid ", "text of ")
_WORDS = ("anything", "missing", "now")

Meaning = Any


class Reader:
    """Reads cells and texts of one scenario, which remembers values.

    Args:
        seed: what values are generated from.
        directory: where names of files begin.
        valid: makes a valid input, by the name of what it is.
        told: is told of every value that is remembered.
    """

    def __init__(
        self,
        seed: object,
        directory: Path,
        valid: Callable[[str], Any] | None = None,
        told: Callable[[str, Any], None] = lambda name, value: None,
    ):
        self._valid, self._told = valid, told
        self.remembered: dict[str, Any] = {}
        self._chance = random.Random(str(seed))
        self.directory = directory

    # -- remembered values ---------------------------------------------------
    def remember(self, name: str, value: Any) -> Any:
        """Remember a value.

        Raises:
            Trouble: it cannot be called so, or another value is.
        """
        if not _NAME.fullmatch(name) or name in _WORDS or name.startswith(_TAKEN):
            raise Trouble(f"a value cannot be remembered as {name!r}",
                          "a name begins with a letter, has letters, digits, '-', '_', '.' and "
                          "blanks, and is no word of the vocabulary", "choose another")  # fmt: skip
        if name in self.remembered and not _equal(self.remembered[name], value):
            raise Trouble(
                f"{{{name}}} stands for {as_text(self.remembered[name])} already",
                f"and would stand for {as_text(value)}",
                f"choose another name, or compare with {{{name}}}",
            )
        self.remembered[name] = value
        self._told(name, value)
        return value

    def recall(self, name: str) -> Any:
        """A value that was remembered.

        Raises:
            PremiseNotMet: none was by this name.
        """
        if name not in self.remembered:
            known = ", ".join(self.remembered) or "none"
            raise PremiseNotMet(
                f"no value is remembered as {name!r}", f"remembered are: {known}",
                did_you_mean(name, self.remembered,
                             f"remember it before, or write {{{{{name}}}}} for the braces "
                             "themselves"),
            )  # fmt: skip
        return self.remembered[name]

    # -- what is expected ----------------------------------------------------
    def cell(self, text: str, where: str = "") -> Meaning:
        """What a cell expects: a value of JSON, a `Wanted`, or a text.

        Args:
            text: the cell.
            where: what it says something of, for the error.

        Raises:
            Trouble: it is empty, or what stands in braces means nothing.
        """
        if not text.strip():
            raise Trouble(f"the cell for {where or 'a value'} is empty",
                          "that may mean an empty text, null, or no field at all",
                          'write "", null or {missing}')  # fmt: skip
        if found := _BRACES.fullmatch(text):
            return self._meaning(found)
        if _BRACES.search(text) is None or text.lstrip()[:1] in ("{", "[", '"'):
            try:
                return self._document(text)
            except NotJson:
                pass
        return self.text(text)

    def text_cell(self, text: str) -> Meaning:
        """The same of what is always a text, such as a key or a header."""
        if found := _BRACES.fullmatch(text):
            words = found["words"] or ""
            if words.startswith("file "):
                return self._text_of(words.removeprefix("file "))
            meaning = self._meaning(found)
            return meaning if isinstance(meaning, Wanted) else as_text(meaning)
        if re.fullmatch(_STRING, text):
            try:
                return self.text(read_json(text))
            except NotJson:
                pass
        return self.text(text)

    def text(self, text: str) -> Meaning:
        """A text with what stands in braces filled in; a `Wanted` where that may differ."""
        parts: list[str | Wanted] = []
        end = 0
        for found in _BRACES.finditer(text):
            meaning = self._meaning(found)
            parts.append(text[end : found.start()])
            parts.append(meaning if isinstance(meaning, Wanted) else as_text(meaning))
            end = found.end()
        parts.append(text[end:])
        if not any(isinstance(part, Wanted) for part in parts):
            return "".join(map(str, parts))
        named = [part.remember for part in parts if isinstance(part, Wanted) and part.remember]
        if named:
            raise Trouble(f"{{... as {named[0]}}} stands within a text",
                          "only a whole value can be remembered",
                          "give it a cell or a value of its own")  # fmt: skip
        pattern = "".join(f"(?:{p.pattern})" if isinstance(p, Wanted) else re.escape(p)
                          for p in parts)  # fmt: skip
        like = wanted.like(pattern, "")
        return Wanted(f'a text like "{text}"', like.accepts, pattern)

    def document(self, text: str) -> Meaning:
        """What a whole text expects: plain data with `Wanted` in it where it is JSON, else a text.

        Raises:
            Trouble: what stands in braces means nothing.
        """
        try:
            return self._document(text)
        except NotJson:
            return self.text(text)

    def _document(self, text: str) -> Meaning:
        meanings: list[re.Match[str]] = []

        def mark(found: re.Match[str]) -> str:
            meanings.append(found)
            return f'"{_MARK}{len(meanings) - 1}{_MARK}"'

        data = read_json(_outside_strings(text, mark))

        def understood(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: understood(member) for name, member in value.items()}
            if isinstance(value, list):
                return [understood(member) for member in value]
            if not isinstance(value, str):
                return value
            if value[:1] == value[-1:] == _MARK and len(value) > 1:
                return self._meaning(meanings[int(value[1:-1])])
            if found := _BRACES.fullmatch(value):
                meaning = self._meaning(found)
                return meaning if isinstance(meaning, Wanted) else as_text(meaning)
            return self.text(value)

        return understood(data)

    def _meaning(self, found: re.Match[str]) -> Meaning:
        if found["literal"]:
            return f"{{{found['literal']}}}"
        if found["pattern"]:
            return wanted.like(found["pattern"][1:-1], found["named"] or "")
        words = found["words"].strip()
        named = _AS.fullmatch(words)
        what, name = (named["what"], named["name"]) if named else (words, "")
        if what.startswith("any ") and not _FROM_TO.fullmatch(what):
            return wanted.any_of(what.removeprefix("any "), name)
        if what == "anything":
            return wanted.anything(name)
        if words == "missing":
            return wanted.missing()
        if span := _FROM_TO.fullmatch(what):
            return wanted.between(_number(span["least"]), _number(span["most"]), name)
        if what.startswith("one of "):
            return wanted.one_of(
                [self.cell(one.strip()) for one in what.removeprefix("one of ").split(",")], name
            )
        if what.startswith("time "):
            return wanted.moment(as_text(self._value_of(what.removeprefix("time "))), name)
        if words == "now":
            return datetime.now(UTC).isoformat()
        if what.startswith("valid ") and self._valid is not None:
            document = self._valid(what.removeprefix("valid "))
            return self.remember(name, document) if name else document
        if words.startswith("text of "):
            return self._text_of(words.removeprefix("text of "))
        if words.startswith("file "):
            return self._of_file(words.removeprefix("file "))
        return self.recall(words)

    def _value_of(self, text: str) -> Any:
        return self.remembered.get(text, text)

    def _text_of(self, name: str) -> str:
        """A file's content as a text, nothing left out."""
        return self.bytes_of(name).decode("utf-8", "backslashreplace")

    def _of_file(self, name: str) -> Any:
        """The content of a file: data where it is JSON, else its text, as it is."""
        text = read(self.path(name))
        try:
            return read_json(text)
        except NotJson:
            return text

    def path(self, name: str) -> Path:
        """Where a file of this name is: beside the feature."""
        return self.directory / name

    def bytes_of(self, name: str) -> bytes:
        """A file's content, byte for byte.

        Raises:
            Trouble: it cannot be read.
        """
        try:
            return self.path(name).read_bytes()
        except (OSError, ValueError) as error:
            why = reason_of(error, self.path(name)) if isinstance(error, OSError) else str(error)
            raise Trouble(f"the file {name} cannot be read", why,
                          "names of files begin beside the feature") from None  # fmt: skip

    # -- what is sent or stored ----------------------------------------------
    def given(self, text: str) -> str:
        """A key, a header, a name to use: what stands in braces is filled in, or generated.

        Raises:
            Trouble: what stands in braces means nothing, or can only be expected.
        """
        return _BRACES.sub(lambda found: as_text(self.made(found)), text)

    def given_document(self, text: str) -> str:
        """The same of a content. In JSON a value stands as JSON, and within quotes as text.

        Raises:
            Trouble: as `given`.
        """
        try:
            if _BRACES.fullmatch(text.strip()):
                return self.given(text)
            read_json(_outside_strings(text, lambda _: "null"))
        except NotJson:
            return self.given(text)
        return _filled(
            text,
            within=lambda found: as_json(as_text(self.made(found)))[1:-1],
            outside=lambda found: as_json(self.made(found)),
        )

    def given_cell(self, text: str, *, may_lack: bool = False) -> Any:
        """A cell's value to send or to store; as `given`.

        Args:
            text: the cell.
            may_lack: {missing} stands for no value (`wanted.ABSENT`).
        """
        if found := _BRACES.fullmatch(text):
            return wanted.ABSENT if may_lack and found["words"] == "missing" else self.made(found)
        meaning = self.cell(text)
        return self._generated(meaning)

    def _generated(self, meaning: Meaning) -> Any:
        if isinstance(meaning, Wanted):
            raise Trouble(f"{meaning.words} cannot be made", "it stands within a text or a list",
                          "give it a value of its own")  # fmt: skip
        return meaning

    def made(self, found: re.Match[str]) -> Any:
        """What stands in braces as a value to send: remembered, or generated."""
        meaning = self._meaning(found)
        if not isinstance(meaning, Wanted):
            return meaning
        kind = wanted.KINDS.get(meaning.words.removeprefix("any "))
        if kind is None:
            raise Trouble(f"{found[0]} can be expected, and not be made",
                          "only values of these kinds are generated: "
                          + ", ".join(f"any {name}" for name in wanted.KINDS),
                          "write a value")  # fmt: skip
        value = kind.make(self._chance)
        return self.remember(meaning.remember, value) if meaning.remember else value


def _filled(
    text: str,
    *,
    within: Callable[[re.Match[str]], str],
    outside: Callable[[re.Match[str]], str],
) -> str:
    """Replace what stands in braces, within quotation marks and outside, from left to right."""
    parts, end = [], 0
    for string in _STRING.finditer(text):
        parts.append(_BRACES.sub(outside, text[end : string.start()]))
        parts.append(_BRACES.sub(within, string[0]))
        end = string.end()
    return "".join([*parts, _BRACES.sub(outside, text[end:])])


def _outside_strings(text: str, replace: Callable[[re.Match[str]], str]) -> str:
    """Replace what stands in braces outside of quotation marks."""
    return _filled(text, within=lambda found: found[0], outside=replace)


def _number(text: str) -> Any:
    try:
        number = read_json(text)
    except NotJson:
        number = None
    if not is_number(number):
        raise Trouble(f"{text!r} is no number", "", "write {number from 1 to 10}")
    return number


def _equal(one: Any, other: Any) -> bool:
    return as_text(one) == as_text(other) and type(one) is type(other)
