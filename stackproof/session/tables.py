"""Reading the tables of features."""

from __future__ import annotations

from typing import Any

from stackproof.clients.kafka import TopicSpec
from stackproof.errors import Trouble


def topic_specs(table: Any) -> list[TopicSpec]:
    """Topics from a table with the columns ``topic``, ``partitions`` and any topic settings.

    An empty cell leaves the setting to the broker.

    Raises:
        Trouble: a column is missing or a number is none.
    """
    for column in ("topic", "partitions"):
        if table is None or column not in table.headings:
            raise Trouble(f"the table of topics needs a column {column!r}", "", "add it")
    settings = [h for h in table.headings if h not in ("topic", "partitions")]
    try:
        return [
            TopicSpec(
                row["topic"],
                int(row["partitions"]),
                {name: row[name] for name in settings if row[name]},
            )
            for row in table
        ]
    except ValueError as error:
        raise Trouble("a number of partitions is no number", str(error), "correct it") from error
