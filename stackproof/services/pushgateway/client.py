"""Pushing metrics, and reading what the gateway has, by HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.base import Endpoint
from stackproof.services.exporting import SERVER
from stackproof.services.exposition import Measured, Series, read, text_of
from stackproof.services.web import Web
from stackproof.texts import counted

_TEXT = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
#: Told by the gateway itself of each group.
OF_GATEWAY = ("push_time_seconds", "push_failure_time_seconds")
_KEPT = "stackproof_kept"


class Gateway:
    """Pushes and reads. As a `stackproof.services.keeping.Keeper` its names are jobs."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = 10.0):
        self._web = Web(endpoint.at(SERVER), endpoint.access, timeout=timeout)
        self._timeout = timeout

    def push(self, job: str, metrics: Sequence[Measured], *, replace: bool = True) -> None:
        """Push the metrics of a job.

        Args:
            job: whose they are.
            metrics: all of them.
            replace: it has no others from now on; else others of other names stay.
        """
        method = "PUT" if replace else "POST"
        self._web.ask(method, _path({"job": job}), data=text_of(metrics), headers=_TEXT)

    def delete(self, groups: Sequence[Mapping[str, str]]) -> None:
        """Delete groups, by their labels; returns when they are gone, which is after the answers.

        Raises:
            OSError: they are not.
        """
        for group in groups:
            self._web.ask("DELETE", _path(group))
        try:
            poll(
                self.groups, until=lambda there: not any(group in there for group in groups),
                within=self._timeout, awaiting=f"{counted(len(groups), 'group')} to be deleted",
                describe=lambda there: f"{len(there)} are there",
            )  # fmt: skip
        except DeadlineExceeded as late:
            raise TimeoutError(str(late)) from late

    def groups(self) -> list[dict[str, str]]:
        """The labels of each group."""
        return [group["labels"] for group in self._web.json("GET", "/api/v1/metrics")["data"]]

    def read(self) -> dict[Series, float]:
        """All that Prometheus would scrape of groups."""
        return {
            found: value
            for found, value in read(self._web.ask("GET", "/metrics").text).items()
            if found.name not in OF_GATEWAY and any(name == "job" for name, _ in found.labels)
        }

    # -- as a keeper -----------------------------------------------------------
    def answers(self) -> None:
        """It is ready, and tells what it has."""
        self._web.ask("GET", "/metrics")

    def put(self, name: str, content: str) -> None:
        """Push a group of one gauge, whose label is the content."""
        self.push(name, [Measured(_KEPT, "gauge", {"content": content}, [1])])

    def get(self, name: str) -> str | None:
        """The label."""
        return next((content for job, content in self._kept() if job == name), None)

    def contents(self, prefix: str) -> list[str]:
        """See `stackproof.services.keeping.TellsAll`."""
        return [content for job, content in self._kept() if job.startswith(prefix)]

    def _kept(self) -> Iterator[tuple[str, str]]:
        """Jobs and labels."""
        for found in self.read():
            if found.name == _KEPT:
                labels = dict(found.labels)
                yield labels["job"], labels["content"]

    def names(self, prefix: str) -> list[str]:
        """Jobs, each as often as it has a group."""
        return [g["job"] for g in self.groups() if g["job"].startswith(prefix)]

    def drop(self, names: Sequence[str]) -> None:
        """Delete all groups of these jobs."""
        wanted = set(names)
        self.delete([group for group in self.groups() if group["job"] in wanted])

    def close(self) -> None:
        """Connections of HTTP."""
        self._web.close()


def _path(group: Mapping[str, str]) -> str:
    """Where a group is, whose first label is the job; base64 leaves every character as it is."""
    return "/metrics" + "".join(
        f"/{name}@base64/{_encoded(group[name])}" for name in _sorted(group)
    )


def _sorted(group: Mapping[str, str]) -> list[str]:
    return sorted(group, key=lambda name: name != "job")


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode() or "="
