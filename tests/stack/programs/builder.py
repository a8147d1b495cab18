"""Obtains one slow artifact from a cache, as one of several runs that do so at once.

    builder.py CACHE BUILDS GATE [--half]

Each build adds a line to BUILDS and then waits for the file GATE; with ``--half`` it
has written half of its files by then.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from stackproof.obtain import Cache, Say
from stackproof.polling import poll


@dataclass(frozen=True)
class Slow:
    key: str = "slow-1.0"
    title: str = "Slow 1.0"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        (into / "first").write_text("one")
        with Path(sys.argv[2]).open("a") as builds:
            builds.write("build\n")
        poll(Path(sys.argv[3]).exists, within=60, awaiting="the gate")
        (into / "second").write_text("two")


def say(text: str) -> None:
    print(text, flush=True)


place = Cache(Path(sys.argv[1])).ensure(Slow(), say)
say(f"{sorted(file.name for file in place.iterdir())}")
