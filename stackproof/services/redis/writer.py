"""Keys that are set, each once, to see which of them are there in the end."""

from __future__ import annotations

from stackproof.services.base import Endpoint
from stackproof.services.redis.client import connect
from stackproof.services.redis.known import SERVER

_AT_ONCE = 1000


class KeysWriter:
    """See `stackproof.services.writer.Writer`; a text is the value of a key of its own."""

    through = SERVER

    def __init__(self, endpoint: Endpoint, name: str, *, timeout: float):
        self._client = connect(endpoint, timeout=timeout)
        self._name = name

    def write(self, text: str) -> None:
        """Set one key."""
        self._client.set(f"{self._name}:{text}", text)

    def _keys(self) -> list[bytes]:
        return list(self._client.scan_iter(match=f"{self._name}:*", count=_AT_ONCE))

    def kept(self) -> list[str]:
        """The values of all keys."""
        keys = self._keys()
        values = [
            value
            for first in range(0, len(keys), _AT_ONCE)
            for value in self._client.mget(keys[first : first + _AT_ONCE])
        ]
        return [value.decode(errors="replace") for value in values if value is not None]

    def close(self) -> None:
        """Delete them."""
        if keys := self._keys():
            self._client.delete(*keys)
        self._client.close()
