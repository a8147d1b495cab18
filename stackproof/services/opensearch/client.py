"""Indices and documents by HTTP, as OpenSearch and Elasticsearch have it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from stackproof.matching.payloads import read_json
from stackproof.services.base import Endpoint
from stackproof.services.keeping import KeeperProbe
from stackproof.services.opensearch.known import FILLS_ITSELF, SERVER
from stackproof.services.web import Web, unless

_LINES, _JSON = {"content-type": "application/x-ndjson"}, {"content-type": "application/json"}
#: Documents of one page; servers refuse more than 10,000.
_PAGE = 1000
_KEPT_FOR = "1m"
#: One shard without a copy: a single node has nowhere to put a copy, and would stay yellow.
SETTINGS = {"number_of_shards": 1, "number_of_replicas": 0}


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        total: how many documents it says there are, on all pages.
        exact: whether that is exact, or a lower bound.
        hits: ID and content of each on this page, in their order.
        failed: shards that did not answer: something may be missing.
    """

    total: int
    exact: bool
    hits: Sequence[tuple[str, Mapping[str, Any]]]
    failed: int = 0

    @property
    def ids(self) -> list[str]:
        """The IDs of these documents."""
        return [ident for ident, _ in self.hits]


@dataclass(frozen=True)
class Written:
    """How a request with many documents was answered.

    Attributes:
        refused: status and reason of each that was not written, by its ID.
    """

    refused: Mapping[str, tuple[int, str]] = field(default_factory=dict)


class Indices:
    """Documents in indices. As a `stackproof.services.keeping.Keeper` its names are indices."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = 10.0):
        self.web = Web(endpoint.at(SERVER), endpoint.access, timeout=timeout)

    # -- indices ---------------------------------------------------------------
    def create(self, index: str, fields: Mapping[str, Any] | None = None, **settings: Any) -> None:
        """Make an index.

        Args:
            index: its name.
            fields: how each field is mapped; None: as the server guesses.
            settings: of the index, in addition to `SETTINGS`.
        """
        body: dict[str, Any] = {"settings": {**SETTINGS, **settings}}
        if fields is not None:
            body["mappings"] = {"properties": fields}
        self.web.json("PUT", f"/{index}", json=body)

    def exists(self, index: str) -> bool:
        """Whether there is such an index."""
        return _unless_missing(self.web, "HEAD", f"/{index}") is not None

    def refresh(self, index: str) -> None:
        """Have searches find what was written until now."""
        self.web.json("POST", f"/{index}/_refresh")

    # -- documents -------------------------------------------------------------
    def write(self, index: str, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> Written:
        """Put documents, in one request; who reads by ID finds them at once, searches later."""
        lines: list[Mapping[str, Any]] = []
        for ident, content in documents:
            lines += [{"index": {"_id": ident}}, content]
        return self._bulk(index, lines)

    def put_text(self, index: str, ident: str, text: str) -> None:
        """Put one document that is JSON already; its figures stay as they are written."""
        path = f"/{index}/_doc/{quote(ident, safe='')}"
        self.web.json("PUT", path, data=text.encode(), headers=_JSON)

    def delete(self, index: str, idents: Iterable[str]) -> Written:
        """Delete documents by ID; one that is not there is as good as deleted."""
        return self._bulk(index, [{"delete": {"_id": ident}} for ident in idents])

    def _bulk(self, index: str, lines: Sequence[Mapping[str, Any]]) -> Written:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        answer = self.web.json("POST", f"/{index}/_bulk", data=text.encode(), headers=_LINES)
        # The request as a whole is answered with 200, whatever becomes of its parts.
        parts = [part for item in answer["items"] for part in item.values()]
        return Written(
            {
                part["_id"]: (part["status"], _reason(part["error"]))
                for part in parts
                if "error" in part
            }
        )

    def document(self, index: str, ident: str) -> Mapping[str, Any] | None:
        """A document by its ID, also one that searches do not find yet; None: there is none."""
        found = _unless_missing(self.web, "GET", f"/{index}/_doc/{quote(ident, safe='')}")
        return found["_source"] if found and found.get("found", True) else None

    # -- searches --------------------------------------------------------------
    def search(self, index: str, body: Mapping[str, Any], **parameters: str) -> Found:
        """What a search finds; its body as the server's makers have it."""
        return _found(self.web.json("POST", f"/{index}/_search", json=body, params=parameters))

    def count(self, index: str, query: Mapping[str, Any]) -> int:
        """How many documents a query finds."""
        return int(self.web.json("POST", f"/{index}/_count", json={"query": query})["count"])

    def documents(self, index: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """All that searches find there, as often as they find it.

        A server that knows no scrolling is asked for one page after the other.
        """
        body = {"query": {"match_all": {}}, "sort": ["_doc"], "size": _PAGE}
        asked = {"scroll": _KEPT_FOR}
        answer = self._exactly(f"/{index}/_search", json=body, params=asked)
        scroll, told = "", 0
        try:
            while True:
                scroll = answer.get("_scroll_id") or ""
                page = _found(answer)
                if page.failed:
                    raise ConnectionError(f"{page.failed} shards of {index} did not answer")
                yield from page.hits
                told += len(page.hits)
                if len(page.hits) < _PAGE:
                    break
                if scroll:
                    more = {"scroll": _KEPT_FOR, "scroll_id": scroll}
                    answer = self._exactly("/_search/scroll", json=more)
                else:
                    answer = self._exactly(f"/{index}/_search", json={**body, "from": told})
        finally:
            if scroll:
                self.web.json("DELETE", "/_search/scroll", json={"scroll_id": [scroll]})

    def _exactly(self, path: str, **more: Any) -> Any:
        """An answer in JSON whose figures are not rounded."""
        return read_json(self.web.ask("POST", path, **more).content)

    # -- as a keeper -----------------------------------------------------------
    def answers(self) -> None:
        """It tells how it is."""
        self.web.json("GET", "/_cluster/health")

    def put(self, name: str, content: str) -> None:
        """Make an index with one document in it."""
        index = fitting(name)
        self.create(index, {"content": {"type": "keyword", "index": False, "doc_values": False}})
        self.web.json("PUT", f"/{index}/_doc/1", json={"content": content})

    def get(self, name: str) -> str | None:
        """That document's content."""
        found = self.document(fitting(name), "1")
        return str(found["content"]) if found is not None else None

    def names(self, prefix: str) -> list[str]:
        """Indices."""
        listed = self.web.json("GET", f"/_cat/indices/{fitting(prefix)}*",
                               params={"format": "json", "h": "index"})  # fmt: skip
        return [one["index"] for one in listed]

    def drop(self, names: Sequence[str]) -> None:
        """Delete indices with all that is in them."""
        for name in names:
            _unless_missing(self.web, "DELETE", f"/{fitting(name)}")

    def close(self) -> None:
        """End its connections."""
        self.web.close()


class DocumentsWriter:
    """See `stackproof.services.writer.Writer`; each text is the ID of a document."""

    through = SERVER

    def __init__(self, endpoint: Endpoint, name: str, *, timeout: float):
        self._indices = Indices(endpoint, timeout=timeout)
        self._index = fitting(name)
        self._indices.create(self._index, {})

    def write(self, text: str) -> None:
        """Put a document; what is repeated is the same document."""
        self._indices.web.json("PUT", f"/{self._index}/_doc/{text}", json={"written": text})

    def kept(self) -> list[str]:
        """The IDs of all documents."""
        self._indices.refresh(self._index)
        return [ident for ident, _ in self._indices.documents(self._index)]

    def close(self) -> None:
        """Delete the index."""
        self._indices.drop([self._index])
        self._indices.close()


def fills_itself(endpoint: Endpoint) -> bool:
    """Whether somebody's server makes documents of what topics have, by itself."""
    return f"{SERVER} {FILLS_ITSELF}" in endpoint.addresses


class Searches(Indices):
    """The same of a server that fills its indices itself: it need answer searches alone."""

    def answers(self) -> None:
        """It answers a search in all indices."""
        self.web.json("POST", "/_search", json={"size": 0})


class SearchesProbe(KeeperProbe):
    """Its probe: nothing can be written to it."""

    def healthy(self) -> None:
        """It answers a search."""
        self.answers("")


def fitting(name: str) -> str:
    """A name as indices can have it: lower-case letters, digits, and a few signs."""
    return re.sub(r'[\\/*?"<>| ,#:]', "-", name.lower())


def _found(answer: Mapping[str, Any]) -> Found:
    hits, shards = answer["hits"], answer.get("_shards", {})
    total = hits.get("total", 0)
    if isinstance(total, int):  # as Elasticsearch had it before 7.0
        total = {"value": total, "relation": "eq"}
    return Found(
        total["value"],
        total.get("relation", "eq") == "eq",
        [(str(hit["_id"]), hit.get("_source") or {}) for hit in hits["hits"]],
        int(shards.get("failed", 0)) + int(bool(answer.get("timed_out"))),
    )


def _unless_missing(web: Web, method: str, path: str) -> Any:
    """An answer in JSON, or an empty mapping without one; None: there is no such thing."""
    return unless((404,), lambda: web.json(method, path) or {})


def _reason(error: Any) -> str:
    """What a part of a request with many was refused with, in the server's words."""
    if not isinstance(error, Mapping):
        return str(error)
    cause = error.get("caused_by") or {}
    said = f"{error.get('type', '')}: {error.get('reason', '')}"
    return said + f" ({cause.get('reason')})" * bool(cause.get("reason"))
