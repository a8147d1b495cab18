"""One bucket of a scenario, with everything recorded that is done to objects in it.

Objects are registers in one space, under their keys, with their bytes as contents; and members of
a set, the listing, with their sizes and entity tags as contents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from stackproof.history import Members, Registers
from stackproof.services.s3.client import AT_ONCE, missing, status_of

if TYPE_CHECKING:
    from stackproof.history import Answer, History
    from stackproof.history.operating import Content

Told = Mapping[str, Any]


@dataclass(frozen=True)
class Listing:
    """What one listing has told, of all its pages.

    Attributes:
        keys: in its order.
        prefixes: common ones, in its order.
        pages: how many keys and common prefixes were in each.
    """

    keys: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)


class Bucket:
    """Does what it is asked for, by one client, and records it.

    What the server refuses raises a `ClientError`, and is recorded as without effect.

    Args:
        client: of boto.
        history: of the scenario.
        name: the bucket's full name.
        by: the client's name in the history.
    """

    def __init__(self, client: Any, history: History, name: str, *, by: str = "client"):
        self.client = client
        self.name = name
        self._history = history
        self._by = by
        self._members = f"listing of {name}"

    def by(self, name: str) -> Bucket:
        """The same, done by another client of this name."""
        return Bucket(self.client, self._history, self.name, by=name)

    def expected(self) -> Registers:
        """Downloads have the content that was uploaded last."""
        return Registers("the objects", self.name)

    def listed(self) -> Members:
        """Listings have every object, once, as it was uploaded."""
        return Members("the listing", self._members)

    # -- single objects ------------------------------------------------------
    def writing(self, key: str, body: bytes) -> AbstractContextManager[dict[str, Any]]:
        """Record whatever gives an object its content.

        What the server tells of it goes in here, as boto has it; ``refused``, if it does.
        """
        return self._changing([key], "add", body)

    @contextmanager
    def _changing(
        self, keys: Sequence[str], action: str, body: bytes | None
    ) -> Iterator[dict[str, Any]]:
        """A change of objects, and of the listing."""
        writes = [self._invoke(self.name, "write", key, body) for key in keys]
        members = [self._invoke(self._members, action, key) for key in keys]
        told: dict[str, Any] = {}
        try:
            yield told
        except BaseException as error:
            certain = isinstance(error, ClientError) and 400 <= status_of(error) < 500
            for op in (*writes, *members):
                self._history.answered(op, "fail" if certain else "unknown", error=repr(error))
            raise
        refused = told.get("refused", "")
        for op in writes:
            self._history.answered(op, "fail" if refused else "ok", error=refused)
        added = ... if body is None else _member(len(body), told.get("ETag"))
        for op in members:
            self._history.answered(op, "fail" if refused else "ok", value=added, error=refused)

    def _invoke(self, space: str, action: str, key: str, value: Any = ...) -> int:
        return self._history.invoke(
            action, client=self._by, space=space, key=key, value=value
        )  # fmt: skip

    def put(self, key: str, body: bytes, **more: Any) -> Told:
        """Upload an object in one request; ``more``: as boto has it."""
        with self.writing(key, body) as told:
            told |= self.client.put_object(Bucket=self.name, Key=key, Body=body, **more)
        return told

    def also(self, key: str, body: bytes) -> None:
        """Record that a content has a further name, such as that of a version."""
        self._history.answered(self._invoke(self.name, "write", key, body), "ok")

    def reading(self, key: str) -> AbstractContextManager[Answer]:
        """Record whatever downloads an object."""
        return self._history.doing("read", client=self._by, space=self.name, key=key)

    def get(self, key: str, **more: Any) -> bytes | None:
        """Download an object; None: it is not there."""
        with self._history.doing("read", client=self._by, space=self.name, key=key) as answer:
            body: bytes | None = None
            try:
                found = self.client.get_object(Bucket=self.name, Key=key, **more)
                body = found["Body"].read()
            except ClientError as error:
                if not missing(error):
                    raise
            answer.value = body
        return body

    def head(self, key: str) -> Told | None:
        """What a server tells of an object; None: it is not there."""
        try:
            told: Told = self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if not missing(error):
                raise
            return None
        return told

    def deleting(self, key: str) -> AbstractContextManager[dict[str, Any]]:
        """Record whatever takes an object away."""
        return self._changing([key], "remove", None)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete one object, or several in one request."""
        with self._changing(keys, "remove", None):
            if len(keys) == 1:
                self.client.delete_object(Bucket=self.name, Key=keys[0])
                return
            told = self.client.delete_objects(
                Bucket=self.name, Delete={"Objects": [{"Key": key} for key in keys]}
            )
            if wrong := told.get("Errors"):
                raise AssertionError(f"{len(wrong)} were not deleted, the first: {wrong[0]}")

    def listing(self, *, page: int = AT_ONCE, part: bool = False, **more: Any) -> Listing:
        """List it, page by page; a whole listing is recorded as one.

        Args:
            page: entries in a page, at most.
            part: it is not a whole listing, and is not recorded.
            more: as boto has it.
        """
        if part:
            return self._list(page, [], more)
        with self._history.listing(client=self._by, space=self._members) as seen:
            return self._list(page, seen, more)

    def _list(self, page: int, seen: list[tuple[str, Content]], more: Mapping[str, Any]) -> Listing:
        """List it; key, and size with entity tag, of each object go into ``seen``."""
        found = Listing()
        asked = {"Bucket": self.name, "MaxKeys": page, **more}
        while True:
            told = self.client.list_objects_v2(**asked)
            entries = told.get("Contents", ())
            prefixes = [one["Prefix"] for one in told.get("CommonPrefixes", ())]
            seen += [(one["Key"], _member(one["Size"], one.get("ETag"))) for one in entries]
            found.prefixes.extend(prefixes)
            found.pages.append(len(entries) + len(prefixes))
            if not told.get("IsTruncated"):
                break
            asked["ContinuationToken"] = told["NextContinuationToken"]
        found.keys.extend(key for key, _ in seen)
        return found


def _member(size: int, tag: str | None) -> str:
    """An object in a listing."""
    return f"{size} bytes, {tag}"
