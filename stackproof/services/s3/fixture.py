"""One scenario's work with its object store: what it uploads, downloads, lists and deletes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from stackproof.errors import ELSEWHERE, NotSupported, step_missing
from stackproof.services.fixture import Scenario
from stackproof.services.s3.bucket import Bucket, Listing
from stackproof.services.s3.client import connect, drop_bucket, make_bucket, status_of
from stackproof.services.vectors import vectors
from stackproof.workloads import ClosedLoop

if TYPE_CHECKING:
    from stackproof.history import Registers

_PATIENCE = 10.0
_MANY_WITHIN = 60.0
#: Headers that are no part of the metadata of one's own, as boto calls them.
_HEADERS = {
    "Content-Type": "ContentType",
    "Cache-Control": "CacheControl",
    "Content-Disposition": "ContentDisposition",
    "Content-Encoding": "ContentEncoding",
    "Content-Language": "ContentLanguage",
}


class ObjectsFixture:
    """A bucket of the scenario's own; it is removed at its end, with all that is in it."""

    def __init__(self, scenario: Scenario, endpoint: str = "s3"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self._uploaded: dict[str, bytes] = {}
        self._contents = 0
        #: What the server told of the last upload.
        self.told: Mapping[str, Any] = {}

    def connect(self, **how: Any) -> Any:
        """A client of boto, closed at the scenario's end; ``how``: see `client.connect`."""
        client = connect(self.endpoint, timeout=self._scenario.scaled(_PATIENCE), **how)
        self._scenario.add_cleanup(client.close)
        return client

    @cached_property
    def bucket(self) -> Bucket:
        """The scenario's bucket, made when it is first asked for."""
        client, name = self.connect(), self._scenario.own("bucket")
        self._scenario.add_cleanup(lambda: drop_bucket(client, name))
        make_bucket(client, name)
        return Bucket(client, self._scenario.history, name)

    # -- contents ------------------------------------------------------------
    def content(self, size: int) -> bytes:
        """So many bytes, others each time."""
        self._contents += 1
        return random.Random(f"{self._scenario.seed} {self._contents}").randbytes(size)

    @property
    def uploaded(self) -> list[str]:
        """Keys of all that was uploaded, in this order; `PremiseNotMet`: nothing was."""
        if not self._uploaded:
            raise step_missing("objects that were uploaded", "20 objects are uploaded")
        return list(self._uploaded)

    def body(self, key: str) -> bytes:
        """What was uploaded last under a key; `PremiseNotMet`: nothing was."""
        if key not in self._uploaded:
            raise step_missing(f'the object "{key}"', f'an object "{key}" of 1000 bytes')
        return self._uploaded[key]

    def took(self, key: str, body: bytes) -> None:
        """Remember what was uploaded in another way."""
        self._uploaded[key] = body

    def upload(self, key: str, size: int, **more: Any) -> None:
        """Upload so many bytes, others each time; ``more``: as boto has it."""
        self._uploaded[key] = self.content(size)
        self.told = self.bucket.put(key, self._uploaded[key], **more)

    def put(self, key: str, body: bytes) -> None:
        """Upload this content in one request."""
        self.took(key, body)
        self.bucket.put(key, body)

    def get(self, key: str) -> bytes | None:
        """Download an object; None: it is not there."""
        return self.bucket.get(key)

    def expected(self) -> Registers:
        """See `Bucket.expected`."""
        return self.bucket.expected()

    def download(self, keys: Iterable[str]) -> Registers:
        """Download these; what is expected of that."""
        for key in keys:
            self.bucket.get(key)
        return self.expected()

    def delete(self, keys: Sequence[str]) -> None:
        """Delete these in one request."""
        self.bucket.delete(keys)

    def traces(self, key: str) -> list[str]:
        """By what a key can still be found; nothing: it is not there."""
        bucket = self.bucket
        found = {
            "it is downloaded": bucket.get(key) is not None,
            "its metadata are told": bucket.head(key) is not None,
            "it is listed": key in bucket.listing().keys,
        }
        return [how for how, there in found.items() if there]

    # -- metadata ------------------------------------------------------------
    def upload_with(self, key: str, metadata: Mapping[str, str]) -> None:
        """Upload an object with headers, and metadata of its own (all others)."""
        own = {name: value for name, value in metadata.items() if name not in _HEADERS}
        headers = {_HEADERS[name]: metadata[name] for name in metadata.keys() & _HEADERS.keys()}
        self.upload(key, 1000, Metadata=own, **headers)

    def copy(self, key: str, to: str) -> None:
        """Have the server copy an object."""
        self._uploaded[to] = body = self.bucket.get(key) or b""
        with self.bucket.writing(to, body) as told:
            source = {"Bucket": self.bucket.name, "Key": key}
            done = self.bucket.client.copy_object(
                Bucket=self.bucket.name, Key=to, CopySource=source
            )
            told |= done["CopyObjectResult"]

    def metadata(self, key: str, names: Iterable[str]) -> dict[str, str | None]:
        """What the server tells of an object by these names; None: nothing."""
        told = self.bucket.head(key) or {}
        own = told.get("Metadata", {})
        return {
            name: told.get(_HEADERS[name]) if name in _HEADERS else own.get(name.lower())
            for name in names
        }

    # -- many ----------------------------------------------------------------
    def each(self, keys: Sequence[str], clients: int, work: Callable[[Bucket, str], Any]) -> None:
        """Do something with each of these keys, by so many clients at once."""
        ClosedLoop(
            lambda number: work(self.bucket.by(f"client of {keys[number]}"), keys[number]),
            clients=clients, count=len(keys), name="clients", owner=self._scenario,
        ).wait(within=self._scenario.scaled(_MANY_WITHIN))  # fmt: skip

    def upload_many(self, count: int, clients: int, size: int = 100) -> None:
        """Upload so many objects by clients at once; their names sort in no order of their own."""
        contents = {f"object-{n * 7919 % 99991:05d}": self.content(size) for n in range(count)}
        self._uploaded |= contents
        self.each(list(contents), clients, lambda bucket, key: bucket.put(key, contents[key]))

    def download_many(self, clients: int) -> Registers:
        """Download all that was uploaded by clients at once; what is expected of that."""
        self.each(self.uploaded, clients, lambda bucket, key: bucket.get(key))
        return self.expected()

    def upload_vectors(self, count: int, dimensions: int) -> None:
        """Store vectors with delicate bit patterns in them, each as an object."""
        self._scenario.parameters["seed"] = str(self._scenario.seed)
        for number, body in enumerate(vectors(count, dimensions, self._scenario.seed)):
            key = f"vectors/{number:05d}.f32"
            self._uploaded[key] = body
            self.bucket.put(key, body)

    def overwrite_while_reading(self, key: str, times: int, readers: int, size: int) -> None:
        """Overwrite an object again and again while others download it."""
        self.upload(key, size)

        def read(number: int) -> None:
            self.bucket.by(f"reading {number}").get(key)

        within = self._scenario.scaled(_PATIENCE)
        with ClosedLoop(read, clients=readers, name="readers", owner=self._scenario) as loop:
            loop.await_more(1, within=within, while_="before the first overwriting", each=True)
            for _ in range(times):
                self.upload(key, size)
            loop.await_more(1, within=within, while_="after the last overwriting", each=True)
        self._scenario.figure("downloads meanwhile", f"{loop.done}")

    # -- listings ------------------------------------------------------------
    def upload_under(self, keys: Iterable[str]) -> None:
        """Upload an object of one byte under each of these keys.

        Raises:
            NotSupported: the server takes none that is called so.
        """
        for key in keys:
            try:
                self.upload(key, 1)
            except ClientError as error:
                if status_of(error) not in (400, 409):
                    raise
                raise NotSupported(
                    f"this server takes no object that is called {key!r}", str(error), ELSEWHERE
                ) from error

    def listing(self, **how: Any) -> Listing:
        """See `Bucket.listing`."""
        return self.bucket.listing(**how)

    def listed_otherwise(self, rows: Iterable[Mapping[str, str]]) -> list[str]:
        """Where parts of the listing are not as rows of a table say (`known.LISTED`).

        Several keys or prefixes are separated by blanks.
        """
        named = {"prefix": "Prefix", "delimiter": "Delimiter", "start after": "StartAfter"}
        wrong = []
        for row in rows:
            asked = {name: row[word] for word, name in named.items() if row.get(word)}
            told = self.bucket.listing(page=int(row.get("page") or 1000), part=True, **asked)
            wanted = row.get("keys", "").split(), row.get("common prefixes", "").split()
            if (told.keys, told.prefixes) != wanted:
                wrong.append(f"{row.get('case') or asked}: keys {told.keys}, common prefixes "
                             f"{told.prefixes}, in pages of {told.pages}")  # fmt: skip
        return wrong
