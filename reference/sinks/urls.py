"""URLs of servers, refused where they cannot be meant."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from reference.sinks.errors import InvalidURLError


def split(url: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    """The parts of a URL; its password is in no message.

    Args:
        url: of a server.
        schemes: those that it may have.
        example: a right one.

    Raises:
        InvalidURLError: it cannot be used.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        text = "its port is no number from 0 to 65535" if "ort" in str(error) else str(error)
        raise _wrong(text, example) from None
    if parts.scheme not in schemes:
        raise _wrong(f"its scheme is {parts.scheme!r}, not {' or '.join(schemes)}", example)
    if not parts.hostname:
        raise _wrong("it names no host", example)
    if port == 0:
        raise _wrong("its port is 0", example)
    if parts.fragment:
        raise _wrong("what stands behind # is part of no URL of a server; write %23", example)
    return parts


def _wrong(text: str, example: str) -> InvalidURLError:
    return InvalidURLError(f"the URL cannot be used: {text}; a right one is {example}")


def refuse(text: str, example: str) -> InvalidURLError:
    """The same of what only one kind of server knows."""
    return _wrong(text, example)
