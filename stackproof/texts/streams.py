"""The three standard streams, in whatever state they were handed over."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from stackproof.errors import Trouble, reason_of


@contextmanager
def safe() -> Iterator[None]:
    """Inside, nothing that is printed raises an exception but to a reader that has gone.

    A closed stream takes anything. What an encoding does not have is escaped. What a full disk
    refuses is left out, and told by `refused`.
    """
    # Or the next file that is opened becomes standard output.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = _usable(sys.stdin, "r")
    sys.stdout, sys.stderr = _safe(sys.stdout), _safe(sys.stderr)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def refused() -> Trouble | None:
    """What could not be printed since `safe` began; None when all could."""
    for name, stream in (("standard output", sys.stdout), ("standard error", sys.stderr)):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        sink = getattr(stream, "buffer", None)
        if isinstance(sink, _Sink) and sink.refused is not None:
            return Trouble(
                "the output is incomplete",
                reason_of(sink.refused, name),
                "make room, or send it elsewhere",
            )
    return None


class _Sink(io.RawIOBase):
    """Takes what its stream refuses; tells of a reader that has gone once."""

    def __init__(self, stream: Any):
        self._stream = stream  # or it is closed when nobody knows it any more
        buffer = stream.buffer
        self._raw = getattr(buffer, "raw", buffer)
        self._gone = False
        self.refused: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data)
        try:
            while left and not self._gone and self.refused is None:
                written = self._raw.write(left)
                if written is None:  # the reader of a stream that does not block is slow
                    select.select([], [self._raw], [])
                left = left[written or 0 :]
        except BrokenPipeError:
            self._gone = True
            raise
        except OSError as error:
            self.give_up(error)
        return len(data)

    def give_up(self, error: OSError) -> None:
        """Send the rest nowhere: what its buffer holds would be an error at the very end."""
        self.refused = error
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), self.fileno())

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        return int(self._raw.fileno())


def _usable(stream: TextIO | None, mode: str) -> Any:
    if stream is None or stream.closed:
        return open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123 -- stays open
    return stream


def _safe(stream: TextIO | None) -> TextIO:
    usable = _usable(stream, "w")
    buffer = getattr(usable, "buffer", None)
    if buffer is None or isinstance(buffer, _Sink):
        return usable
    sink = _Sink(usable)
    try:
        usable.flush()
    except OSError as error:
        sink.give_up(error)
    return io.TextIOWrapper(
        cast(Any, sink),  # unbuffered, as Python itself does for -u
        encoding=usable.encoding,
        errors="backslashreplace",
        line_buffering=getattr(usable, "line_buffering", False),
        write_through=getattr(usable, "write_through", False),
    )
