"""Writing keys and reading them back, with each operation recorded."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Literal

from redis import Redis, exceptions

from stackproof.errors import NotSupported, explained
from stackproof.history import History, digest_of, preview

#: One command for each key; one MSET or MGET; all commands sent before the first answer is read.
Way = Literal["one by one", "in one batch", "in one pipeline"]
WAYS: tuple[Way, ...] = ("one by one", "in one batch", "in one pipeline")


class RecordedStore:
    """Writes and reads keys of one space; the history tells what was lost or altered.

    The space stands for a topic. A write is acknowledged when the server said OK to it, a
    key found is a reception; each key is to be written once.

    Args:
        client: answers in bytes.
        history: receives every operation.
        space: what the history calls the place.
        name: the client's name in the history.
    """

    def __init__(self, client: Redis, history: History, space: str, *, name: str = "client"):
        self._client = client
        self._history = history
        self.space = space
        self.name = name
        self._readings = itertools.count()

    def write(self, values: Mapping[str, bytes], way: Way) -> None:
        """Set all keys; what is refused or not answered is recorded as such."""
        ops = [
            self._history.send(
                client=self.name, topic=self.space, ident=key,
                digest=digest_of(value), preview=preview(value),
            )
            for key, value in values.items()
        ]  # fmt: skip
        for op, answer in zip(ops, self._written(values, way), strict=True):
            if answer is True:
                self._history.complete(op, "ok", partition=0)  # there is one place
                continue
            raise_lacking([answer])
            # Without an answer it may have been written all the same.
            open_ = isinstance(answer, exceptions.ConnectionError | exceptions.TimeoutError)
            self._history.complete(op, "unknown" if open_ else "fail", error=repr(answer))

    def _written(self, values: Mapping[str, bytes], way: Way) -> list[object]:
        """What the server answered for each key; or the error."""
        if way == "one by one":
            return [self._set(key, value) for key, value in values.items()]
        try:
            if way == "in one batch":
                return [self._client.mset(dict(values))] * len(values)
            pipeline = self._client.pipeline(transaction=False)
            for key, value in values.items():
                pipeline.set(key, value)
            return pipeline.execute(raise_on_error=False)
        except exceptions.RedisError as error:
            return [error] * len(values)

    def _set(self, key: str, value: bytes) -> object:
        try:
            return self._client.set(key, value)
        except exceptions.RedisError as error:
            return error

    def read(self, keys: Iterable[str], way: Way) -> None:
        """Get all keys; those that are there are recorded with their values.

        Raises:
            redis.exceptions.RedisError: they cannot be read.
        """
        keys = list(keys)
        if way == "in one batch":
            values = self._client.mget(keys)
        elif way == "in one pipeline":
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.get(key)
            values = pipeline.execute()
        else:
            values = [self._client.get(key) for key in keys]
        for key, value in zip(keys, values, strict=True):
            if value is not None:
                self._history.receive(
                    client=self.name, topic=self.space, partition=0, offset=next(self._readings),
                    ident=key, digest=digest_of(value), preview=preview(value),
                )  # fmt: skip


def raise_lacking(answers: Iterable[object]) -> None:
    """A command that the server does not have says nothing about what it does with data.

    Raises:
        NotSupported: such an error is among the answers.
    """
    for answer in answers:
        trouble = explained(answer) if isinstance(answer, Exception) else None
        if isinstance(trouble, NotSupported):
            raise trouble
