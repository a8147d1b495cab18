"""One scenario's work with a search engine: its indices, what they hold, what searches find."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from types import EllipsisType
from typing import Any

from stackproof.errors import NotSupported, step_missing
from stackproof.history import Members
from stackproof.polling import poll
from stackproof.services.fixture import Scenario
from stackproof.services.opensearch.client import Indices, Written, fills_itself, fitting
from stackproof.services.opensearch.known import BAD_SEARCHES, FIELDS, NO_INDEX, SERVER
from stackproof.services.opensearch.plain import fits, ordered
from stackproof.services.web import unless
from stackproof.workloads import Latencies, at_once

_PATIENCE = 30.0
_AT_ONCE = 500
_TITLES = ("red shoes", "Blue shoes", "a red hat", "shoes, red and blue", "green hat with a band",
           "a band of blue", "Red!")  # fmt: skip
_STATES = ("open", "paid", "Paid in part", "shipped", "cancelled")
_TAGS = ("new", "sale", "gift", "last one")
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

#: What clients ask whose searches are timed.
_ASKED: Sequence[Mapping[str, Any]] = (
    {"match": {"title": "red hat"}},
    {"term": {"status": "paid"}},
    {"match_phrase": {"title": "red shoes"}},
    {"range": {"total": {"gte": 100, "lt": 300}}},
    {"bool": {"must": [{"match": {"title": "blue"}}], "filter": [{"range": {"count": {"lt": 9}}}]}},
)
Whose = Callable[[str, Mapping[str, Any]], str]
Documents = dict[str, dict[str, Any]]


class SearchFixture:
    """Indices of the scenario's own; they are deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "opensearch"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self.indices = Indices(self.endpoint, timeout=scenario.scaled(_PATIENCE))
        self.fills_itself = fills_itself(self.endpoint)
        self._held: dict[str, Documents] = {}
        self._made = random.Random(scenario.seed)
        scenario.add_cleanup(self.indices.close)

    def own(self, name: str) -> str:
        """What an index of the scenario is really called."""
        return fitting(self._scenario.own(name))

    def known(self) -> list[str]:
        """The indices that steps have made, as the scenario calls them."""
        return [*self._held]

    def held(self, name: str) -> Documents:
        """What must be in an index, by ID; `PremiseNotMet`: no step has made it."""
        if name not in self._held:
            raise step_missing(f'the index "{name}"', f'an index "{name}"')
        return self._held[name]

    # -- what is written -------------------------------------------------------
    def create(self, name: str, fields: Mapping[str, Any] | None = None) -> None:
        """Make an index; without ``fields`` of the fields that orders have."""
        if self.fills_itself:
            raise NotSupported(
                f"no index can be made on {self.endpoint.at(SERVER)}",
                "that server fills its indices itself, from topics", "publish to its topics",
            )  # fmt: skip
        own = self.own(name)
        self._scenario.add_cleanup(lambda: self.indices.drop([own]))
        kinds = {field: {"type": kind} for field, kind in FIELDS.items()}
        self.indices.create(own, kinds if fields is None else fields)
        self._held[name] = {}

    def add_orders(self, name: str, count: int) -> None:
        """Put orders there, different ones, each in the words and figures of the seed."""
        held = self.held(name)
        self._scenario.parameters["seed"] = str(self._scenario.seed)
        first = len(held) + 1
        made = (self._order(number) for number in range(first, first + count))
        self.put(name, {order["id"]: order for order in made})

    def replace(self, name: str, count: int) -> None:
        """Put others in the place of the first ones."""
        some = list(self.held(name))[:count]
        self.put(name, {ident: {**self._order(0), "id": ident} for ident in some})

    def _order(self, number: int) -> dict[str, Any]:
        choose = self._made.choice
        order: dict[str, Any] = {
            "id": f"o-{number:05d}", "title": choose(_TITLES), "status": choose(_STATES),
            "count": self._made.randrange(20), "total": self._made.randrange(100_000) / 100,
            "at": (_BEGAN + timedelta(minutes=self._made.randrange(60 * 24 * 60))).isoformat(),
            "tags": self._made.sample(_TAGS, self._made.randrange(3)),
        }  # fmt: skip
        if self._made.random() < 0.5:
            order["note"] = f"{choose(_TITLES)} {choose(_TITLES)}"
        return order

    def put(self, name: str, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Put documents, by ID, several hundred in a request.

        Raises:
            AssertionError: the server has refused some of them.
        """
        items = [(ident, dict(content)) for ident, content in documents.items()]
        for first in range(0, len(items), _AT_ONCE):
            some = items[first : first + _AT_ONCE]
            texts = {ident: _text(content) for ident, content in some}
            with self._doing("add", name, texts):
                _demand_taken(self.indices.write(self.own(name), some))
            self.held(name).update(some)

    def delete(self, name: str, count: int) -> None:
        """Delete the first ones."""
        held = self.held(name)
        some = list(held)[:count]
        with self._doing("remove", name, dict.fromkeys(some, ...)):
            _demand_taken(self.indices.delete(self.own(name), some))
        for ident in some:
            del held[ident]

    def _doing(
        self, action: str, name: str, contents: Mapping[str, str | EllipsisType]
    ) -> AbstractContextManager[None]:
        return self._scenario.history.doing_all(
            action, contents, client="client", space=self.own(name)
        )

    # -- what is there ---------------------------------------------------------
    def listed(self, name: str, *, refreshed: bool = True) -> Members:
        """Read everything that searches find; what is expected of it.

        Args:
            name: of the index.
            refreshed: the index is refreshed before, so that all must be there at once.
        """
        own = self.own(name)
        if refreshed:
            self.indices.refresh(own)
        with self._scenario.history.listing(client="client", space=own) as found:
            found += [(ident, _text(content)) for ident, content in self.indices.documents(own)]
        visible = "at once" if refreshed else "at last"
        return Members(f'the documents in "{name}"', own, visible=visible)

    def await_all(self, name: str, within: float) -> Members:
        """Wait until searches find as many as there must be, without a refresh."""
        wanted = len(self.held(name))
        poll(
            lambda: self.indices.count(self.own(name), {"match_all": {}}),
            until=lambda count: count == wanted, within=self._scenario.scaled(within),
            awaiting=f'{wanted} documents in "{name}"',
        )  # fmt: skip
        return self.listed(name, refreshed=False)

    def adopt(self, name: str) -> str:
        """What the index that a system fills is called, by its topic; it is deleted at the end."""
        index = fitting(name)
        if not self.fills_itself:
            self._scenario.add_cleanup(lambda: self.indices.drop([index]))
        return index

    def everything(
        self, index: str, *, recovers: bool = False
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """All that searches find in an index, by its real name; nothing while it is not there.

        Args:
            index: its name.
            recovers: nothing is found either while the server does not find the index's data yet.
        """
        codes = (404, 503) if recovers else (404,)
        return unless(codes, lambda: [*self.indices.documents(index)]) or []

    def refresh(self, index: str) -> None:
        """Have searches find all that is in an index, by its real name."""
        if not self.fills_itself:
            unless((404,), lambda: self.indices.refresh(index))

    # -- searches --------------------------------------------------------------
    def wrongly_found(self, name: str, query: Mapping[str, Any]) -> list[str]:
        """How what a query finds, says and counts differs from the documents that it fits."""
        return self.wrongly_found_in(self.own(name), query, self.held(name), FIELDS)

    def wrongly_found_in(
        self,
        index: str,
        query: Mapping[str, Any],
        documents: Mapping[str, Mapping[str, Any]],
        kinds: Mapping[str, str],
        *,
        whose: Whose = lambda ident, content: ident,
        but: Sequence[str] = (),
    ) -> list[str]:
        """The same of an index by its real name.

        Args:
            index: its name.
            query: as the engine's makers have it.
            documents: content by whose it is.
            kinds: how fields are mapped.
            whose: tells of a hit's ID and content whose it is.
            but: IDs of documents that do not count.
        """
        asked = query
        if but:
            asked = {"bool": {"must": [query], "must_not": [{"ids": {"values": [*but]}}]}}
        body = {"query": asked, "size": 10_000, "track_total_hits": True}
        page = self.indices.search(index, body)
        counted = page.total if self.fills_itself else self.indices.count(index, asked)
        wanted = {ident for ident, one in documents.items() if fits(query, ident, one, kinds)}
        hits = [(whose(ident, content), content) for ident, content in page.hits]
        there = Counter(ident for ident, _ in hits)
        return [
            *(f"{one} is missing" for one in sorted(wanted - there.keys())),
            *(f"{one} does not fit" for one in sorted(there.keys() - wanted)),
            *(f"{one} is there {times} times" for one, times in sorted(there.items()) if times > 1),
            *(f"{ident} is altered: {_text(content)}" for ident, content in hits
              if ident in wanted and content != documents[ident]),
            *([f"{page.failed} shards did not answer"] if page.failed else []),
            *([f"it says {page.total} in all where {len(wanted)} fit"]
              if page.total != len(wanted) or not page.exact else []),
            *([f"it counts {counted} where {len(wanted)} fit"]
              if counted != len(wanted) else []),
        ]  # fmt: skip

    def hits(self, name: str, query: Mapping[str, Any]) -> list[str]:
        """The IDs that a query finds."""
        return self.indices.search(self.own(name), {"query": query}).ids

    def wrongly_ordered(self, name: str, by: Sequence[tuple[str, bool]], size: int) -> list[str]:
        """How pages of so many documents, one after the other, differ from the plain order.

        Args:
            name: of the index.
            by: fields, each with whether the greatest comes first.
            size: of a page.
        """
        held = self.held(name)
        sort = [{field: "desc" if falling else "asc"} for field, falling in by]
        found: list[str] = []
        while True:
            body = {"sort": sort, "from": len(found), "size": size}
            page = self.indices.search(self.own(name), body)
            found += page.ids
            if len(page.ids) < size:
                break
        wanted = ordered(held, by, FIELDS)
        if found == wanted:
            return []
        place = next((n for n, pair in enumerate(zip(found, wanted, strict=False))
                      if pair[0] != pair[1]), min(len(found), len(wanted)))  # fmt: skip
        return [f"at place {place + 1} of {len(wanted)}: expected {wanted[place : place + 3]}, "
                f"found {found[place : place + 3]}"]  # fmt: skip

    def crowd(self, name: str, clients: int, searches: int) -> dict[str, Latencies]:
        """Clients search at the same time, each with a connection of its own.

        Returns:
            how long each search took.

        Raises:
            AssertionError: a search has not found what it must.
        """
        own, held = self.own(name), self.held(name)
        totals = [sum(fits(q, i, one, FIELDS) for i, one in held.items()) for q in _ASKED]
        within = self._scenario.scaled(_PATIENCE)

        def work(client: Indices, _: int) -> list[float]:
            took = []
            for number in range(searches):
                asked, total = _ASKED[number % len(_ASKED)], totals[number % len(_ASKED)]
                began = time.perf_counter()
                found = client.search(own, {"query": asked, "track_total_hits": True})
                took.append(time.perf_counter() - began)
                if found.total != total:
                    raise AssertionError(f"{asked} found {found.total}, not {total}")
            return took

        done = at_once(clients, lambda: Indices(self.endpoint, timeout=within), work, within=within)
        return {"search": Latencies(one for each in done for one in each)}

    def refused(self, name: str, mistake: str) -> tuple[int, str]:
        """Make a mistake, as `BAD_SEARCHES` has it; status and text of the answer.

        Raises:
            AssertionError: it was answered as if it were none.
        """
        from requests import HTTPError

        index = self.own(f"{name}-missing" if mistake == NO_INDEX else name)
        body = BAD_SEARCHES.get(mistake, "{}")
        try:
            found = self.indices.web.json("POST", f"/{index}/_search", data=body,
                                          headers={"content-type": "application/json"})  # fmt: skip
        except HTTPError as error:
            assert error.response is not None
            return error.response.status_code, error.response.text
        raise AssertionError(f"{mistake} was answered with {_text(found)[:300]}")


def _demand_taken(written: Written) -> None:
    if written.refused:
        ident, (status, reason) = next(iter(written.refused.items()))
        raise AssertionError(
            f"{len(written.refused)} documents were refused, the first {ident}: {status} {reason}"
        )


def _text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True)
