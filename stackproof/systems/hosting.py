"""Hosts a component: a class of anybody's in a process of its own, called by lines of JSON.

``python -m stackproof.systems.hosting PACKAGE.MODULE:CLASS`` reads requests from its standard
input and answers on its standard output, one JSON object a line. Programs in other languages
speak the same:

    -> {"id": 0, "make": {"url": "...", "size": 10}}            once, the class's arguments
    -> {"id": 1, "call": "query", "arguments": ["SELECT 1"]}    as often as wanted, side by side
    <- {"id": 1, "value": [[1]]}                                in any order
    <- {"id": 2, "error": {"kind": "PoolExhaustedError", "text": "all 10 connections are taken"}}

It ends when its input does. What the component prints goes to its log, not between the answers.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

#: Calls side by side; more wait.
THREADS = 256


def main(arguments: list[str]) -> int:
    """Serve until the input ends."""
    place, _, name = arguments[0].partition(":")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, str(Path.cwd()))
    writing = threading.Lock()
    made: list[Any] = []

    def answer(number: int, outcome: dict[str, Any]) -> None:
        with writing:
            answers.write(json.dumps({"id": number, **outcome}, default=str) + "\n")

    def serve(request: dict[str, Any]) -> None:
        try:
            if "make" in request:
                made.append(getattr(import_module(place), name)(**request["make"]))
                value = None
            else:
                value = getattr(made[0], request["call"])(*request["arguments"])
        except Exception as error:  # the caller's matter, whatever it is
            told = {"kind": type(error).__name__, "text": str(error)}
            answer(request["id"], {"error": told})
        else:
            answer(request["id"], {"value": value})

    with ThreadPoolExecutor(THREADS) as threads:
        for line in sys.stdin:
            request = json.loads(line)
            if "make" in request:
                serve(request)
            else:
                threads.submit(serve, request)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
