"""Bulk requests to OpenSearch or Elasticsearch, and what their answers mean."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests

_TIMEOUT = 30.0
_LINES = {"content-type": "application/x-ndjson"}
_EXISTS = ("resource_already_exists_exception", "index_already_exists_exception")
_CONFLICT, _BAD, _MISSING, _TOO_LARGE = 409, 400, 404, 413
#: The disk is full, say: the index takes nothing at the moment, whatever it is.
_BLOCKED = "cluster_block_exception"

log = logging.getLogger(__name__)


class EngineError(Exception):
    """The engine cannot be used as it is set up."""


@dataclass(frozen=True)
class Change:
    """One document to be written or deleted.

    Attributes:
        ident: its ID.
        version: of this change; an older one never replaces a newer one.
        content: None: it is deleted.
    """

    ident: str
    version: int
    content: dict[str, Any] | None

    @property
    def lines(self) -> list[str]:
        """As a bulk request has it."""
        kind = "delete" if self.content is None else "index"
        action = {"_id": self.ident, "version": self.version, "version_type": "external"}
        lines = [json.dumps({kind: action})]
        return lines if self.content is None else [*lines, json.dumps(self.content)]


@dataclass(frozen=True)
class Outcome:
    """What became of one change: "done", "again" or "refused", and why."""

    kind: str
    reason: str = ""


DONE = Outcome("done")


class Engine:
    """One index of a search engine.

    Args:
        url: of the engine, with user and password where it wants them.
        index: its name.
        ca_file: whom to trust by TLS; empty: whom the system trusts.
    """

    def __init__(self, url: str, index: str, ca_file: str = "") -> None:
        self.index = index
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file or True

    def create(self, mapping: dict[str, Any] | None) -> None:
        """Make the index unless it is there.

        Raises:
            EngineError: the engine refuses.
            requests.RequestException: it does not answer.
        """
        settings = {"number_of_replicas": 0, "index.mapping.coerce": False}
        body: dict[str, Any] = {"settings": settings}
        if mapping is not None:
            body["mappings"] = mapping
        answer = self._session.put(f"{self._url}/{self.index}", json=body, timeout=_TIMEOUT)
        if answer.status_code == _BAD and any(name in answer.text for name in _EXISTS):
            return
        if 400 <= answer.status_code < 500 and answer.status_code != 429:
            raise EngineError(f"index {self.index}: {answer.status_code} {answer.text[:300]}")
        answer.raise_for_status()

    def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """Send changes in one request; what became of each, in their order."""
        body = "".join(f"{line}\n" for change in changes for line in change.lines)
        try:
            answer = self._session.post(
                f"{self._url}/{self.index}/_bulk", data=body.encode(), headers=_LINES,
                timeout=_TIMEOUT,
            )  # fmt: skip
            if answer.status_code in (_BAD, _TOO_LARGE):
                return self._halved(changes, f"{answer.status_code} {answer.text[:1000]}")
            answer.raise_for_status()
            items = answer.json()["items"]
        except (requests.RequestException, ValueError) as error:
            return [Outcome("again", str(error))] * len(changes)
        return [outcome(part) for item in items for part in item.values()]

    def _halved(self, changes: Sequence[Change], reason: str) -> list[Outcome]:
        """One that cannot be (an ID that is too long, a document that is too large) fails all."""
        if len(changes) == 1:
            return [Outcome("refused", reason)]
        half = len(changes) // 2
        return [*self.write(changes[:half]), *self.write(changes[half:])]


def outcome(part: dict[str, Any]) -> Outcome:
    """What an item of an answer means; the request as a whole is answered with 200 anyway."""
    status, error = part["status"], part.get("error") or {}
    if status < 300 or status == _CONFLICT:  # a newer version is there already
        return DONE
    if status == _MISSING and not error:  # nothing to delete
        return DONE
    reason = f"{error.get('type')}: {error.get('reason')}"
    if cause := (error.get("caused_by") or {}).get("reason"):
        reason += f" ({cause})"
    if status == _BAD and error.get("type") != _BLOCKED:
        return Outcome("refused", reason)
    return Outcome("again", f"{status} {reason}")
