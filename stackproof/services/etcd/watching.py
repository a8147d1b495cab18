"""Watching keys of etcd: all that changes from a revision on, over whichever member serves."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import requests
from etcd3gw.exceptions import Etcd3Exception

from stackproof.errors import Trouble
from stackproof.services.etcd.client import EtcdKeeper, after, base64_of, utf8
from stackproof.workloads import Task

#: Seconds between two attempts to be told of changes again.
_PACE = 0.1


class Change(NamedTuple):
    """A change of one key.

    Attributes:
        key: its name.
        value: that was put; None: it was deleted.
        before: the value that was there before; None: there was none.
    """

    key: str
    value: bytes | None
    before: bytes | None


class Watch:
    """Told of every change of keys that begin so; goes on with another member after a failure.

    The library's own watcher drops what comes in pieces, or together, of one answer.

    Args:
        keeper: how the members are reached; of this watch alone.
        prefix: of the keys.
        revision: the first one that it is to be told of.
        told: gets each change, in the thread of `run`.
    """

    def __init__(
        self, keeper: EtcdKeeper, prefix: str, revision: int, told: Callable[[Change], object]
    ):
        self._keeper = keeper
        self._prefix = prefix
        self._told = told
        self.revision = revision
        #: How often it had to begin again.
        self.resumed = -1

    def run(self, task: Task) -> None:
        """Watch until the task is to end; silence for the keeper's time counts as a failure.

        Raises:
            Trouble: etcd has removed what it was to be told of from its history.
        """
        while not task.stopping:
            self.resumed += 1
            try:
                self._keeper.ask(lambda client: self._follow(task, client))
            except (Etcd3Exception, OSError):
                task.pause(_PACE)

    def _follow(self, task: Task, client: Any) -> None:
        asked = {
            "key": base64_of(utf8(self._prefix)), "range_end": base64_of(after(utf8(self._prefix))),
            "start_revision": self.revision, "prev_kv": True,
        }  # fmt: skip
        with client.session.post(
            client.get_url("/watch"), json={"create_request": asked}, stream=True,
            timeout=client.timeout,
        ) as answer:  # fmt: skip
            for change in self._changes(answer):
                if task.stopping:
                    return
                self._told(change)
        raise Etcd3Exception("the member has ended the watch")

    def _changes(self, answer: requests.Response) -> Iterator[Change]:
        for line in answer.iter_lines(chunk_size=None):
            if not line:
                continue
            result = json.loads(line).get("result")
            if result is None:
                raise Etcd3Exception(line.decode(errors="replace"))
            if begins := result.get("compact_revision"):
                raise Trouble(
                    "etcd has forgotten changes before the watch was told of them",
                    f"it was to go on at revision {self.revision}; what etcd remembers begins at "
                    f"{begins}",
                    "have it keep its history for longer (--auto-compaction-retention)",
                )
            if result.get("canceled"):
                raise Etcd3Exception(str(result.get("cancel_reason") or result))
            events = result.get("events", ())
            for event in events:
                deleted = event.get("type") == "DELETE"
                yield Change(
                    base64.b64decode(event["kv"]["key"]).decode(),
                    None if deleted else base64.b64decode(event["kv"].get("value", "")),
                    base64.b64decode(event["prev_kv"].get("value", ""))
                    if "prev_kv" in event else None,
                )  # fmt: skip
            if events:  # a revision's changes come together: only now the next one is due
                self.revision = int(events[-1]["kv"]["mod_revision"]) + 1
