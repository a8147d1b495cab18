"""Keeping secrets out of everything that is printed, attached or published.

Two nets: values registered by whoever knows them are masked wherever they appear, in the
encodings they usually travel in; and text that looks like a credential (passwords in
URLs, ``password=...``, ``API_TOKEN=...``, authorization headers) is masked by its shape.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import quote, quote_plus

from stackproof.texts import printable

MASK = "*****"

#: A secret's name from its telling word on; bounded, as lines may be endless.
_NAME = (
    r"(?:password|passwd|passphrase|secret|token(?!s)|credential"
    # Not what Kafka calls its requests: ``apiKey=FETCH, apiVersion=17``.
    r"|api[_\-.]?key(?!=(?-i:[A-Z_]{3,40}), apiVersion=)"
    r"|access[_\-.]?key|private[_\-.]?key)[\w.\-]{0,60}"
)
#: Words that say that there is no value; masking them would hide a useful fact.
_NO_VALUE = r"(?!(?:null|None|true|false|\[hidden\]|\*+)(?:[\s,;}\)\]\"']|$))"
_QUOTED = r"(?P<quote>\\?[\"'])(?:\\.|(?!(?P=quote)).)*(?P=quote)"

#: One of them is in everything that a shape matches; most lines of a log have none.
_WORDS = ("passw", "passphrase", "secret", "token", "credential", "key", "authorization", "://")
#: Each masks its group ``value``, within a line.
_SHAPES = (
    # ://user:password@host; the password may itself hold an @, or a slash unless host:port/.
    re.compile(r"://[^\s:/@]{0,100}:(?P<value>[^\s/\"'<>]{1,200})@"),
    re.compile(r"://[^\s:/@]{0,100}:(?!\d+/)(?P<value>[^\s@\"'<>]{1,200})@"),
    # Environment style runs to the next blank: such a value may hold any punctuation.
    re.compile(
        r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|API_KEY|ACCESS_KEY|PRIVATE_KEY)"
        rf"[A-Z0-9_]{{0,60}}=(?P<value>{_NO_VALUE}[^\s\"']+)"
    ),
    # name = "value", 'name': 'value', \"name\": \"value\"; the name may be quoted too.
    re.compile(rf"(?i){_NAME}\\?[\"']?\s*(?:=>|[=:])\s*(?P<value>{_QUOTED})"),
    re.compile(rf"(?i){_NAME}\\?[\"']?\s*=\s*(?P<value>{_NO_VALUE}[^\s,;&\"'<>(){{}}\[\]]+)"),
    # name: value, as in YAML; not for "token", which prose and parsers use otherwise.
    re.compile(
        r"(?i)(?:password|passwd|passphrase|secret|access[_\-.]?key)[\w.\-]{0,60}\s*:\s+"
        rf"(?P<value>{_NO_VALUE}[^\s,;\"'<>(){{}}\[\]]+)"
    ),
    re.compile(rf"(?i)--[\w.\-]{{0,60}}{_NAME}\s+(?P<value>(?!-)\S+)"),
    re.compile(r"(?i)\bauthorization\W{1,4}(?:(?:basic|bearer|token)\s+)?(?P<value>[^\s\"',}]+)"),
)
_SECRET_NAME = re.compile(rf"(?i){_NAME}\Z")
_CHUNK = 1 << 16


class Masker:
    """Masks registered values and whatever looks like a credential."""

    def __init__(self, secrets: Iterable[str] = ()):
        self._variants: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._longest = 0
        for secret in secrets:
            self.register(secret)

    def register(self, secret: str) -> None:
        """Masks ``secret`` from now on, also where it is escaped, quoted or in base64.

        Empty values and values of asterisks alone cannot be told from the mask and are
        ignored. Do not register a service's public default, e.g. "guest": every other
        "guest" in the reports would go with it.
        """
        if not secret.strip("*") or not secret.strip():
            return
        self._variants.update(_variants(secret))
        # Longest first: a secret that begins with another one must be masked whole.
        ordered = sorted(self._variants, key=lambda text: (-len(text), text))
        self._pattern = re.compile("|".join(map(re.escape, ordered)))
        self._longest = len(ordered[0])

    def mask(self, text: str) -> str:
        """The text without secrets, in a form that can be printed and written."""
        # A registered secret is found as it is; what no encoding has is escaped only then.
        text = printable(self._mask_registered(text))
        if not _looks_suspicious(text):
            return text
        return "\n".join(map(_mask_line, text.split("\n")))

    def mask_command(self, words: Sequence[str]) -> str:
        """A command line for people: values of secret options are masked whole."""
        shown: list[str] = []
        for before, word in zip(("", *words), words, strict=False):
            name, given, _ = word.partition("=")
            if given and _SECRET_NAME.search(name):
                shown.append(f"{name}={MASK}")
            elif before.startswith("-") and "=" not in before and _SECRET_NAME.search(before):
                shown.append(MASK)
            else:
                masked = self.mask(word)
                shown.append(masked if MASK in masked else shlex.quote(masked))
        return self.mask(" ".join(shown))

    def mask_mapping(self, values: Mapping[str, object]) -> dict[str, str]:
        """Settings by name: values of secret names are masked whole."""
        return {
            name: MASK if _SECRET_NAME.search(name) and str(value) else self.mask(str(value))
            for name, value in values.items()
        }

    def mask_file(self, source: Path, target: Path, *, chunk: int = _CHUNK) -> None:
        """Copies a text file without its secrets; its size does not matter."""
        with (
            source.open(encoding="utf-8", errors="replace", newline="") as reader,
            target.open("w", encoding="utf-8", newline="") as writer,
        ):
            writer.writelines(self._mask_stream(reader, chunk))

    def _mask_registered(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

    def _mask_stream(self, reader: TextIO, chunk: int) -> Iterator[str]:
        held = ""
        while block := reader.read(chunk):
            held += block
            cut = self._safe_cut(held, chunk)
            if cut:
                yield self.mask(held[:cut])
                held = held[cut:]
        yield self.mask(held)

    def _safe_cut(self, text: str, chunk: int) -> int:
        """Where ``text`` may be cut without cutting a secret: after a line, if there is one."""
        end = len(text) - self._longest
        cut = text.rfind("\n", 0, max(end, 0)) + 1
        if not cut and end > 16 * chunk:  # one endless line
            cut = end
        for found in self._pattern.finditer(text) if self._pattern and cut else ():
            if found.start() < cut < found.end():
                return found.start()
        return max(cut, 0)


def _looks_suspicious(text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in _WORDS)


def _mask_line(line: str) -> str:
    if _looks_suspicious(line):
        for shape in _SHAPES:
            line = shape.sub(_mask_value, line)
    return line


def _variants(secret: str) -> set[str]:
    dumped = (json.dumps(secret), json.dumps(secret, ensure_ascii=False))
    variants = {
        secret,
        *(text[1:-1] for text in dumped),
        repr(secret)[1:-1],
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        html.escape(secret, quote=False),
    }
    if len(secret) >= 4:  # shorter ones in base64 would be found in any long word
        encoded = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode()
        variants |= {encoded, encoded.rstrip("=")}
    return variants


def _mask_value(found: re.Match[str]) -> str:
    value = found["value"]
    start, end = found.span("value")
    whole, offset = found[0], found.start()
    quoted = found.re.groupindex.get("quote") and found["quote"]
    masked = f"{quoted}{MASK}{quoted}" if quoted else MASK
    if value in (f"{quoted}{quoted}", ""):
        return whole
    return whole[: start - offset] + masked + whole[end - offset :]


_default = Masker()


def register_secret(secret: str) -> None:
    """Masks ``secret`` in everything this process reports from now on."""
    _default.register(secret)


def mask(text: str) -> str:
    """The text without secrets."""
    return _default.mask(text)


def mask_command(words: Sequence[str]) -> str:
    """A command line for people, without secrets."""
    return _default.mask_command(words)


def mask_mapping(values: Mapping[str, object]) -> dict[str, str]:
    """Settings by name, values of secret names masked whole."""
    return _default.mask_mapping(values)


def mask_file(source: Path, target: Path) -> None:
    """Copies a text file without its secrets."""
    _default.mask_file(source, target)
