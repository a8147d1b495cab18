"""Tables of a scenario: what its steps put there, and find there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from psycopg2 import sql

from stackproof.matching import read_json
from stackproof.matching.payloads import Exact, as_json
from stackproof.services.fixture import Scenario
from stackproof.services.postgresql.fixture import Database

_CLIENT = "vocabulary"


class Tables:
    """See `stackproof.services.places.Places`."""

    noun: ClassVar[str] = "table"

    def __init__(self, scenario: Scenario):
        self.history = scenario.history
        self.database = scenario.use(Database)

    def names(self) -> Sequence[str]:
        """Tables and views in the scenario's schema."""
        found = self.database.run(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY 1",
            [self.database.schema],
        )
        return [name for (name,) in found]

    def fields(self) -> Mapping[str, str]:
        """A URL of the scenario's own schema."""
        return {"postgresql_url": self.database.url("system", own_schema=True)}

    def find(self, name: str) -> Table | None:
        """The table; made by a step, by a statement or by a system under test."""
        return Table(self, name) if name in self.names() else None


class Table:
    """See `stackproof.services.places.Rows`. The history knows a row by its first column."""

    def __init__(self, tables: Tables, name: str):
        self._tables, self._name = tables, name
        self._space = f"{tables.database.schema}.{name}"

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """In one statement for each row."""
        table = sql.Identifier(self._name)
        for row in rows:
            statement = sql.SQL(
                "INSERT INTO {0} ({1}) VALUES ({2}) RETURNING row_to_json({0})::text"
            ).format(
                table, sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join([sql.Placeholder()] * len(row)),
            )  # fmt: skip
            with self._doing("add", str(next(iter(row.values())))) as answer:
                ((answer.value,),) = self._tables.database.run(
                    statement, [_parameter(value) for value in row.values()]
                )

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """As PostgreSQL writes them in JSON: numbers exactly, times in UTC, others as texts."""
        query = sql.SQL("SELECT row_to_json(t)::text FROM {} t").format(sql.Identifier(self._name))
        with self._tables.history.listing(client=_CLIENT, space=self._space) as found:
            texts = [text for (text,) in self._tables.database.run_in_utc(query)]
            read = [read_json(text) for text in texts]
            found += [
                (str(next(iter(row.values()), "")), text)
                for row, text in zip(read, texts, strict=True)
            ]
        return read

    def _doing(self, action: str, key: str, **more: Any) -> Any:
        return self._tables.history.doing(
            action, client=_CLIENT, space=self._space, key=key, **more
        )

    def expected(self) -> None:
        """Nothing: whoever works with the database may change its rows."""


def _parameter(value: Any) -> Any:
    if isinstance(value, Exact):
        return value.exact
    return as_json(value) if isinstance(value, list | dict) else value


PLACES = Tables
