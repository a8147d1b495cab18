"""Conditional requests: what is only done if an object is, or is not, what a client believes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from stackproof.history import Registers
from stackproof.services.fixture import Scenario
from stackproof.services.s3.client import code_of, status_of
from stackproof.services.s3.fixture import ObjectsFixture
from stackproof.workloads import ClosedLoop

#: The condition is not met; or another request was just being done to the object.
_NOT_MET, _CONFLICT = 412, 409
_WITHIN = 60.0
_OTHER_TAG = '"00000000000000000000000000000000"'


class Conditions:
    """Conditional requests to the scenario's bucket."""

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._objects = scenario.use(ObjectsFixture)
        self._created: list[bool] = []

    @property
    def created(self) -> int:
        """How many clients were told that they have created an object."""
        return sum(self._created)

    def expected(self) -> Registers:
        """No write replaces a value that its writer has not seen."""
        return self._objects.expected()

    def _swap(self, by: str, key: str, body: bytes, before: bytes | None, tag: str) -> bool:
        """Upload if the object is still ``before``; whether it was."""
        while (done := self._try(by, key, body, before, tag)) is None:
            pass
        return done

    def _try(
        self, by: str, key: str, body: bytes, before: bytes | None, tag: str
    ) -> bool | None:  # fmt: skip
        """The same; None: the server was busy with another one, and asks to try again."""
        bucket = self._objects.bucket
        condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        with self._scenario.history.doing(
            "compare-and-set", client=by, space=bucket.name, key=key, value=body, expected=before
        ) as answer:
            try:
                bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body, **condition)
            except ClientError as error:
                if status_of(error) not in (_NOT_MET, _CONFLICT):
                    raise
                answer.fail(code_of(error))
                return None if status_of(error) == _CONFLICT else False
        return True

    def create_together(self, key: str, clients: int) -> Registers:
        """Have clients create the same object at once, if it is not there; what is expected."""

        def create(number: int) -> None:
            body = f"created by client {number}".encode()
            self._created.append(self._swap(f"client {number}", key, body, None, ""))

        self._loop(create, clients, clients)
        return self._objects.download([key])

    def _loop(self, work: Callable[[int], None], clients: int, count: int) -> None:
        ClosedLoop(
            work, clients=clients, count=count, name="clients", owner=self._scenario
        ).wait(within=self._scenario.scaled(_WITHIN))  # fmt: skip

    def count_together(self, key: str, clients: int, times: int) -> None:
        """Have clients count in an object: each reads, adds one, and writes if it is unchanged."""
        bucket = self._objects.bucket
        bucket.put(key, b"0 by nobody")

        def add(number: int) -> None:
            by = f"client {number}"
            done = False
            while not done:
                with self._scenario.history.doing(
                    "read", client=by, space=bucket.name, key=key
                ) as answer:
                    told = bucket.client.get_object(Bucket=bucket.name, Key=key)
                    answer.value = before = told["Body"].read()
                body = f"{int(before.split()[0]) + 1} by {by}".encode()
                done = self._swap(by, key, body, before, told["ETag"])

        self._loop(add, clients, clients * times)

    def count(self, key: str) -> int:
        """How far they have come."""
        return int((self._objects.bucket.get(key) or b"-1").split()[0])

    def answers_otherwise(self, key: str, rows: Iterable[Mapping[str, str]]) -> list[str]:
        """Where conditional downloads are not answered as rows say (`known.CONDITIONS`)."""
        told = self._objects.bucket.head(key) or {}
        tag, modified = told["ETag"], told["LastModified"]
        before = modified - timedelta(hours=1)
        asked: Mapping[str, dict[str, Any]] = {
            "If-Match: its tag": {"IfMatch": tag},
            "If-Match: another tag": {"IfMatch": _OTHER_TAG},
            "If-None-Match: its tag": {"IfNoneMatch": tag},
            "If-None-Match: another tag": {"IfNoneMatch": _OTHER_TAG},
            "If-Modified-Since: an hour before it": {"IfModifiedSince": before},
            "If-Modified-Since: its time": {"IfModifiedSince": modified},
            "If-Unmodified-Since: an hour before it": {"IfUnmodifiedSince": before},
            "If-Unmodified-Since: its time": {"IfUnmodifiedSince": modified},
        }
        return [
            f"{row.get('case') or row['condition']}: {found}, not {row['answer']}"
            for row in rows
            if (found := self._answer(key, asked[row["condition"]])) != row["answer"]
        ]

    def _answer(self, key: str, condition: Mapping[str, Any]) -> str:
        """The status of a download, and whether it is whole."""
        bucket = self._objects.bucket
        try:
            body = bucket.client.get_object(Bucket=bucket.name, Key=key, **condition)["Body"].read()
        except ClientError as error:
            return str(status_of(error))
        return "200" if body == self._objects.body(key) else "another content"
