"""Indices of a scenario: what its steps put there, and what searches find there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from stackproof.matching.payloads import as_json
from stackproof.services.fixture import Scenario
from stackproof.services.opensearch.client import fitting
from stackproof.services.opensearch.fixture import SearchFixture
from stackproof.services.opensearch.server import OpenSearch

#: The column that names a document's ID.
_ID = "_id"


class IndicesOfScenario:
    """See `stackproof.services.places.Places`."""

    noun: ClassVar[str] = "index"

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._fixture = scenario.use(SearchFixture)

    def names(self) -> Sequence[str]:
        """Those that steps have made."""
        return self._fixture.known()

    def fields(self) -> Mapping[str, str]:
        """Its URL with user and password, whom to trust by TLS, and what indices begin with."""
        endpoint = self._fixture.endpoint
        return {
            "opensearch_url": OpenSearch().url(endpoint),
            "opensearch_ca_file": endpoint.access.ca_file,
            "opensearch_prefix": fitting(self._scenario.own("")),
        }

    def find(self, name: str) -> Index | None:
        """The index; made by a step, or by a system under test."""
        there = name in self.names() or self._fixture.indices.exists(self._fixture.own(name))
        return Index(self._scenario, self._fixture, name) if there else None


class Index:
    """See `stackproof.services.places.Rows`. A row is a document; the column "_id" is its ID."""

    def __init__(self, scenario: Scenario, fixture: SearchFixture, name: str):
        self._scenario, self._fixture = scenario, fixture
        self._own = fixture.own(name)

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put documents; without a column "_id" the first one tells the ID."""
        for row in rows:
            ident = str(row.get(_ID, next(iter(row.values()))))
            content = {column: value for column, value in row.items() if column != _ID}
            text = as_json(content)
            with self._scenario.history.doing(
                "add", client="vocabulary", space=self._own, key=ident, value=text
            ):
                self._fixture.indices.put_text(self._own, ident, text)

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """What searches find: figures as they were put, and "_id" besides."""
        with self._scenario.history.listing(client="vocabulary", space=self._own) as found:
            there = [*self._fixture.indices.documents(self._own)]
            found += [(ident, as_json(dict(content))) for ident, content in there]
        return [{**content, _ID: ident} for ident, content in there]

    def expected(self) -> None:
        """Nothing: whoever works with the server may change what is there."""


PLACES = IndicesOfScenario
