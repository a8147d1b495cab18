"""One scenario's work with a vector database: its collections, what they hold, what is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from stackproof.errors import explained, step_missing
from stackproof.history import Members
from stackproof.polling import poll
from stackproof.services.fixture import Scenario
from stackproof.services.milvus.client import connect, fitting, make_collection, prepare, rows_of
from stackproof.services.milvus.data import FILTERS, Entity, entities, nearest, of_row
from stackproof.services.milvus.known import COLOUR, INDEXES, KEY, PRICE, VECTOR
from stackproof.texts import counted
from stackproof.workloads import Latencies, at_once

if TYPE_CHECKING:
    from pymilvus import MilvusClient

T = TypeVar("T")
_PATIENCE = 60.0
_AT_ONCE = 1000
#: How many of those that were last changed are looked for.
_LOOKED_FOR = 20
#: Of each client of a crowd that inserts.
_REQUESTS = 3
_ALL = [KEY, VECTOR, COLOUR, PRICE]


@dataclass
class Collection:
    """What a scenario has put into one of its collections.

    Attributes:
        name: as the server knows it.
        dimensions: of its vectors.
        metric: by which they are compared.
        held: what must be in it, by key.
        partitions: where that was put, by key, if not into the one that every collection has.
        last: what was written or deleted by the last step.
        index: kind of its index.
    """

    name: str
    dimensions: int
    metric: str = "L2"
    held: dict[int, Entity] = field(default_factory=dict)
    partitions: dict[int, str] = field(default_factory=dict)
    last: Sequence[Entity] = ()
    index: str = "FLAT"


class VectorsFixture:
    """Collections of the scenario's own, dropped at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "milvus"):
        self._scenario = scenario
        self._endpoint = scenario.endpoint(endpoint)
        self._timeout = scenario.scaled(_PATIENCE)
        self._collections: dict[str, Collection] = {}
        self._changes = 0

    @cached_property
    def client(self) -> MilvusClient:
        """The scenario's connection."""
        client = connect(self._endpoint, timeout=self._timeout)
        self._scenario.add_cleanup(client.close)
        return client

    def visit(self) -> MilvusClient:
        """One more connection, over which the server has answered."""
        guest = connect(self._endpoint, timeout=self._timeout)
        self._scenario.add_cleanup(guest.close)
        guest.list_collections(timeout=self._timeout)
        return guest

    def collection(self, name: str) -> Collection:
        """What was put into a collection; `PremiseNotMet`: no step has made it."""
        if name not in self._collections:
            made = f'a collection "{name}" of vectors with 64 dimensions'
            raise step_missing(f'the collection "{name}"', made)
        return self._collections[name]

    # -- collections -----------------------------------------------------------
    def create(
        self, name: str, dimensions: int, *, metric: str = "L2", loaded: bool = True
    ) -> None:
        """Make a collection; ``loaded``: with an exact index, ready to be searched."""
        own = fitting(self._scenario.own(name))
        client = self.client
        self._scenario.add_cleanup(lambda: client.drop_collection(own, timeout=self._timeout))
        make_collection(client, own, dimensions, timeout=self._timeout)
        self._collections[name] = Collection(own, dimensions, metric)
        if loaded:
            prepare(self.client, own, metric=metric, timeout=self._timeout)

    def is_listed(self, name: str) -> bool:
        """Whether the server lists it."""
        return self.collection(name).name in self.client.list_collections(timeout=self._timeout)

    def described(self, name: str) -> dict[str, str]:
        """Field names, and their types, with the vectors' dimensions."""
        told = self.client.describe_collection(self.collection(name).name, timeout=self._timeout)
        return {
            one["name"]: f"{one['type'].name} {one['params'].get('dim', '')}".strip()
            for one in told["fields"]
        }

    def state(self, name: str) -> str:
        """Whether it is loaded: "Loaded", "NotLoad", ..."""
        told = self.client.get_load_state(self.collection(name).name, timeout=self._timeout)
        return str(told["state"].name)

    def load(self, name: str) -> None:
        """Have it ready to be searched."""
        self.client.load_collection(self.collection(name).name, timeout=self._timeout)

    def release(self, name: str) -> None:
        """Take it out of memory."""
        self.client.release_collection(self.collection(name).name, timeout=self._timeout)

    def drop(self, name: str) -> None:
        """Drop it with all that is in it."""
        self.client.drop_collection(self.collection(name).name, timeout=self._timeout)

    def load_again(self) -> None:
        """Wait until a server that was started again has in memory what was there before."""
        there = self.client.list_collections(timeout=self._timeout)
        for of in self._collections.values():
            if of.name in there:
                self.client.load_collection(of.name, timeout=self._timeout)

    # -- what is written -------------------------------------------------------
    def insert(self, name: str, count: int, *, partition: str = "") -> None:
        """Insert distinct vectors, a thousand in each request."""
        into = self.collection(name)
        first = max(into.held, default=0) + 1
        self._write(self.client.insert, into, range(first, first + count), partition)

    def replace(self, name: str, count: int) -> None:
        """Upsert the first ones, with other vectors and fields."""
        into = self.collection(name)
        self._write(self.client.upsert, into, sorted(into.held)[:count], "")

    def _write(
        self, write: Callable[..., Any], into: Collection, keys: Sequence[int], partition: str
    ) -> None:
        self._changes += 1
        made = entities(keys, into.dimensions, self._scenario.seed + self._changes)
        self._scenario.parameters["seed"] = str(self._scenario.seed)
        for first in range(0, len(made), _AT_ONCE):
            some = made[first : first + _AT_ONCE]
            with self._recording("add", into, some):
                write(into.name, [one.row for one in some], partition_name=partition,
                      timeout=self._timeout)  # fmt: skip
            into.held |= {one.key: one for one in some}
        into.partitions |= dict.fromkeys(keys, partition) if partition else {}
        into.last = made

    def delete(self, name: str, count: int) -> None:
        """Delete the first ones."""
        into = self.collection(name)
        some = [into.held[key] for key in sorted(into.held)[:count]]
        with self._recording("remove", into, some):
            self.client.delete(into.name, ids=[one.key for one in some], timeout=self._timeout)
        into.last = some
        for one in some:
            del into.held[one.key]

    def flush(self, name: str) -> None:
        """Have all that was written until now stored for good."""
        self.client.flush(self.collection(name).name, timeout=self._timeout)

    def _recording(
        self, action: str, into: Collection, some: Sequence[Entity], *, client: str = "client"
    ) -> AbstractContextManager[None]:
        """All of them are one request."""
        contents = {str(one.key): one.content if action == "add" else ... for one in some}
        return self._scenario.history.doing_all(action, contents, client=client, space=into.name)

    # -- what is there ---------------------------------------------------------
    def listed(self, name: str) -> Members:
        """Read everything; what is expected of it: all that was written, at once.

        A collection that is not there any more holds nothing. A key that is there twice is read
        once: `hidden` tells of that.
        """
        of = self.collection(name)
        with self._scenario.history.listing(client="client", space=of.name) as found:
            there = self.client.has_collection(of.name, timeout=self._timeout)
            found += [
                (str(row[KEY]), of_row(row).content)
                for row in (
                    rows_of(self.client, of.name, _ALL, timeout=self._timeout) if there else ()
                )
            ]
        return Members(f'the vectors in "{name}"', of.name)

    def hidden(self, name: str) -> int:
        """How many vectors the server counts that it does not show: their keys are there twice."""
        return self.count(name) - len(self.collection(name).held)

    def count(self, name: str, partition: str = "") -> int:
        """How many the server counts, in one partition if it is named."""
        of = self.collection(name)
        (row,) = self.client.query(
            of.name, output_fields=["count(*)"], consistency_level="Strong",
            partition_names=[partition] if partition else None, timeout=self._timeout,
        )  # fmt: skip
        return int(row["count(*)"])

    def filtered_wrong(self, name: str, text: str) -> list[str]:
        """How a query's rows differ from those of which the filter is true."""
        of = self.collection(name)
        true = FILTERS[text]
        wanted = {one.key: one.content for one in of.held.values() if true(one)}
        found: dict[int, list[str]] = {}
        for row in rows_of(self.client, of.name, _ALL, timeout=self._timeout, filter=text):
            one = of_row(row)
            found.setdefault(one.key, []).append(one.content)
        return [
            *(f"{key} is missing" for key in sorted(wanted.keys() - found.keys())),
            *(f"{key} does not fit" for key in sorted(found.keys() - wanted.keys())),
            *(f"{key} is there {len(found[key])} times" for key in found if len(found[key]) > 1),
            *(f"{key} is altered" for key in wanted.keys() & found.keys()
              if found[key][0] != wanted[key]),
        ]  # fmt: skip

    # -- searching -------------------------------------------------------------
    def index(self, name: str, kind: str) -> None:
        """Replace the index by one of another kind, over all that is there; load it."""
        of = self.collection(name)
        self.drop_index(name)
        self.flush(name)
        prepare(self.client, of.name, kind, of.metric, INDEXES[kind][0], timeout=self._timeout)
        of.index = kind

    def drop_index(self, name: str) -> None:
        """Take the collection out of memory, and drop its index."""
        of = self.collection(name)
        self.client.release_collection(of.name, timeout=self._timeout)
        for old in self.client.list_indexes(of.name):
            self.client.drop_index(of.name, old, timeout=self._timeout)

    def index_told(self, name: str) -> dict[str, str]:
        """What the server says of the index: its kind and metric; empty: there is none."""
        of = self.collection(name)
        indexes = self.client.list_indexes(of.name)
        if not indexes:
            return {}
        (index,) = indexes
        told = self.client.describe_index(of.name, index, timeout=self._timeout)
        return {"index": str(told["index_type"]), "metric": str(told["metric_type"])}

    def search(
        self, of: Collection, queries: Sequence[Any], count: int, text: str = "",
        client: MilvusClient | None = None, *, level: str = "Strong", partition: str = "",
    ) -> list[list[int]]:  # fmt: skip
        """The keys of the nearest ones for each query, nearest first; all in one request."""
        found = (client or self.client).search(
            of.name, data=[*queries], limit=count, filter=text, anns_field=VECTOR,
            search_params={"metric_type": of.metric, "params": INDEXES[of.index][1]},
            partition_names=[partition] if partition else None,
            consistency_level=level, timeout=self._timeout,
        )  # fmt: skip
        return [[int(hit[KEY]) for hit in hits] for hits in found]

    def recall(
        self, name: str, queries: int, count: int, text: str = "", *, partition: str = ""
    ) -> float:
        """Which part of the exact nearest neighbours is found, 0 to 1; in the report as well.

        Args:
            name: of the collection.
            queries: how many, distinct from all that is there.
            count: neighbours of each.
            text: a filter that they must pass.
            partition: where they must be; empty: anywhere.
        """
        of = self.collection(name)
        those = [
            one
            for key, one in of.held.items()
            if (not text or FILTERS[text](one))
            and (not partition or of.partitions.get(key) == partition)
        ]
        among = np.stack([one.vector for one in those])
        keys = np.array([one.key for one in those])
        asked = [one.vector for one in entities(range(queries), of.dimensions, self._scenario.seed)]
        hits = 0
        answers = self.search(of, asked, count, text, partition=partition)
        for query, found in zip(asked, answers, strict=True):
            exact = set(keys[nearest(among, query, count, of.metric)].tolist())
            hits += len(exact & set(found))
        wanted = min(count, len(those)) * queries
        self._scenario.figure(f"recall@{count} of {of.index}", f"{hits / wanted:.4f}")
        return hits / wanted

    def sees_last(self, name: str, level: str, within: float) -> None:
        """Wait until searches see what was last written or deleted; how long, in the report.

        Args:
            name: of the collection; its index is exact.
            level: of consistency, one of `known.LEVELS`.
            within: seconds from the acknowledgement; 0: the first search must see it.

        Raises:
            DeadlineExceeded: they do not.
        """
        of = self.collection(name)
        some = of.last[:_LOOKED_FOR]

        def unseen() -> list[int]:
            found = self.search(of, [one.vector for one in some], 1, level=level)
            return [
                one.key
                for one, keys in zip(some, found, strict=True)
                if (one.key in keys) != (one.key in of.held)
            ]

        began = time.perf_counter()
        poll(
            unseen, until=lambda left: not left, within=self._scenario.scaled(within),
            awaiting=f"searches with {level} consistency to see what was last changed",
            describe=lambda left: f"of {len(some)} vectors, {len(left)} are as before: {left[:5]}",
        )  # fmt: skip
        self._scenario.figure(
            f"acknowledged to searchable, {level}", f"{time.perf_counter() - began:.3f} s"
        )

    # -- partitions ------------------------------------------------------------
    def make_partition(self, name: str, partition: str) -> None:
        """A partition; it is loaded with its collection."""
        of = self.collection(name)
        self.client.create_partition(of.name, partition, timeout=self._timeout)
        self.client.load_partitions(of.name, [partition], timeout=self._timeout)

    def drop_partition(self, name: str, partition: str) -> None:
        """Release and drop a partition."""
        of = self.collection(name)
        some = [one for key, one in of.held.items() if of.partitions.get(key) == partition]
        self.client.release_partitions(of.name, [partition], timeout=self._timeout)
        with self._recording("remove", of, some):
            self.client.drop_partition(of.name, partition, timeout=self._timeout)
        for one in some:
            del of.held[one.key]

    def partitions(self, name: str) -> list[str]:
        """As the server lists them, without the one that every collection has."""
        listed = self.client.list_partitions(self.collection(name).name, timeout=self._timeout)
        return [one for one in listed if one != "_default"]

    # -- errors ----------------------------------------------------------------
    def refused(self, name: str, mistake: str) -> str:
        """Make a mistake, as `MISTAKES` has it; what the server says, or "" if it takes it."""
        try:
            MISTAKES[mistake](self, name)
        except Exception as error:
            if explained(error) is error:
                raise
            return str(error)
        return ""

    # -- figures ---------------------------------------------------------------
    def crowd(self, name: str, clients: int, searches: int, level: str) -> dict[str, Latencies]:
        """Clients search at the same time, each with a connection of its own.

        With Strong consistency a search waits for the server's next tick of time, up to 0.4 s.

        Returns:
            how long each search for the ten nearest took.
        """
        of = self.collection(name)
        queries = entities(range(searches), of.dimensions, self._scenario.seed + 7)

        def work(client: MilvusClient, _: int) -> list[float]:
            took = []
            for query in queries:
                began = time.perf_counter()
                found = self.search(of, [query.vector], 10, client=client, level=level)
                took.append(time.perf_counter() - began)
                if len(found[0]) != min(10, len(of.held)):
                    raise AssertionError(f"{len(found[0])} of 10 neighbours were found")
            return took

        return {"search": Latencies(one for e in self._at_once(clients, work) for one in e)}

    def insert_and_search(self, name: str, clients: int, count: int) -> None:
        """Clients insert at the same time; each searches for what it has inserted.

        Args:
            name: of the collection; its index is exact.
            clients: each with a connection of its own.
            count: vectors that each inserts, in a few requests.

        Raises:
            AssertionError: one has not found what it has inserted.
        """
        into = self.collection(name)
        first = max(into.held, default=0) + 1
        made = entities(range(first, first + clients * count), into.dimensions, self._scenario.seed)
        size = -(-count // _REQUESTS)

        def work(client: MilvusClient, number: int) -> list[int]:
            own, missed = made[number::clients], []
            for begin in range(0, count, size):
                some = own[begin : begin + size]
                with self._recording("add", into, some, client=f"client {number + 1}"):
                    client.insert(into.name, [one.row for one in some], timeout=self._timeout)
                found = self.search(into, [one.vector for one in some], 1, client=client)
                missed += [
                    one.key for one, keys in zip(some, found, strict=True) if keys != [one.key]
                ]
            return missed

        missed = [key for some in self._at_once(clients, work) for key in some]
        into.held |= {one.key: one for one in made}
        if missed:
            raise AssertionError(f"{counted(len(missed), 'vector')} were not found by those who "
                                 f"had inserted them: {missed[:5]}")  # fmt: skip

    def _at_once(self, clients: int, work: Callable[[MilvusClient, int], T]) -> list[T]:
        return at_once(
            clients, lambda: connect(self._endpoint, timeout=self._timeout), work,
            within=self._timeout,
        )  # fmt: skip

    def insert_rate(self, name: str, count: int) -> dict[str, float]:
        """Vectors a second while so many are inserted."""
        began = time.perf_counter()
        self.insert(name, count)
        return {"insertion": count / (time.perf_counter() - began)}


def _wrong_dimension(vectors: VectorsFixture, name: str) -> None:
    of = vectors.collection(name)
    vectors.client.insert(of.name, [entities([1], of.dimensions + 1, 1)[0].row])


def _too_many(vectors: VectorsFixture, name: str) -> None:
    of = vectors.collection(name)
    vectors.search(of, [entities([1], of.dimensions, 1)[0].vector], 20_000)


#: What a client may do wrong, as features say it.
MISTAKES: Mapping[str, Callable[[VectorsFixture, str], Any]] = {
    "a vector of another dimension": _wrong_dimension,
    "a search in a collection that is not there": lambda vectors, name: vectors.client.search(
        f"{vectors.collection(name).name}_missing", data=[[0.0]], limit=1
    ),
    "a filter that cannot be parsed": lambda vectors, name: vectors.client.query(
        vectors.collection(name).name, filter="price >> ??"
    ),
    "a filter on a field that is not there": lambda vectors, name: vectors.client.query(
        vectors.collection(name).name, filter="weight > 1"
    ),
    "a collection that exists with another schema": lambda vectors, name: make_collection(
        vectors.client, vectors.collection(name).name, 7, timeout=20
    ),
    "a partition that is not there": lambda vectors, name: vectors.client.query(
        vectors.collection(name).name, filter="id > 0", partition_names=["missing"]
    ),
    "more neighbours than the server allows": _too_many,
}
