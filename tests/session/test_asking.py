"""Demands with a time: they wait as they say, look once more, and believe no dead server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from behave.model import Table

from stackproof.errors import Passing, PremiseNotMet, Trouble
from stackproof.history import Registers
from stackproof.polling import Died
from stackproof.processes.run import Run
from stackproof.services.places import Letter
from stackproof.session.asking import Asking
from stackproof.session.places import NamedPlaces
from stackproof.session.scenario import ScenarioSession
from stackproof.settings import load
from stackproof.vocabulary import Span

SHORT, LONG = 0.2, 5.0
WITHIN, AT_ONCE, FOR = Span(LONG, False), Span(SHORT, False), Span(SHORT, True)


class Box:
    """A place of whatever noun; what is there is said by functions."""

    def __init__(self, look: Callable[[], Any], whole: Callable[[], Any] | None = None):
        self._look, self._whole = look, whole or look

    def look(self) -> Any:
        return self._look()

    def look_whole(self, within: float) -> Any:
        return self._whole()

    def expected(self) -> None:
        """Nothing."""


class Cupboard:
    """A place that holds rows, or a value."""

    def __init__(self, found: Callable[[], Any]):
        self.rows = self.value = found

    def insert(self, rows: Any) -> None: ...

    def put(self, body: bytes) -> None: ...

    def expected(self) -> None:
        """Nothing."""


class Nouns:
    def __init__(self, noun: str, places: dict[str, Any]):
        self.noun, self._places = noun, places

    def find(self, name: str) -> Any:
        return self._places.get(name)

    def names(self) -> Sequence[str]:
        return list(self._places)


@pytest.fixture
def session(tmp_path: Path) -> ScenarioSession:
    return ScenarioSession(
        scenario_id="s001", name="some", settings=load(tmp_path, environment={}), seed=1,
        run=Run("r1a2b3c4d", tmp_path), reports=tmp_path, endpoints={}, call=print,
    )  # fmt: skip


Ask = Callable[..., Asking]


@pytest.fixture
def ask(session: ScenarioSession) -> Ask:
    def asked(place: Any, noun: str = "box", **others: dict[str, Any]) -> Asking:
        places = session.use(NamedPlaces)
        places._found.clear()
        places._by_service = {"a": Nouns(noun, {"orders": place})}  # type: ignore[dict-item]
        for service, (other, some) in zip("bc", others.items(), strict=False):
            places._by_service[service] = Nouns(other.strip("_"), some)  # type: ignore[assignment]
        return session.use(Asking, "some.feature")

    return asked


def letters(*bodies: str | None, lane: str = "") -> list[Letter]:
    return [
        Letter(None if body is None else body.encode(), b"k", where=f"no. {n}", lane=lane)
        for n, body in enumerate(bodies, start=1)
    ]


def later(*bodies: str, after: float) -> Callable[[], list[Letter]]:
    """Messages that come only then."""
    begun = time.monotonic()
    return lambda: letters(*bodies) if time.monotonic() - begun > after else []


def fields(asking: Asking, **wanted: str) -> Any:
    rows = [[f"$.{name}", cell] for name, cell in wanted.items()]
    return asking.fields(Table(["field", "is"], rows=rows))


def test_a_message_that_comes_in_time_is_received_and_remembered(ask: Ask) -> None:
    asking = ask(Box(later('{"id": 7, "by": "Ann"}', after=SHORT)))
    asking.receives('"orders"', fields(asking, id="7", by="{any text as who}"), WITHIN)
    assert asking.reader.recall("who") == "Ann"


def test_what_does_not_come_is_told_with_the_nearest_first(ask: Ask) -> None:
    asking = ask(Box(lambda: letters('{"id": 8, "a": 1}', '{"id": "7", "a": 0}', "no JSON")))
    with pytest.raises(AssertionError) as told:
        asking.receives('"orders"', fields(asking, id="7", a="0"), AT_ONCE)
    text = str(told.value)
    assert 'nearest: no. 2, key k, {"id": "7", "a": 0}' in text
    assert '$.id: expected 7, found "7" (a text: write "7" for that)' in text
    assert text.index("no. 2") < text.index("no. 1") < text.index("no. 3")


def test_a_field_that_finds_several_values_is_told(ask: Ask) -> None:
    asking = ask(Box(lambda: letters('{"items": [{"n": 1}, {"n": 1}]}')))
    wanted = asking.fields(Table(["field", "is"], rows=[["$.items[*].n", "1"]]))
    with pytest.raises(AssertionError, match=r"found 2 values: \[1, 1\]"):
        asking.receives('"orders"', wanted, AT_ONCE)
    asking.receives(
        '"orders"', asking.fields(Table(["field", "is"], rows=[["$..n", "[1, 1]"]])), AT_ONCE
    )


@pytest.mark.parametrize("span", [FOR, AT_ONCE], ids=["for", "within"])
def test_no_such_message_waits_the_whole_time(ask: Ask, span: Span) -> None:
    asking = ask(Box(later('{"id": 7}', after=SHORT / 2)))
    with pytest.raises(AssertionError, match=r"1 such message:\n  no. 1"):
        asking.receives_none('"orders"', fields(asking, id="7"), span)


def test_no_such_message_looks_once_more_at_the_end(ask: Ask) -> None:
    asking = ask(Box(list, lambda: letters('{"id": 7}')))
    with pytest.raises(AssertionError, match="1 such message"):
        asking.receives_none('"orders"', fields(asking, id="7"), FOR)
    asking.receives_none('"orders"', fields(asking, id="8"), FOR)


def test_a_dead_server_is_no_proof_that_nothing_came(ask: Ask) -> None:
    def dead() -> Any:
        raise Passing("the connection is lost")

    asking = ask(Box(list, dead))
    with pytest.raises(Passing, match="is lost"):
        asking.receives_none('"orders"', fields(asking, id="7"), FOR)
    with pytest.raises(Passing, match="is lost"):
        asking.receives('"orders"', fields(asking, id="7"), AT_ONCE)
    asking = ask(Box(dead))
    with pytest.raises(Passing, match="is lost"):
        asking.receives('"orders"', fields(asking, id="7"), AT_ONCE)


def test_a_dead_system_is_no_proof_that_nothing_came(ask: Ask, session: ScenarioSession) -> None:
    asking = ask(Box(list))
    session.history.event("death", "orders-1 ended with exit code 1")
    with pytest.raises(Died, match="orders-1 ended with exit code 1"):
        asking.receives_none('"orders"', fields(asking, id="7"), FOR)
    with pytest.raises(Died, match="orders-1 ended with exit code 1"):
        asking.receives('"orders"', fields(asking, id="7"), WITHIN)


def test_a_server_that_comes_back_in_time_is_asked_again(ask: Ask) -> None:
    answers: list[Any] = [Passing("it restarts"), letters('{"id": 7}')]

    def look() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    asking = ask(Box(look))
    asking.receives('"orders"', fields(asking, id="7"), WITHIN)


def test_a_second_such_message_is_told(ask: Ask) -> None:
    came = letters('{"id": 7}')
    asking = ask(Box(lambda: came))
    with pytest.raises(PremiseNotMet, match="needs a message"):
        asking.receives_no_other('"orders"', FOR)
    asking.receives('"orders"', fields(asking, id="7"), AT_ONCE)
    asking.receives_no_other('"orders"', FOR)
    came += letters('{"id": 7, "again": true}')
    with pytest.raises(AssertionError, match="2 such messages"):
        asking.receives_no_other('"orders"', FOR)


def test_what_was_left_aside_does_not_count(ask: Ask) -> None:
    came = letters('{"id": 7}')
    asking = ask(Box(lambda: came))
    asking.leave_aside('"orders"')
    with pytest.raises(AssertionError, match="no message at all"):
        asking.receives('"orders"', fields(asking, id="7"), AT_ONCE)
    came += letters('{"id": 7}')
    asking.receives('"orders"', fields(asking, id="7"), AT_ONCE)


def exactly(ask: Ask, wanted: Sequence[str], came: list[Letter], *, ordered: bool = True) -> None:
    asking = ask(Box(lambda: came))
    asking.holds_exactly(
        '"orders"', asking.messages(Table(["body"], rows=[[one] for one in wanted])), AT_ONCE,
        ordered=ordered,
    )  # fmt: skip


def test_exactly_these_in_order(ask: Ask) -> None:
    exactly(ask, ["a", "b", "a"], letters("a", "b", "a"))
    exactly(ask, ["a", "b"], letters("b", "a"), ordered=False)
    exactly(ask, [], [])


@pytest.mark.parametrize(
    ("wanted", "came", "told"),
    [
        (["a", "b"], ["a"], "missing: body is \"b\""),
        (["a"], ["a", "b"], "too many: no. 2, key k, b"),
        (["a"], ["a", "a"], r"a second time: no. 2, key k, a\n.*the first: no. 1"),
        (["a", "b"], ["b", "a"], r"out of order: no. 2, key k, a\n.*came after: no. 1, key k, b"),
        (["a", "a", "b"], ["a", "b", "b"], "missing: body is \"a\""),
    ],
)  # fmt: skip
def test_what_is_missing_too_much_or_out_of_order(
    ask: Ask, wanted: list[str], came: list[str], told: str
) -> None:
    with pytest.raises(AssertionError, match=told):
        exactly(ask, wanted, letters(*came))


def test_between_lanes_there_is_no_order(ask: Ask) -> None:
    came = [*letters("b", "d", lane="1"), *letters("a", "c", lane="0")]
    exactly(ask, ["a", "b", "c", "d"], came)
    with pytest.raises(AssertionError, match="out of order"):
        exactly(ask, ["a", "d", "c", "b"], came)


def test_words_that_would_fit_several_are_given_to_each_once(ask: Ask) -> None:
    exactly(ask, ["{any text}", "a"], letters("b", "a"), ordered=False)
    exactly(ask, ["{any text}", "a"], letters("a", "b"), ordered=False)
    exactly(ask, ["{any text}", "a"], [*letters("a", lane="1"), *letters("a", lane="0")])
    with pytest.raises(AssertionError, match="out of order"):
        exactly(ask, ["{any text}", "a"], letters("a", "b"))


ROWS = [{"id": 1, "n": "x"}, {"id": 2, "n": "y"}]


@pytest.mark.parametrize(
    ("cells", "found", "told"),
    [
        ([["1", "x"], ["2", "y"]], ROWS, ""),
        ([["2", "y"], ["1", "x"]], ROWS, ""),
        ([["1", "x"]], ROWS, 'too many: {"id": 2, "n": "y"}'),
        ([["1", "x"], ["2", "y"], ["3", "z"]], ROWS, "missing: the row with id 3"),
        ([["1", "x"], ["2", "z"]], ROWS, "n: expected \"z\", found \"y\""),
        ([['"1"', "x"], ["2", "y"]], ROWS, 'missing: the row with id "1"'),
        ([["1", "x"], ["2", "y"]], [*ROWS, ROWS[1]], 'too many with id 2: {"id": 2, "n": "y"}'),
        ([["1", "x"], ["1", "x"], ["2", "y"]], ROWS, "missing: the row with id 1, no. 2 of these"),
        ([["1", "x"], ["2", "y"], ["2", "z"]], [*ROWS, {"id": 2, "n": "z"}], ""),
        ([["1", "x"], ["2", "z"], ["2", "y"]], [*ROWS, {"id": 2, "n": "z"}], ""),
        ([["1", "x"], ["2", "y"], ["2", "z"]], [*ROWS, ROWS[1]], 'n: expected "z", found "y"'),
        ([["1", "null"], ["2", "y"]], [{"id": 1}, ROWS[1]], "n: expected null, found nothing"),
    ],
)  # fmt: skip
def test_rows_are_matched_by_their_key(
    ask: Ask, cells: list[list[str]], found: list[dict[str, Any]], told: str
) -> None:
    asking = ask(Cupboard(lambda: found))
    if not told:
        asking.has_exactly('"orders"', ["id", "n"], cells, ["id"], AT_ONCE)
        return
    with pytest.raises(AssertionError) as error:
        asking.has_exactly('"orders"', ["id", "n"], cells, ["id"], AT_ONCE)
    assert told in str(error.value)


def test_rows_cannot_be_matched_by_a_column_that_is_not_there(ask: Ask) -> None:
    asking = ask(Cupboard(lambda: ROWS))
    with pytest.raises(Trouble, match='matched by "key"'):
        asking.has_exactly('"orders"', ["id"], [["1"]], ["key"], AT_ONCE)


def test_a_row_or_none(ask: Ask) -> None:
    asking = ask(Cupboard(lambda: ROWS))
    asking.has_row('"orders"', fields(asking, id="2", n="{any text as name}"), AT_ONCE)
    assert asking.reader.recall("name") == "y"
    asking.has_row('"orders"', fields(asking, id="3"), FOR, wanted=False)
    with pytest.raises(AssertionError, match="1 such row"):
        asking.has_row('"orders"', fields(asking, id="2"), FOR, wanted=False)
    with pytest.raises(AssertionError, match="2 rows, none of them so"):
        asking.has_row('"orders"', fields(asking, id="3"), AT_ONCE)


def test_a_value_is_json_or_text_to_the_byte(ask: Ask) -> None:
    there: list[Any] = [b'{"a":1,\n"b":null}']
    asking = ask(Cupboard(lambda: there[0]))
    asking.holds('"orders"', '{"b": null, "a": {any number as n}}', FOR)
    assert asking.reader.recall("n") == 1
    for wrong in ('{"a": 1}', '{"a": 1, "b": null, "c": 2}', '{"a": true, "b": null}', "text"):
        with pytest.raises(AssertionError):
            asking.holds('"orders"', wrong, AT_ONCE)
    there[0] = b"plain  text"
    asking.holds('"orders"', "plain  text", AT_ONCE)
    with pytest.raises(AssertionError):
        asking.holds('"orders"', "plain text", AT_ONCE)
    with pytest.raises(AssertionError, match="there is plain"):
        asking.is_not_there('"orders"', AT_ONCE)
    there[0] = None
    asking.is_not_there('"orders"', FOR)
    with pytest.raises(AssertionError, match="nothing is there"):
        asking.holds('"orders"', "plain text", AT_ONCE)


def test_a_name_that_nobody_has_tells_the_nearest(ask: Ask) -> None:
    asking = ask(Box(list))
    with pytest.raises(Trouble, match=r'called "order"(.|\n)*box "orders"(.|\n)*did you mean'):
        asking.receives('"order"', fields(asking, id="7"), WITHIN)
    with pytest.raises(Trouble, match="called a shelf"):
        asking.receives('the shelf "orders"', fields(asking, id="7"), WITHIN)


def test_a_name_that_several_have_is_asked_for_by_its_noun(ask: Ask) -> None:
    asking = ask(Box(lambda: letters('{"id": 7}')), shelf={"orders": Box(list)})
    with pytest.raises(Trouble, match=r'several: the box, the shelf(.|\n)*the box "orders"'):
        asking.receives('"orders"', fields(asking, id="7"), WITHIN)
    asking.receives('the box "orders"', fields(asking, id="7"), WITHIN)


def test_where_two_services_have_one_noun_the_service_is_named(ask: Ask) -> None:
    asking = ask(Box(lambda: letters('{"id": 7}')), box_={"orders": Box(list)})
    with pytest.raises(Trouble, match=r'the a box, the b box(.|\n)*say which: the a box "orders"'):
        asking.receives('the box "orders"', fields(asking, id="7"), WITHIN)
    asking.receives('the a box "orders"', fields(asking, id="7"), WITHIN)
    asking.receives_none('the b box "orders"', fields(asking, id="7"), FOR)


def test_a_value_that_is_put_twice_is_no_anomaly(session: ScenarioSession) -> None:
    for value in ("x", "y", "x"):
        with session.history.doing("write", client="c", space="keys", key="k", value=value):
            pass
        with session.history.doing("read", client="c", space="keys", key="k") as answer:
            answer.value = value
    session.forbid(Registers("keys", "keys"))
    with session.history.doing("read", client="c", space="other", key="k") as answer:
        answer.value = "z"
    with pytest.raises(AssertionError, match="never-written"):
        session.forbid(Registers("other", "other"))
    session.forbid(Registers("other", "other"), unless=frozenset({"never-written"}))


def test_a_place_that_cannot_do_it_is_told(ask: Ask) -> None:
    asking = ask(Box(list), cupboard={"shirts": Cupboard(lambda: ROWS)})
    with pytest.raises(Trouble, match='the box "orders" cannot be published to'):
        asking.publish('"orders"', "x")
    with pytest.raises(Trouble, match='the cupboard "shirts" cannot receive messages'):
        asking.receives('"shirts"', fields(asking, id="7"), WITHIN)


def test_a_place_is_named_by_a_remembered_value(ask: Ask) -> None:
    asking = ask(Box(lambda: letters('{"id": 7}')))
    asking.reader.remember("where", "orders")
    asking.receives('the box "{where}"', fields(asking, id="7"), WITHIN)


@pytest.mark.parametrize("name", ["id", "$.id[", "header", "$.a b", "Key"])
def test_a_field_that_is_none_is_told(ask: Ask, name: str) -> None:
    with pytest.raises(Trouble, match=r"names no field|no JSONPath"):
        ask(Box(list)).fields(Table(["field", "is"], rows=[[name, "7"]]))


def test_a_table_of_another_shape_is_told(ask: Ask) -> None:
    for table in (None, Table(["name", "value"], rows=[])):
        with pytest.raises(Trouble, match="columns field and is"):
            ask(Box(list)).fields(table)


def test_an_empty_table_demands_nothing_and_is_told(ask: Ask) -> None:
    with pytest.raises(Trouble, match="no field"):
        ask(Box(list)).fields(Table(["field", "is"], rows=[]))


def test_messages_that_come_one_by_one_are_counted_together(ask: Ask) -> None:
    came: list[Letter] = []

    def look() -> list[Letter]:
        came.extend(letters("ab"[len(came)]) if len(came) < 2 else [])
        return came

    asking = ask(Box(look))
    wanted = asking.messages(Table(["body"], rows=[["a"], ["b"]]))
    asking.holds_exactly('"orders"', wanted, WITHIN, ordered=True)
    asking.holds_exactly('"orders"', wanted, FOR, ordered=True)  # what was seen is not used up


def test_names_in_paths(ask: Ask) -> None:
    asking = ask(Box(lambda: letters('{"order-id": 1, "a/b": 2, "x.y": 3, "@t": 4, "\u00e4": 5}')))
    rows = [
        ["$.order-id", "1"],
        ["$['a/b']", "2"],
        ["$['x.y']", "3"],
        ["$.@t", "4"],
        ["$['ä']", "5"],
    ]
    asking.receives('"orders"', asking.fields(Table(["field", "is"], rows=rows)), AT_ONCE)


@pytest.mark.parametrize(
    ("path", "cell", "same"),
    [
        ("$.items[?(@.n == 1)].k", "b", True),  # and not 1.7, which some take for 1
        ("$.items[?(@.n == 1.7)].k", "a", True),
        ("$.items[?(@.n == '1')].k", "c", True),
        ("$.items[?(@.n == true)].k", "d", True),
        ("$.items[?(@.n > 1)].k", "a", True),
        ("$.items[?(@.k == 'x')].n", "{missing}", True),
        ("$.items[?(@.k == 'x')].n", "[]", True),
        ("$.items.k", "{missing}", True),
        ("$.items[0].k[0]", "{missing}", True),
        ("$.items[*].k", '["a", "b", "c"]', False),
        ("$.items[-1].k", "d", True),
    ],
)
def test_filters_compare_kinds_too(ask: Ask, path: str, cell: str, same: bool) -> None:
    items = (
        '[{"n": 1.7, "k": "a"}, {"n": 1, "k": "b"}, {"n": "1", "k": "c"}, {"n": true, "k": "d"}]'
    )
    asking = ask(Box(lambda: letters(f'{{"items": {items}}}')))
    wanted = asking.fields(Table(["field", "is"], rows=[[path, cell]]))
    if same:
        asking.receives('"orders"', wanted, AT_ONCE)
    else:
        asking.receives_none('"orders"', wanted, FOR)


def test_a_remembered_value_is_compared(ask: Ask) -> None:
    asking = ask(Box(lambda: letters('{"id": "8"}')))
    asking.reader.remember("order-id", "7")
    with pytest.raises(AssertionError, match='expected "7", found "8"'):
        asking.receives('"orders"', fields(asking, id="{order-id}"), AT_ONCE)
