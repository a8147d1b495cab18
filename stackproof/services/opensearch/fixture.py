"""One scenario's work with a search engine: its indices, what they hold, what searches find."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from stackproof.errors import step_missing
from stackproof.history import Members
from stackproof.polling import poll
from stackproof.services.fixture import Scenario
from stackproof.services.opensearch.client import Indices, Written, fitting
from stackproof.services.opensearch.known import BAD_SEARCHES, FIELDS, NO_INDEX
from stackproof.services.opensearch.plain import fits, ordered

_PATIENCE = 30.0
_AT_ONCE = 500
_TITLES = ("red shoes", "Blue shoes", "a red hat", "shoes, red and blue", "green hat with a band",
           "a band of blue", "Red!")  # fmt: skip
_STATES = ("open", "paid", "Paid in part", "shipped", "cancelled")
_TAGS = ("new", "sale", "gift", "last one")
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

Documents = dict[str, dict[str, Any]]


class SearchFixture:
    """Indices of the scenario's own; they are deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "opensearch"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self.indices = Indices(self.endpoint, timeout=scenario.scaled(_PATIENCE))
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
            with ExitStack() as stack:
                for ident, content in some:
                    self._doing(stack, "add", name, ident, value=_text(content))
                _demand_taken(self.indices.write(self.own(name), some))
            self.held(name).update(some)

    def delete(self, name: str, count: int) -> None:
        """Delete the first ones."""
        held = self.held(name)
        some = list(held)[:count]
        with ExitStack() as stack:
            for ident in some:
                self._doing(stack, "remove", name, ident)
            _demand_taken(self.indices.delete(self.own(name), some))
        for ident in some:
            del held[ident]

    def _doing(self, stack: ExitStack, action: str, name: str, ident: str, **more: Any) -> None:
        """All of one request begin and end together."""
        stack.enter_context(
            self._scenario.history.doing(
                action, client="client", space=self.own(name), key=ident, **more
            )
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

    # -- searches --------------------------------------------------------------
    def wrongly_found(self, name: str, query: Mapping[str, Any]) -> list[str]:
        """How what a query finds, says and counts differs from the documents that it fits."""
        return wrongly_found(self.indices, self.own(name), query, self.held(name), FIELDS)

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


def wrongly_found(
    indices: Indices,
    index: str,
    query: Mapping[str, Any],
    documents: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, str],
) -> list[str]:
    """How what a query finds, says and counts differs from the documents that it fits."""
    wanted = {ident for ident, one in documents.items() if fits(query, ident, one, kinds)}
    page = indices.search(index, {"query": query, "size": 10_000, "track_total_hits": True})
    there, counted = page.ids, indices.count(index, query)
    return [
        *(f"{one} is missing" for one in sorted(wanted - set(there))),
        *(f"{one} does not fit" for one in sorted(set(there) - wanted)),
        *(f"{one} is there {there.count(one)} times"
          for one in sorted(set(there)) if there.count(one) > 1),
        *(f"{ident} is altered: {_text(content)}" for ident, content in page.hits
          if ident in wanted and content != documents[ident]),
        *([f"{page.failed} shards did not answer"] if page.failed else []),
        *([f"it says {page.total} in all where {len(wanted)} fit"]
          if page.total != len(wanted) or not page.exact else []),
        *([f"it counts {counted} where {len(wanted)} fit"] if counted != len(wanted) else []),
    ]  # fmt: skip


def _demand_taken(written: Written) -> None:
    if written.refused:
        ident, (status, reason) = next(iter(written.refused.items()))
        raise AssertionError(
            f"{len(written.refused)} documents were refused, the first {ident}: {status} {reason}"
        )


def _text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True)
