"""One way to read what people wrote, one to write what may hold anything, one to say counts.

It may touch `errors` alone.
"""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

from stackproof.errors import Trouble, reason_of

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def visible(text: str) -> str:
    """The text with everything escaped that cannot be seen, or is a blank but no space."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable(text: str) -> str:
    """The text with lone surrogates escaped: no encoding has them.

    They come from file names that are not UTF-8, and from halves of characters in JSON.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def counted(count: int, one: str, many: str = "") -> str:
    """How many of what, for people: "1 message", "3 messages", "0 entries".

    Args:
        count: how many.
        one: what a single one is called.
        many: what several are called; empty: ``one`` with an s.
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def read(file: Path) -> str:
    """The text of a file in UTF-8; a byte order mark is passed over.

    Raises:
        Trouble: it is no file, cannot be read, or is not UTF-8; the place is named.
    """
    try:
        # A named pipe would keep its reader waiting for ever.
        if not stat.S_ISREG(file.stat().st_mode):
            kind = "a directory" if file.is_dir() else "neither a file nor a directory"
            raise Trouble(f"{file} cannot be read", f"it is {kind}", "name a file")
        data = file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in its name
        why = reason_of(error, file) if isinstance(error, OSError) else str(error)
        raise Trouble(f"{file} cannot be read", why, "correct its name or its rights") from error
    return decoded(data, file)


def decoded(data: bytes, file: object) -> str:
    """The text of a file's bytes.

    Raises:
        Trouble: they are not UTF-8, or hold a NUL, which no text has.
    """
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            raise Trouble(
                f"{file} cannot be read", f"it is written in {encoding}", "save it as UTF-8"
            )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        why = f"line {line}: the byte 0x{data[error.start]:02x} is not UTF-8"
        raise Trouble(f"{file} cannot be read", why, "save it as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Trouble(
            f"{file} cannot be read", f"line {line}: a NUL byte; is it a text?", "save it as UTF-8"
        )
    return text
