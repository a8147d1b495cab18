"""What the steps of the vocabulary do: put things into named places, and demand what is there.

Every demand has a time. *Within* it, what is demanded must come true; *for* it, it must hold each
time that one looks, and once more at its end, when the server itself has told what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from stackproof.errors import Passing, Trouble, explained, step_missing
from stackproof.matching import (
    Fields,
    NotJson,
    Reader,
    Seen,
    as_json,
    as_text,
    compare,
    differences,
    nearest,
    put,
    read_json,
    remembered,
    rows,
    told,
)
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.places import Inbox, Letter, Outlet, Place, Rows, Value
from stackproof.session.places import NamedPlaces
from stackproof.texts import counted
from stackproof.vocabulary import Span

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession
    from stackproof.systems.inputs.single import ValidInputs

T = TypeVar("T")
_WHOLE_WITHIN = 15.0
#: These tell of a system that publishes, writes or deletes there, too.
_OTHERS = frozenset({"unexpected", "never-written", "lost", "expired-early"})


class _Told:
    """A problem whose words cost something: they are found when somebody wants to read them."""

    def __init__(self, words: Callable[[], str]):
        self._words = words

    def __str__(self) -> str:
        return self._words()


class _Judged:
    """Messages that have come, each looked at once."""

    def __init__(self, fields: Fields):
        self._fields = fields
        self.seen: list[Seen] = []
        self.fitting: list[Seen] = []

    def take(self, seen: Sequence[Seen]) -> list[Seen]:
        """All that there are now; those of them that are as they must be."""
        new = seen[len(self.seen) :]
        self.seen += new
        self.fitting += [one for one in new if not self._fields.differences(one)]
        return self.fitting


class Asking:
    """One scenario's named places and remembered values.

    Args:
        session: the scenario.
        feature: the file of the feature; names of files begin beside it.
    """

    def __init__(self, session: ScenarioSession, feature: str):
        self._session = session
        self._places = session.use(NamedPlaces)
        self.reader = Reader(
            f"{session.seed} {session.id}", Path(feature).parent,
            lambda name: self._valid.document(name),
            lambda name, value: session.parameters.update({name: as_text(value)}),
        )  # fmt: skip
        self._left_aside: dict[int, int] = {}
        self._last: tuple[str, Fields] | None = None

    @cached_property
    def _valid(self) -> ValidInputs:
        """Makes valid inputs; loaded when one is asked for."""
        from stackproof.systems.inputs.single import ValidInputs

        return ValidInputs(self._session.settings.systems, self._session.seed)

    def _find(self, words: str, kind: Any, doing: str) -> Any:
        return self._places.find(self.reader.given(words), kind, doing)

    # -- messages ------------------------------------------------------------
    def _inbox(self, words: str) -> Inbox:
        found: Inbox = self._find(words, Inbox, "receive messages")
        return found

    def publish(
        self,
        words: str,
        content: str | bytes | None,
        *,
        key: str | None = None,
        headers: Iterable[Sequence[str]] = (),
    ) -> None:
        """Publish one message.

        Args:
            words: where.
            content: a text with braces to be filled in, bytes as they are, or None: a message
                without content.
            key: None: it has none.
            headers: pairs of a name and what it is.
        """
        # As it reads: what the key remembers, the content may use, and headers both.
        chosen = None if key is None else self.reader.given(key).encode()
        if isinstance(content, str):
            content = self.reader.given_document(content).encode()
        given = {name: self.reader.given(value) for name, value in headers}
        outlet: Outlet = self._find(words, Outlet, "be published to")
        outlet.publish(Letter(content, chosen, given))

    def publish_file(self, words: str, name: str, *, key: str | None = None) -> None:
        """Publish what stands in a file, byte for byte.

        Raises:
            Trouble: it cannot be read.
        """
        self.publish(words, self.reader.bytes_of(name), key=key)

    def publish_valid(self, words: str, name: str, table: Any, *, key: str | None = None) -> None:
        """Publish a valid input, but for the fields in a table.

        Args:
            words: where.
            name: what its contract is called.
            table: fields and what each is; None: none is changed.
            key: None: it has none.
        """
        document = self._valid.document(name)
        for row in table or ():
            document = put(row["field"], document, self.reader.given_cell(row["is"], may_lack=True))
        self.publish(words, as_json(document).encode(), key=key)

    def _seen(self, place: Inbox, letters: Sequence[Letter]) -> list[Seen]:
        return [
            Seen(one.body, _text(one.key), one.headers, one.where, one.lane)
            for one in letters[self._left_aside.get(id(place), 0) :]
        ]

    def leave_aside(self, words: str) -> None:
        """From now on only what comes later counts."""
        place = self._inbox(words)
        self._left_aside[id(place)] = len(place.look_whole(self._session.scaled(_WHOLE_WITHIN)))

    def receives(self, words: str, fields: Fields, span: Span) -> None:
        """A message of which all fields are as they must be."""
        place = self._inbox(words)
        judged = _Judged(fields)

        def problem(letters: Sequence[Letter]) -> object:
            fitting = judged.take(self._seen(place, letters))
            return "" if fitting else _Told(lambda: nearest(fields, judged.seen))

        self._demand(place, problem, span, f"{words} to receive a message where {fields}")
        fields.remember(judged.fitting[0], self.reader.remember)
        self._last = words, fields

    def receives_none(self, words: str, fields: Fields, span: Span, *, but: int = 0) -> None:
        """No message of which all fields are so; all that came since the scenario began count.

        Args:
            words: where.
            fields: what it must not be.
            span: for how long; "no such message within 5 seconds" means no other thing.
            but: so many of them may be there.
        """
        place = self._inbox(words)
        judged = _Judged(fields)

        def problem(letters: Sequence[Letter]) -> str:
            found = judged.take(self._seen(place, letters))
            if len(found) <= but:
                return ""
            return "\n  ".join([f"{counted(len(found), 'such message')}:", *map(str, found)])

        such = f"no such message: {fields}" if not but else f"no other message where {fields}"
        throughout = Span(span.seconds, throughout=True)
        self._demand(place, problem, throughout, f"{words} to receive {such}")

    def receives_no_other(self, words: str, span: Span) -> None:
        """The message that a step has found before is the only one of its kind."""
        if self._last is None or self._last[0] != words:
            raise step_missing(f"a message that {words} has received",
                               f"{words} receives within 10 seconds a message where")  # fmt: skip
        self.receives_none(words, self._last[1], span, but=1)

    def holds_exactly(
        self, words: str, expected: Sequence[Fields], span: Span, *, ordered: bool
    ) -> None:
        """These messages and no others."""
        place = self._inbox(words)
        pairs: list[tuple[Fields, Seen]] = []

        def problem(letters: Sequence[Letter]) -> str:
            seen = self._seen(place, letters)
            found = compare(expected, seen, ordered=ordered)
            pairs[:] = [(expected[one], seen[other]) for one, other in found.pairs.items()]
            return found.told()

        what = counted(len(expected), "message")
        self._demand(place, problem, span, f"{words} to hold exactly {what}", whole=True)
        for fields, one in pairs:
            fields.remember(one, self.reader.remember)

    # -- rows ----------------------------------------------------------------
    def _rows(self, words: str) -> Rows:
        found: Rows = self._find(words, Rows, "hold rows")
        return found

    def insert(self, words: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
        """Put rows there."""
        made = [dict(zip(columns, map(self.reader.given_cell, row), strict=True)) for row in cells]
        self._rows(words).insert(made)

    def has_exactly(
        self,
        words: str,
        columns: Sequence[str],
        cells: Sequence[Sequence[str]],
        by: Sequence[str],
        span: Span,
    ) -> None:
        """These rows and no others, recognised by some columns."""
        place = self._rows(words)
        if strange := [column for column in by if column not in columns]:
            raise Trouble(f'rows cannot be matched by "{strange[0]}"',
                          f"the table's columns are: {', '.join(columns)}",
                          "name one of them, or several with commas")  # fmt: skip
        read = self.reader.cell
        expected = [
            {column: read(cell, column) for column, cell in zip(columns, row, strict=True)}
            for row in cells
        ]
        pairs: Mapping[int, int] = {}
        there: Sequence[Mapping[str, Any]] = ()

        def problem(found: Sequence[Mapping[str, Any]]) -> str:
            nonlocal pairs, there
            judged = rows(expected, found, by)
            pairs, there = judged.pairs, found
            return judged.told()

        self._demand(place, problem, span,
                     f"{words} to have exactly {counted(len(expected), 'row')}")  # fmt: skip
        for one, other in pairs.items():
            for column, meaning in expected[one].items():
                self._remember(meaning, there[other].get(column))

    def has_row(self, words: str, fields: Fields, span: Span, *, wanted: bool = True) -> None:
        """A row of which all fields are so; or none."""
        place = self._rows(words)
        found: list[Seen] = []

        def problem(there: Sequence[Mapping[str, Any]]) -> str:
            seen = [Seen(None, data=dict(row)) for row in there]
            found[:] = [one for one in seen if not fields.differences(one)]
            if wanted:
                return "" if found else nearest(fields, seen, "row")
            return "\n  ".join([f"{counted(len(found), 'such row')}:", *map(str, found)]) * bool(
                found
            )

        what = f"{words} to have {'a' if wanted else 'no'} row where {fields}"
        self._demand(place, problem, span, what)
        if wanted:
            fields.remember(found[0], self.reader.remember)

    # -- values --------------------------------------------------------------
    def _value(self, words: str) -> Value:
        found: Value = self._find(words, Value, "hold a value")
        return found

    def put(self, words: str, text: str) -> None:
        """Put a value there: a text with braces to be filled in."""
        self._value(words).put(self.reader.given_document(text).encode())

    def holds(self, words: str, text: str, span: Span) -> None:
        """The value is this document, or this text."""
        place = self._value(words)
        meaning = self.reader.document(text)
        found: Any = None

        def problem(there: Any) -> str:
            nonlocal found
            if there is None:
                return "nothing is there"
            found = _readable(there, as_json=not isinstance(meaning, str))
            return "\n  ".join(map(str, differences(meaning, found)))

        self._demand(place, problem, span, f"{words} to hold {told(text.encode())}")
        self._remember(meaning, found)

    def holds_where(self, words: str, fields: Fields, span: Span) -> None:
        """The value's fields are so."""
        place = self._value(words)
        seen = Seen(None)

        def problem(there: Any) -> str:
            nonlocal seen
            if there is None:
                return "nothing is there"
            seen = Seen(there) if isinstance(there, bytes) else Seen(None, data=there)
            return "\n  ".join(map(str, fields.differences(seen)))

        self._demand(place, problem, span, f"{words} to hold a value where {fields}")
        fields.remember(seen, self.reader.remember)

    def is_not_there(self, words: str, span: Span) -> None:
        """Nothing is there."""
        self._demand(
            self._value(words), lambda there: "" if there is None else f"there is {told(there)}",
            span, f"{words} not to be there",
        )  # fmt: skip

    # -- times ---------------------------------------------------------------
    def _demand(
        self,
        place: Any,
        problem: Callable[[Any], object],
        span: Span,
        what: str,
        *,
        whole: bool = False,
    ) -> None:
        """Wait until there is no problem, or see that there is none all the time.

        Args:
            place: where to look.
            problem: what is wrong with what is there, for people; empty: nothing.
            span: the time.
            what: completes "waited for ...".
            whole: only what the server itself calls complete counts.

        Raises:
            AssertionError: there is a problem.
            Died: a system under test has died.
            Trouble: the server cannot be asked; then nothing is said of what it holds.
        """
        seconds = self._session.scaled(span.seconds)
        whole_within = self._session.scaled(_WHOLE_WITHIN)

        def look() -> Any:
            return _look_whole(place, whole_within) if whole else _look(place)

        if span.throughout:
            self._all_the_time(place, look, problem, seconds, what)
        else:
            self._at_last(place, look, problem, seconds, what)
        expected = place.expected()
        if expected is not None:
            self._session.forbid(expected, unless=_OTHERS)

    def _at_last(
        self, place: Any, look: Callable[[], Any], problem: Callable[[Any], object],
        seconds: float, what: str,
    ) -> None:  # fmt: skip
        try:
            poll(
                lambda: problem(_answered(look)), within=seconds, until=lambda told: not told,
                awaiting=what, describe=_as_it_is, retry_on=(Passing,), alive=self._death,
            )  # fmt: skip
        except DeadlineExceeded as late:
            if isinstance(late.seen, Passing):
                raise late.seen from late
            # Where the server does not answer, nothing is said of what has not come.
            _answered(lambda: _look_whole(place, self._session.scaled(_WHOLE_WITHIN)))
            raise

    def _all_the_time(
        self, place: Any, look: Callable[[], Any], problem: Callable[[Any], object],
        seconds: float, what: str,
    ) -> None:  # fmt: skip
        try:
            found = poll(
                lambda: problem(_answered(look)), within=seconds, awaiting=what,
                describe=_as_it_is, alive=self._death,
            )  # fmt: skip
        except DeadlineExceeded:
            found = problem(
                _answered(lambda: _look_whole(place, self._session.scaled(_WHOLE_WITHIN)))
            )
        if found:
            raise AssertionError(f"{what}, for {seconds:g} s\n  but there is: {found}")

    def _death(self) -> str | None:
        """None while every system under test runs that nobody has ended; else which died, how.

        Whatever is awaited will not come then, and that nothing comes proves nothing.
        """
        return next(iter(self._session.history.happened("death")), None)

    def _remember(self, meaning: Any, found: Any) -> None:
        remembered(meaning, found, self.reader.remember)

    # -- tables --------------------------------------------------------------
    def fields(self, table: Any) -> Fields:
        """What a table with the columns "field" and "is" says."""
        if table is None or list(table.headings) != ["field", "is"]:
            raise Trouble("this step needs a table with the columns field and is", "",
                          "e.g. | field | is | and below | $.id | 42 |")  # fmt: skip
        pairs = [(row["field"], row["is"]) for row in table]
        if not pairs:
            raise Trouble("the table below this step names no field",
                          "whatever there is would be so", "name one")  # fmt: skip
        return Fields.read(pairs, self.reader)

    def messages(self, table: Any) -> list[Fields]:
        """What a table with a message in each row says."""
        if table is None:
            raise Trouble("this step needs a table", "there is none below it",
                          "its columns are fields: key, body, header NAME, $.id")  # fmt: skip
        names = list(table.headings)
        return [Fields.read([(name, row[name]) for name in names], self.reader) for row in table]


def _as_it_is(problem: object) -> str:
    """Not before it is printed does it become a text."""
    return cast(str, problem)


def _look(place: Any) -> Any:
    if isinstance(place, Inbox):
        return place.look()
    return place.rows() if isinstance(place, Rows) else place.value()


def _look_whole(place: Place, within: float) -> Any:
    return place.look_whole(within) if isinstance(place, Inbox) else _look(place)


def _answered(look: Callable[[], T]) -> T:
    """What is there; errors of client libraries in words for people."""
    try:
        return look()
    except Exception as error:
        meaning = explained(error)
        if meaning is None or meaning is error:
            raise
        raise meaning from error


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")


def _readable(there: Any, *, as_json: bool) -> Any:
    if not isinstance(there, bytes):
        return there
    if as_json:
        try:
            return read_json(there)
        except NotJson:
            pass
    return there.decode("utf-8", "backslashreplace")
