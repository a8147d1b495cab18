"""Writing keys and reading them back, with each operation recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from types import EllipsisType
from typing import TYPE_CHECKING

from redis import Redis, exceptions

from stackproof.errors import NotSupported, explained
from stackproof.services.redis.known import Batching

if TYPE_CHECKING:
    from stackproof.history import Answer, History
    from stackproof.history.operating import Content


class RecordedStore:
    """Writes and reads keys of one space, as operations on registers.

    A write is acknowledged when the server said OK to it; values of a key are to differ.

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

    def doing(
        self, action: str, key: str, value: Content | EllipsisType = ..., *, ttl_ms: int = 0
    ) -> AbstractContextManager[Answer]:
        """Record one operation on a key, from the block's beginning to its end."""
        return self._history.doing(
            action, client=self.name, space=self.space, key=key, value=value, number=ttl_ms
        )

    def _invoke(self, action: str, key: str, value: Content | EllipsisType = ...) -> int:
        return self._history.invoke(
            action, client=self.name, space=self.space, key=key, value=value
        )

    def write(self, values: Mapping[str, bytes], way: Batching) -> None:
        """Set all keys; what is refused or not answered is recorded as such."""
        ops = [self._invoke("write", key, value) for key, value in values.items()]
        for op, answer in zip(ops, self._written(values, way), strict=True):
            if answer is True:
                self._history.answered(op, "ok")
                continue
            raise_lacking([answer])
            # Without an answer it may have been written all the same.
            open_ = isinstance(answer, exceptions.ConnectionError | exceptions.TimeoutError)
            self._history.answered(op, "unknown" if open_ else "fail", error=repr(answer))

    def _written(self, values: Mapping[str, bytes], way: Batching) -> list[object]:
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

    def read(self, keys: Iterable[str], way: Batching) -> None:
        """Get all keys.

        Raises:
            redis.exceptions.RedisError: they cannot be read.
        """
        keys = list(keys)
        ops = [self._invoke("read", key) for key in keys]
        if way == "in one batch":
            values = self._client.mget(keys)
        elif way == "in one pipeline":
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.get(key)
            values = pipeline.execute()
        else:
            values = [self._client.get(key) for key in keys]
        for op, value in zip(ops, values, strict=True):
            self._history.answered(op, "ok", value=value)


def raise_lacking(answers: Iterable[object]) -> None:
    """A command that the server does not have says nothing about what it does with data.

    Raises:
        NotSupported: such an error is among the answers.
    """
    for answer in answers:
        trouble = explained(answer) if isinstance(answer, Exception) else None
        if isinstance(trouble, NotSupported):
            raise trouble
