"""The vocabulary: whatever is sent or stored, in named places, always with a time."""

from __future__ import annotations

from behave import given, then, when

from stackproof.errors import Trouble
from stackproof.session.asking import Asking
from stackproof.session.scenario import Context
from stackproof.session.tables import rows_of
from stackproof.vocabulary import Span


def asking(context: Context) -> Asking:
    """The scenario's named places and remembered values."""
    return context.session.use(Asking, context.feature.filename)


def text_of(context: Context) -> str:
    """The doc string below the step."""
    if context.text is None:
        raise Trouble("this step needs a text", "there is none below it", 'put it between """')
    return context.text


def headers(context: Context) -> list[tuple[str, str]]:
    """The table of headers below the step; empty where there is none."""
    if context.table is None:
        return []
    if list(context.table.headings) != ["header", "is"]:
        raise Trouble("the table below this step has other columns than header and is", "",
                      "e.g. | header | is | and below | trace | 42 |")  # fmt: skip
    return [(row["header"], row["is"]) for row in context.table]


# -- values --------------------------------------------------------------------
@given('"{name}" stands for "{value}"')
def stands_for(context: Context, name: str, value: str) -> None:
    """From now on {name} is that value, also one that is generated: "{{any UUID}}"."""
    reader = asking(context).reader
    reader.remember(name, reader.given_cell(value))


# -- messages ------------------------------------------------------------------
@when("this message is published to {place:Place}")
def message_is_published(context: Context, place: str) -> None:
    """Publishes the text below; headers stand in a table below that."""
    asking(context).publish(place, text_of(context), headers=headers(context))


@when('this message is published to {place:Place} with key "{key}"')
def message_is_published_with_key(context: Context, place: str, key: str) -> None:
    """Publishes the text below with a key; headers stand in a table below that."""
    asking(context).publish(place, text_of(context), key=key, headers=headers(context))


@when('a message without content is published to {place:Place} with key "{key}"')
def message_without_content(context: Context, place: str, key: str) -> None:
    """Publishes a key alone: a tombstone, where the topic is compacted."""
    asking(context).publish(place, None, key=key, headers=headers(context))


@when('the file "{file}" is published to {place:Place}')
def file_is_published(context: Context, file: str, place: str) -> None:
    """Publishes a file's content byte for byte; its name begins beside the feature."""
    asking(context).publish_file(place, file)


@when('a valid {name} is published to {place:Place} with key "{key}"')
def valid_is_published(context: Context, name: str, place: str, key: str) -> None:
    """Publishes an input made from its contract; the fields in a table below are as it says."""
    asking(context).publish_valid(place, name, context.table, key=key)


@when("the messages that {place:Place} has received so far are ignored")
def left_aside(context: Context, place: str) -> None:
    """From now on only what comes later counts there."""
    asking(context).leave_aside(place)


@then("{place:Place} receives {span:Span} a message where")
def receives_where(context: Context, place: str, span: Span) -> None:
    """One of the messages since the scenario began has all these fields (field, is)."""
    asked = asking(context)
    asked.receives(place, asked.fields(context.table), span)


@then("{place:Place} receives no such message {span:Span}")
def receives_no_such(context: Context, place: str, span: Span) -> None:
    """None of the messages since the scenario began has all these fields (field, is)."""
    asked = asking(context)
    asked.receives_none(place, asked.fields(context.table), span)


@then("{place:Place} receives no other such message {span:Span}")
def receives_no_other(context: Context, place: str, span: Span) -> None:
    """The message that the step before has found is the only one with those fields."""
    asking(context).receives_no_other(place, span)


@then("{span:Span} {place:Place} holds exactly these messages, in order")
def holds_exactly(context: Context, span: Span, place: str) -> None:
    """A message for each row: nothing is missing, nothing is there twice, in their order."""
    asked = asking(context)
    asked.holds_exactly(place, asked.messages(context.table), span, ordered=True)


@then("{span:Span} {place:Place} holds exactly these messages, in any order")
def holds_exactly_in_any_order(context: Context, span: Span, place: str) -> None:
    """A message for each row: nothing is missing, nothing is there twice."""
    asked = asking(context)
    asked.holds_exactly(place, asked.messages(context.table), span, ordered=False)


# -- rows ----------------------------------------------------------------------
@when("these rows are put into {place:Place}")
@when("these documents are put into {place:Place}")
def rows_are_put(context: Context, place: str) -> None:
    """Puts them one after the other; the columns are those of the table below."""
    headings, cells = rows_of(context.table)
    asking(context).insert(place, headings, cells)


@then('{span:Span} {place:Place} has exactly these rows, matched by "{columns}"')
@then('{span:Span} {place:Place} has exactly these documents, matched by "{columns}"')
def has_exactly_these_rows(context: Context, span: Span, place: str, columns: str) -> None:
    """A row for each below and no other; columns that are not named are not compared."""
    headings, cells = rows_of(context.table)
    by = [column.strip() for column in columns.split(",")]
    asking(context).has_exactly(place, headings, cells, by, span)


@then("{span:Span} {place:Place} has a row where")
@then("{span:Span} {place:Place} has a document where")
def has_a_row(context: Context, span: Span, place: str) -> None:
    """One of the rows has all these fields (field, is)."""
    asked = asking(context)
    asked.has_row(place, asked.fields(context.table), span)


@then("{span:Span} {place:Place} has no row where")
@then("{span:Span} {place:Place} has no document where")
def has_no_row(context: Context, span: Span, place: str) -> None:
    """None of the rows has all these fields (field, is)."""
    asked = asking(context)
    asked.has_row(place, asked.fields(context.table), span, wanted=False)


# -- values in places ----------------------------------------------------------
@when("this value is put into {place:Place}")
def value_is_put(context: Context, place: str) -> None:
    """Stores the text below."""
    asking(context).put(place, text_of(context))


@then("{span:Span} {place:Place} holds")
def holds(context: Context, span: Span, place: str) -> None:
    """The value there is the text below: as JSON where that is JSON, else byte for byte."""
    asking(context).holds(place, text_of(context), span)


@then("{span:Span} {place:Place} holds a value where")
def holds_where(context: Context, span: Span, place: str) -> None:
    """The value there has all these fields (field, is)."""
    asked = asking(context)
    asked.holds_where(place, asked.fields(context.table), span)


@then("{span:Span} {place:Place} is not there")
def is_not_there(context: Context, span: Span, place: str) -> None:
    """Nothing is there; null is something."""
    asking(context).is_not_there(place, span)
