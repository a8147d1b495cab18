"""Queries of Elasticsearch's language, evaluated plainly over documents, one after the other.

It knows what features use of the language, and refuses the rest: nothing is passed over.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from stackproof.errors import Trouble

Document = Mapping[str, Any]
#: How fields are mapped: "text" is cut into words, everything else is compared as a whole.
Kinds = Mapping[str, str]
_BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


def words(text: object) -> list[str]:
    """The words of a text, as the standard analyser cuts plain ones."""
    return re.findall(r"\w+", str(text).lower())


def fits(query: Mapping[str, Any], ident: str, document: Document, kinds: Kinds) -> bool:
    """Whether a query finds a document.

    Args:
        query: one clause, e.g. ``{"term": {"status": "paid"}}``.
        ident: the document's ID.
        document: its content.
        kinds: how its fields are mapped.

    Raises:
        Trouble: it is no clause that is known here.
    """
    if len(query) != 1:
        raise _unknown(query)
    ((kind, told),) = query.items()
    if kind == "match_all":
        return True
    if kind == "match_none":
        return False
    if kind == "ids":
        return ident in told["values"]
    if kind == "exists":
        return bool(_values(document, told["field"]))
    if kind == "bool":
        return _fits_all(told, ident, document, kinds)
    if kind not in _OF_A_FIELD or len(told) != 1:
        raise _unknown(query)
    ((field, asked),) = told.items()
    values = _values(document, field)
    return any(_OF_A_FIELD[kind](value, asked, kinds.get(field, "keyword")) for value in values)


def _values(document: Document, field: str) -> list[Any]:
    value = document.get(field)
    return [one for one in (value if isinstance(value, list) else [value]) if one is not None]


def _fits_all(told: Mapping[str, Any], ident: str, document: Document, kinds: Kinds) -> bool:
    known = ("must", "filter", "should", "must_not", "minimum_should_match")
    if strange := set(told) - set(known):
        raise _unknown({"bool": sorted(strange)})

    def how_many(part: str) -> tuple[int, int]:
        some = told.get(part, [])
        clauses = some if isinstance(some, list) else [some]
        return sum(fits(one, ident, document, kinds) for one in clauses), len(clauses)

    (must, musts), (filtered, filters) = how_many("must"), how_many("filter")
    (should, shoulds), (not_, _) = how_many("should"), how_many("must_not")
    usual = 1 if shoulds and not musts and not filters else 0
    enough = int(told.get("minimum_should_match", usual))
    return must == musts and filtered == filters and not not_ and should >= enough


def _match(value: Any, asked: Any, kind: str) -> bool:
    options = asked if isinstance(asked, Mapping) else {"query": asked}
    if strange := set(options) - {"query", "operator"}:
        raise _unknown({"match": sorted(strange)})
    if kind != "text":
        return _same(value, options["query"], kind)
    wanted, there = words(options["query"]), set(words(value))
    found = [one in there for one in wanted]
    every = str(options.get("operator", "or")).lower() == "and"
    return bool(wanted) and (all(found) if every else any(found))


def _phrase(value: Any, asked: Any, kind: str) -> bool:
    if kind != "text":
        return _same(value, asked, kind)
    wanted, there = words(asked), words(value)
    length = len(wanted)
    starts = range(len(there) - length + 1)
    return bool(wanted) and any(there[start : start + length] == wanted for start in starts)


def _term(value: Any, asked: Any, kind: str) -> bool:
    wanted = asked["value"] if isinstance(asked, Mapping) else asked
    # A term is not cut into words, and the field's text is.
    return wanted in words(value) if kind == "text" else _same(value, wanted, kind)


def _terms(value: Any, asked: Sequence[Any], kind: str) -> bool:
    return any(_term(value, one, kind) for one in asked)


def _range(value: Any, asked: Mapping[str, Any], kind: str) -> bool:
    if strange := set(asked) - set(_BOUNDS):
        raise _unknown({"range": sorted(strange)})
    return all(
        _BOUNDS[bound](_comparable(value, kind), _comparable(limit, kind))
        for bound, limit in asked.items()
    )


def _prefix(value: Any, asked: str, kind: str) -> bool:
    return any(one.startswith(asked) for one in _terms_of(value, kind))


def _wildcard(value: Any, asked: str, kind: str) -> bool:
    pattern = asked.replace("[", "[[]")  # the language knows * and ? alone
    return any(fnmatch.fnmatchcase(one, pattern) for one in _terms_of(value, kind))


_OF_A_FIELD: Mapping[str, Callable[[Any, Any, str], bool]] = {
    "match": _match, "match_phrase": _phrase, "term": _term, "terms": _terms, "range": _range,
    "prefix": _prefix, "wildcard": _wildcard,
}  # fmt: skip


def _terms_of(value: Any, kind: str) -> list[str]:
    return words(value) if kind == "text" else [str(value)]


def _comparable(value: Any, kind: str) -> Any:
    """What can be compared; dates are moments, whatever their offset."""
    if kind == "date":
        return datetime.fromisoformat(str(value)).timestamp()
    return str(value) if kind in ("keyword", "text") else float(value)


def _same(value: Any, wanted: Any, kind: str) -> bool:
    return bool(_comparable(value, kind) == _comparable(wanted, kind))


def ordered(
    documents: Mapping[str, Document], by: Sequence[tuple[str, bool]], kinds: Kinds
) -> list[str]:
    """The IDs of documents in an order; whoever lacks a field comes last.

    Args:
        documents: content by ID.
        by: fields, each with whether the greatest comes first.
        kinds: how they are mapped.
    """
    idents = sorted(documents)
    for field, falling in reversed(by):
        there = [one for one in idents if _values(documents[one], field)]
        lacking = [one for one in idents if not _values(documents[one], field)]

        def key(ident: str, field: str = field, falling: bool = falling) -> Any:
            found = [_comparable(one, kinds[field]) for one in _values(documents[ident], field)]
            return max(found) if falling else min(found)

        idents = sorted(there, key=key, reverse=falling) + lacking
    return idents


def read_query(text: str) -> dict[str, Any]:
    """A query as features have it, in JSON.

    Raises:
        Trouble: it is none.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Trouble(f"{text} is no query", f"it is no JSON: {error}", "correct it") from None
    if not isinstance(found, dict):
        raise Trouble(f"{text} is no query", "it is no JSON object", "correct it")
    return found


def read_sorting(text: str) -> list[tuple[str, bool]]:
    """Fields, each with whether the greatest comes first: "-total, id"."""
    fields = (field.strip() for field in text.split(","))
    return [(field.removeprefix("-"), field.startswith("-")) for field in fields]


def _unknown(what: object) -> Trouble:
    return Trouble(
        f"the plain evaluation of queries does not know {what}", "",
        "teach it (stackproof/services/opensearch/plain.py), or ask otherwise",
    )  # fmt: skip
