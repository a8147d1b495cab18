"""Words of the features that stand for streams of vectors."""

from __future__ import annotations

import parse

#: Names of the systems by how features call them.
STREAMS = {
    "the vector stream": "vector-stream",
    "the exactly-once vector stream": "vector-stream-exactly-once",
}


@parse.with_pattern("|".join(STREAMS))
def parse_stream(text: str) -> str:
    """A stream of vectors, for ``{stream:Stream}``: its system's name."""
    return STREAMS[text]


TYPES = {"Stream": parse_stream}
