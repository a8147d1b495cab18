"""Where something stands in a message: a field by its name, or by a JSON pointer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: What `Place.of` returns when there is nothing at the place.
MISSING = object()


@dataclass(frozen=True)
class Place:
    """A place in a document.

    Attributes:
        text: as a contract writes it: "customerID", or "/customer/id" (RFC 6901).
    """

    text: str

    @property
    def path(self) -> tuple[str, ...]:
        """Names from the outside to the inside."""
        if not self.text.startswith("/"):
            return (self.text,)
        parts = self.text[1:].split("/")
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)

    def of(self, document: Any) -> Any:
        """What stands there; `MISSING` when the document has no such place."""
        found = document
        for part in self.path:
            if isinstance(found, Mapping) and part in found:
                found = found[part]
            elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                return MISSING
        return found

    def put(self, document: Any, value: Any) -> None:
        """Put ``value`` there; the objects around it must exist.

        Raises:
            KeyError: they do not.
        """
        *outer, last = self.path
        holder = document
        for part in outer:
            holder = holder[int(part) if isinstance(holder, list) else part]
        holder[int(last) if isinstance(holder, list) else last] = value

    def touches(self, path: tuple[str, ...]) -> bool:
        """Whether a change at ``path`` changes what stands here, or the other way round."""
        common = min(len(path), len(self.path))
        return path[:common] == self.path[:common]

    def __str__(self) -> str:
        return self.text
