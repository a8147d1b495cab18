"""A real search engine: its probe, what it keeps, how it refuses, what runs leave on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from reference.search_indexer.engine import DONE, Change, Engine
from stackproof.matching.payloads import as_json
from stackproof.services.base import Endpoint, Requirement
from stackproof.services.opensearch.client import Indices, fitting
from stackproof.services.opensearch.server import OpenSearch
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with native(tmp_path_factory.mktemp("opensearch"), time_factor=4) as provider:
        service = OpenSearch()
        provider.obtain(service, lambda _: None)
        cluster = provider.start(
            service, Requirement("opensearch", (), dedicated=True), "opensearch-1"
        )
        yield cluster.endpoint


@pytest.fixture
def indices(endpoint: Endpoint) -> Iterator[Indices]:
    with closing(Indices(endpoint, timeout=60)) as opened:
        yield opened


def test_a_part_that_is_refused_is_told_though_the_request_is_answered_with_200(
    indices: Indices,
) -> None:
    indices.create("refusing", {"count": {"type": "integer"}})
    written = indices.write("refusing", [("1", {"count": 1}), ("2", {"count": "many"})])
    assert list(written.refused) == ["2"]
    status, reason = written.refused["2"]
    assert status == 400
    assert "count" in reason
    assert indices.document("refusing", "1") == {"count": 1}
    assert indices.document("refusing", "2") is None


def test_everything_is_listed_page_by_page_and_figures_are_exact(indices: Indices) -> None:
    indices.create("many", {"raw": {"type": "object", "enabled": False}}, refresh_interval=-1)
    indices.write("many", ((str(n), {"n": n}) for n in range(2500)))
    figures = '{"n": 12345678901234567890, "m": 0.1000000000000000055}'
    indices.put_text("many", "exact", f'{{"raw": {figures}}}')
    assert [*indices.documents("many")] == []  # not yet: nobody has refreshed
    indices.refresh("many")
    found = dict(indices.documents("many"))
    assert len(found) == 2501
    assert as_json(found["exact"]["raw"]) == figures


def test_totals_are_exact_beyond_10000_only_where_asked_for(indices: Indices) -> None:
    indices.create("crowded", {})
    for first in range(0, 12_000, 4000):
        indices.write("crowded", ((str(n), {}) for n in range(first, first + 4000)))
    indices.refresh("crowded")
    capped = indices.search("crowded", {"size": 1})
    assert (capped.total, capped.exact) == (10_000, False)
    whole = indices.search("crowded", {"size": 1, "track_total_hits": True})
    assert (whole.total, whole.exact) == (12_000, True)


def test_what_is_kept_is_listed_and_dropped(indices: Indices) -> None:
    indices.put("left-a", "first")
    indices.put("left-B c", "second")
    assert sorted(indices.names("left-")) == ["left-a", "left-b-c"]
    assert indices.get("left-B c") == "second"
    indices.drop(["left-a", "left-a"])
    assert indices.names("left-") == ["left-b-c"]
    assert indices.get("left-a") is None


def test_an_index_that_is_read_only_refuses_and_is_told(indices: Indices) -> None:
    indices.create("full")
    blocked = {"index.blocks.read_only_allow_delete": True}  # what a full disk leads to
    indices.web.json("PUT", "/full/_settings", json=blocked)
    assert indices.write("full", [("1", {})]).refused["1"][0] in (403, 429)
    with pytest.raises(requests.HTTPError, match="read-only"):
        indices.put_text("full", "1", "{}")


def test_one_message_that_fails_a_whole_request_keeps_no_other_one_out(
    endpoint: Endpoint, indices: Indices
) -> None:
    engine = Engine(f"http://{endpoint.addresses['server']}", "poisoned")
    engine.create(None)
    engine.create(None)  # it may be there already
    keys = ["a", "k" * 513, "b", "", "c"]
    became = engine.write([Change(key, 1, {"n": 1}) for key in keys])
    assert [one.kind for one in became] == ["done", "refused", "done", "refused", "done"]
    assert "no longer than 512 bytes" in became[1].reason
    indices.refresh("poisoned")
    assert sorted(ident for ident, _ in indices.documents("poisoned")) == ["a", "b", "c"]


def test_an_older_change_replaces_no_newer_one(endpoint: Endpoint, indices: Indices) -> None:
    engine = Engine(f"http://{endpoint.addresses['server']}", "versions")
    for version, content in ((5, {"n": 5}), (3, {"n": 3}), (5, {"n": 6})):
        (became,) = engine.write([Change("a", version, content)])
        assert became == DONE
    assert indices.document("versions", "a") == {"n": 5}
    assert engine.write([Change("a", 9, None), Change("a", 7, {"n": 7})]) == [DONE, DONE]
    assert indices.document("versions", "a") is None


def test_runs_are_cleared_by_name(endpoint: Endpoint, indices: Indices) -> None:
    service = OpenSearch()
    indices.create("stackproof-r1-s1-orders")
    left = service.leftovers(endpoint, "stackproof-r1-")
    assert [str(one) for one in left] == ["index stackproof-r1-s1-orders"]
    service.remove(endpoint, left)
    assert service.leftovers(endpoint, "stackproof-r1-") == []


def test_it_tells_its_version(endpoint: Endpoint) -> None:
    assert OpenSearch().version(endpoint).startswith("OpenSearch 2.19")


def test_names_become_such_as_indices_can_have() -> None:
    assert fitting('Orders of "A/B"') == "orders-of--a-b-"
