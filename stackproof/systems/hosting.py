"""Hosts a component: a class of anybody's in a process of its own, called by lines of JSON.

``python -P hosting.py PACKAGE.MODULE:CLASS`` reads requests from its standard input and answers on
its standard output, one JSON object a line; the protocol is docs/components.md. It imports nothing
of the suite, so that any Python can run it. What the component prints goes to its log, not between
the answers, and programs that it starts read nothing of its input.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

#: Calls side by side; more wait.
THREADS = 256
#: Seconds from the end of the input to its own end, whatever calls do.
ENDS_WITHIN = 5.0


def main(arguments: list[str]) -> int:
    """Serve until the input ends."""
    place, _, name = arguments[0].partition(":")
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.path.insert(0, str(Path.cwd()))
    writing = threading.Lock()
    made: list[Any] = []

    def serve(request: dict[str, Any]) -> None:
        number = request["id"]
        try:
            if "make" in request:
                made.append(getattr(import_module(place), name)(**request["make"]))
                value = None
            else:
                method = getattr(made[0], request["call"], None)
                if method is None:
                    kind = type(made[0]).__name__
                    raise NotImplementedError(f"{kind} has no method {request['call']}")
                value = method(*request["arguments"], **request.get("named", {}))
            # A value that JSON does not have is the component's matter, too.
            line = json.dumps({"id": number, "value": value}, default=_plain, allow_nan=False)
        except BaseException as error:  # the caller's matter, whatever it is
            told = {"kind": type(error).__name__, "text": str(error)}
            line = json.dumps({"id": number, "error": told})
        with writing:
            answers.write(line + "\n")

    with ThreadPoolExecutor(THREADS, initializer=_name_thread) as threads:
        for line in requests:
            request = json.loads(line)
            if "make" in request:
                serve(request)
            else:
                threads.submit(serve, request)
        # Nobody reads what comes now: calls that hang must not keep it.
        over = threading.Timer(ENDS_WITHIN, os._exit, (0,))
        over.daemon = True
        over.start()
    return 0


def _name_thread() -> None:
    """Tell this thread from those of the component, for whoever looks from outside (Linux)."""
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(
            "calls", encoding="ascii"
        )


def _plain(value: Any) -> Any:
    """What JSON does not have: bytes as the text that they are, anything else as it shows itself.

    Raises:
        UnicodeDecodeError: bytes are no UTF-8.
    """
    return bytes(value).decode() if isinstance(value, bytes | bytearray) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
