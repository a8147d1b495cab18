"""Keys that are set, each once, to see which of them are there in the end."""

from __future__ import annotations

from redis import Redis, exceptions

from stackproof.services.base import Endpoint
from stackproof.services.redis.client import connect, delete_all, keys_with, values_with
from stackproof.services.redis.known import PRIMARY, SERVER


def set_for(client: Redis, key: str, value: str | bytes, replicas: int, *, timeout: float) -> None:
    """Set a key, and wait until so many replicas have it.

    Raises:
        redis.exceptions.ConnectionError: whether it is set, and stays so, is not known.
    """
    if not replicas:
        client.set(key, value)
        return
    with client.pipeline(transaction=False) as pipeline:  # WAIT is about its own connection
        pipeline.set(key, value)
        pipeline.wait(replicas, round(timeout * 1000))
        done, reached = pipeline.execute(raise_on_error=False)
    if isinstance(done, exceptions.ResponseError):
        raise exceptions.ConnectionError(str(done)) if "NOREPLICAS" in str(done) else done
    if reached < replicas:
        raise exceptions.ConnectionError(f"{reached} of {replicas} replicas have it")


class KeysWriter:
    """See `stackproof.services.writer.Writer`; a text is the value of a key of its own."""

    def __init__(self, endpoint: Endpoint, name: str, *, timeout: float):
        # Of a server alone, and of a primary whose role does not move, it is known who that is.
        self.through = next((n for n in endpoint.addresses if n in (SERVER, PRIMARY)), "")
        self._client = connect(endpoint, timeout=timeout)
        self._replicas = int(endpoint.options.get("synchronous", 0))
        self._name, self._timeout = name, timeout

    def write(self, text: str) -> None:
        """Set one key, on so many replicas as a write waits for."""
        set_for(self._client, f"{self._name}:{text}", text, self._replicas, timeout=self._timeout)

    def kept(self) -> list[str]:
        """The values of all keys."""
        found = values_with(self._client, f"{self._name}:")
        return [value.decode(errors="replace") for value in found.values()]

    def close(self) -> None:
        """Delete them."""
        delete_all(self._client, keys_with(self._client, f"{self._name}:"))
        self._client.close()
