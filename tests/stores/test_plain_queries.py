"""The plain evaluation of queries: each kind by hand, and what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from stackproof.errors import Trouble
from stackproof.services.opensearch.plain import fits, ordered

KINDS = {"title": "text", "state": "keyword", "n": "integer", "at": "date", "tags": "keyword"}
ONE: dict[str, Any] = {
    "title": "Red shoes, and blue",
    "state": "Paid in part",
    "n": 5,
    "at": "2026-01-01T00:30:00+01:00",
    "tags": ["new", "sale"],
    "note": None,
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"match_all": {}}, True),
        ({"match_none": {}}, False),
        ({"match": {"title": "SHOES hat"}}, True),
        ({"match": {"title": {"query": "shoes hat", "operator": "and"}}}, False),
        ({"match": {"title": {"query": "blue RED", "operator": "AND"}}}, True),
        ({"match": {"title": ""}}, False),
        ({"match": {"state": "paid in part"}}, False),
        ({"match": {"state": "Paid in part"}}, True),
        ({"match": {"missing": "x"}}, False),
        ({"match_phrase": {"title": "shoes and"}}, True),
        ({"match_phrase": {"title": "shoes blue"}}, False),
        ({"match_phrase": {"title": "blue more"}}, False),
        ({"term": {"title": "Red"}}, False),
        ({"term": {"title": "red"}}, True),
        ({"term": {"title": "red shoes"}}, False),
        ({"term": {"state": "Paid in part"}}, True),
        ({"term": {"state": {"value": "Paid"}}}, False),
        ({"term": {"n": 5.0}}, True),
        ({"term": {"tags": "sale"}}, True),
        ({"terms": {"tags": ["gift", "new"]}}, True),
        ({"terms": {"tags": []}}, False),
        ({"range": {"n": {"gte": 5, "lt": 6}}}, True),
        ({"range": {"n": {"gt": 5}}}, False),
        ({"range": {"n": {"lte": 4}}}, False),
        ({"range": {"at": {"lt": "2026-01-01T00:00:00+00:00"}}}, True),
        ({"range": {"at": {"gt": "2025-12-31T23:30:00+00:00"}}}, False),
        ({"exists": {"field": "tags"}}, True),
        ({"exists": {"field": "note"}}, False),
        ({"ids": {"values": ["1", "2"]}}, True),
        ({"ids": {"values": ["2"]}}, False),
        ({"prefix": {"state": "Pa"}}, True),
        ({"prefix": {"title": "sho"}}, True),
        ({"prefix": {"title": "Sho"}}, False),
        ({"wildcard": {"state": "P*p?rt"}}, True),
        ({"wildcard": {"state": "[P]*"}}, False),
        ({"bool": {}}, True),
        ({"bool": {"must": {"term": {"n": 5}}, "must_not": [{"term": {"n": 6}}]}}, True),
        ({"bool": {"must": [{"term": {"n": 5}}], "must_not": {"term": {"n": 5}}}}, False),
        ({"bool": {"filter": [{"term": {"n": 5}}, {"term": {"n": 6}}]}}, False),
        ({"bool": {"should": [{"term": {"n": 6}}]}}, False),
        ({"bool": {"must": [{"match_all": {}}], "should": [{"term": {"n": 6}}]}}, True),
        ({"bool": {"must": [{"match_all": {}}], "should": [{"term": {"n": 6}}],
                   "minimum_should_match": 1}}, False),
        ({"bool": {"should": [{"term": {"n": 5}}, {"term": {"n": 6}}],
                   "minimum_should_match": 2}}, False),
    ],
)  # fmt: skip
def test_a_query_fits_or_not(query: dict[str, Any], found: bool) -> None:
    assert fits(query, "1", ONE, KINDS) is found


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"fuzzy": {"title": "rd"}},
        {"match": {"title": {"query": "x", "fuzziness": 1}}},
        {"range": {"n": {"from": 1}}},
        {"bool": {"mustnot": []}},
        {"match": {"title": "x", "state": "y"}},
    ],
)
def test_what_it_does_not_know_is_refused(query: dict[str, Any]) -> None:
    with pytest.raises(Trouble, match="does not know"):
        fits(query, "1", ONE, KINDS)


def test_documents_are_ordered_and_who_lacks_the_field_is_last() -> None:
    those = {"a": {"n": 2, "state": "x"}, "b": {"n": 10, "state": "x"}, "c": {"state": "w"}}
    assert ordered(those, [("n", False)], KINDS) == ["a", "b", "c"]
    assert ordered(those, [("n", True)], KINDS) == ["b", "a", "c"]
    assert ordered(those, [("state", False), ("n", True)], KINDS) == ["c", "b", "a"]
