"""Vectors in messages: made, understood, and compared with what was sent.

The form is that of ``reference/vector_stream/README.md``, written anew here: a mistake in the
program's own codec must not hide in the one that judges it.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stackproof.errors import Trouble
from stackproof.history import digest_of
from stackproof.services.kafka.client.messages import Message, Received
from stackproof.systems.contracts import ContractViolationError
from stackproof.systems.labels import INVALID, VALID
from stackproof.systems.observing import Outputs

#: Greatest error of a computed number: relative of a length, absolute of a normalised component.
#: Single precision rounds at 6e-8; a sum of 1000 squares computed in it is off by some 1e-6.
TOLERANCE = 2e-6
TRANSFORMED_BY = "transformed-by"
_TRACE = "trace-id"
_SINGLE = np.dtype("<f4")
_HEADER = struct.Struct("<4sII")
_WITNESSES = 3

Vectors = NDArray[np.float32]


def encoded(vectors: Vectors) -> bytes:
    """An input with these vectors, shape (count, dimension)."""
    return _HEADER.pack(b"VEC1", *vectors.shape) + vectors.astype(_SINGLE).tobytes()


@dataclass(frozen=True)
class Transformed:
    """An output: lengths (count), the vectors as they were, and of length 1."""

    lengths: Vectors
    originals: bytes
    units: Vectors


def decoded(value: bytes | None) -> Transformed | None:
    """What an output holds; None when it has not the form that was agreed."""
    if value is None or len(value) < _HEADER.size:
        return None
    magic, count, dimension = _HEADER.unpack_from(value)
    size = count * dimension * _SINGLE.itemsize
    begin = _HEADER.size + count * _SINGLE.itemsize
    if magic != b"VECN" or len(value) != begin + 2 * size:
        return None
    return Transformed(
        np.frombuffer(value, _SINGLE, count, _HEADER.size),
        value[begin : begin + size],
        np.frombuffer(value, _SINGLE, count * dimension, begin + size).reshape(count, dimension),
    )


class VectorInputs:
    """Makes messages of vectors, reproducibly.

    Args:
        dimension: of every valid vector.
        seed: the run's.

    Attributes:
        per_message: vectors in each valid message.
        sent: the vectors of each valid message by its key.
        wrong_fields: none, vectors have no fields.
    """

    def __init__(self, dimension: int, seed: int):
        self.dimension = dimension
        self.per_message = 1
        self.sent: dict[str, Vectors] = {}
        self.wrong_fields: dict[bytes, str] = {}
        self._dice = np.random.default_rng(seed)
        self._made = 0
        self._kinds: dict[str, Callable[[], bytes | None]] = {
            "that is truncated": lambda: encoded(self._vectors())[:-3],
            "that is no vector": lambda: b'{"vector": [1.0, 2.0]}',
            "that is empty": lambda: b"",
            "that is null": lambda: None,
            "with another dimension": lambda: encoded(self._vectors(dimension // 2)),
            "with NaN for a component": partial(self._spoilt, np.nan),
            "with an infinite component": partial(self._spoilt, np.inf),
            "of length zero": lambda: encoded(np.zeros((1, dimension), _SINGLE)),
        }

    def _vectors(self, dimension: int = 0) -> Vectors:
        shape = (self.per_message, dimension or self.dimension)
        # Lengths over six orders of magnitude: what is computed in less than it should shows.
        scales = 10.0 ** self._dice.uniform(-3, 3, (self.per_message, 1))
        return (self._dice.standard_normal(shape) * scales).astype(_SINGLE)

    def _spoilt(self, number: float) -> bytes:
        vectors = self._vectors()
        vectors[-1, self.dimension // 2] = number
        return encoded(vectors)

    def valid(self, count: int) -> list[Message]:
        """So many messages of `per_message` vectors each."""
        return [self._valid() for _ in range(count)]

    def _valid(self) -> Message:
        vectors = self._vectors()
        message = self._message("vectors", encoded(vectors))
        self.sent[message.ident] = vectors
        carried = carried_of(vectors.tobytes(), message.headers)
        return replace(message, label=VALID, carried=carried)

    def invalid(self, kind: str) -> Message:
        """One that cannot be processed.

        Raises:
            Trouble: nobody knows this kind.
        """
        if kind not in self._kinds:
            raise Trouble(
                f"no vectors {kind!r} can be made",
                f"the kinds are: {', '.join(self._kinds)}",
                "use one of them",
            )
        return replace(self._message("poison", self._kinds[kind]()), label=INVALID)

    def _message(self, what: str, value: bytes | None) -> Message:
        self._made += 1
        name = f"{what}-{self._made:06d}"
        return Message(name.encode(), value, headers={_TRACE: f"trace {name}".encode()})


def carried_of(originals: bytes, headers: Mapping[str, bytes]) -> int:
    """Digest of what must be carried over bit by bit: the vectors, and the message's header."""
    return digest_of(headers.get(_TRACE, b"") + b"\0" + originals)


class TransformedVectors(Outputs):
    """The outputs received so far; each is understood once, when it arrives.

    Args:
        sent: the vectors of each input by its key.

    Attributes:
        workers: how many messages each instance has transformed, as it says.
        inexact: what is wrong with computed numbers, the first few.
        worst: the greatest errors so far, of lengths and of components.
        malformed: outputs that have not the form that was agreed, where they are.
    """

    def __init__(self, sent: Mapping[str, Vectors]):
        super().__init__()
        self._sent = sent
        self.workers: Counter[str] = Counter()
        self.inexact: list[str] = []
        self.compared = 0
        self.worst = (0.0, 0.0)
        self.malformed: list[str] = []

    def check(self) -> None:
        """Check that every output so far has the form that was agreed."""
        if self.malformed:
            raise ContractViolationError(
                f"{len(self.malformed)} of {len(self.records)} have not the form of transformed "
                f"vectors, e.g. {self.malformed[0]}"
            )

    def wrongly_keyed(self) -> list[str]:
        """None: a vector is known by its key alone, so another key is another vector."""
        self.check()
        return []

    def _understood(self, record: Received) -> tuple[str, int, int | None]:
        self.workers[record.headers.get(TRANSFORMED_BY, b"nobody").decode()] += 1
        found = decoded(record.value)
        if found is None:
            self.malformed.append(_place(record))
            return record.ident, digest_of(record.value), None
        if record.ident in self._sent:
            self._compare(record, found)
        return (
            record.ident,
            digest_of(record.value),
            carried_of(found.originals, record.headers),
        )

    def _compare(self, record: Received, found: Transformed) -> None:
        vectors = self._sent[record.ident].astype(np.float64)
        if found.units.shape != vectors.shape:
            self._note(record, f"shape {found.units.shape} instead of {vectors.shape}")
            return
        lengths = np.linalg.norm(vectors, axis=1)
        off = float(np.max(np.abs(found.lengths - lengths) / lengths))
        crooked = float(np.max(np.abs(found.units - vectors / lengths[:, None])))
        self.compared += len(vectors)
        self.worst = (max(self.worst[0], off), max(self.worst[1], crooked))
        # Written so that a NaN is an error too.
        if not off <= TOLERANCE:
            self._note(record, f"a length is off by {off:.1e} of it")
        if not crooked <= TOLERANCE:
            self._note(record, f"a normalised component is off by {crooked:.1e}")

    def _note(self, record: Received, what: str) -> None:
        if len(self.inexact) < _WITNESSES:
            self.inexact.append(f"{_place(record)}: {what}")


def _place(record: Received) -> str:
    return f"{record.ident} (partition {record.partition} offset {record.offset})"
