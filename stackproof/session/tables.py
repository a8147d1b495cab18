"""Reading the tables of features."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from stackproof import values
from stackproof.errors import Trouble
from stackproof.services.kafka.client import TopicSpec
from stackproof.session.scenario import Table


def column(table: Table | None, heading: str) -> list[str]:
    """The cells of one column.

    Raises:
        Trouble: there is no such column, or no table.
    """
    if table is None or heading not in table.headings:
        raise Trouble(f"the step needs a table with a column {heading!r}", "", "add it")
    return [row[heading] for row in table]


def each_deviates(
    table: Table | None, heading: str, find: Callable[[str], Iterable[str]]
) -> list[str]:
    """What ``find`` says of each cell of one column, with the cell in front of it.

    Raises:
        Trouble: there is no such column, or no table.
    """
    return [f"{cell}: {one}" for cell in column(table, heading) for one in find(cell)]


def topic_specs(table: Table | None) -> list[TopicSpec]:
    """Topics from a table with the columns ``topic``, ``partitions`` and any topic settings.

    There may be a column ``replicas``. An empty cell leaves the setting to the broker.

    Raises:
        Trouble: a column is missing or a number is none.
    """
    names, partitions = column(table, "topic"), column(table, "partitions")
    assert table is not None  # it has these columns
    settings = [h for h in table.headings if h not in ("topic", "partitions", "replicas")]
    try:
        return [
            TopicSpec(
                name,
                int(number),
                {h: row[h] for h in settings if row[h]},
                int(row["replicas"]) if "replicas" in table.headings else -1,
            )
            for name, number, row in zip(names, partitions, table, strict=True)
        ]
    except ValueError as error:
        raise Trouble(
            "a number of partitions or replicas is no number", str(error), "correct it"
        ) from error


def rows_of(table: Table | None) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table below a step.

    Raises:
        Trouble: there is no table.
    """
    if table is None:
        raise Trouble("this step needs a table", "there is none below it", "add it")
    headings = list(table.headings)
    return headings, [[row[heading] for heading in headings] for row in table]


def records(table: Table | None, known: Collection[str]) -> list[dict[str, str]]:
    """Each row by its headings.

    Raises:
        Trouble: there is no table, or a heading is not known.
    """
    headings, rows = rows_of(table)
    for heading in headings:
        if heading not in known:
            raise values.unknown_key(heading, known, "the table's headings")
    return [dict(zip(headings, row, strict=True)) for row in rows]
