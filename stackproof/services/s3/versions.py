"""Buckets that keep versions, and rules that end objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from stackproof.errors import NotSupported, step_missing
from stackproof.polling import poll
from stackproof.services.fixture import Scenario
from stackproof.services.s3.client import code_of
from stackproof.services.s3.fixture import ObjectsFixture

#: Long over, and at midnight, as it must be.
_OVER = "2020-01-01T00:00:00Z"


class Versions:
    """The versions of objects in the scenario's bucket."""

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._objects = scenario.use(ObjectsFixture)
        #: By key, oldest first: ID and content; None: a delete marker.
        self._kept: dict[str, list[tuple[str, bytes | None]]] = {}

    @property
    def _of(self) -> dict[str, str]:
        return {"Bucket": self._objects.bucket.name}

    @property
    def _client(self) -> Any:
        return self._objects.bucket.client

    def keep(self, status: str = "Enabled") -> None:
        """Have the bucket keep versions, or keep none further ("Suspended").

        Raises:
            NotSupported: it says afterwards that it does not.
        """
        self._client.put_bucket_versioning(**self._of, VersioningConfiguration={"Status": status})
        said = self._client.get_bucket_versioning(**self._of).get("Status")
        if said != status:
            raise NotSupported("this server keeps no versions", f"of the bucket it says: {said}")

    def upload(self, key: str, times: int, size: int = 1000) -> None:
        """Upload an object again and again."""
        for _ in range(times):
            self._objects.upload(key, size)
            ident, body = self._objects.told.get("VersionId", "null"), self._objects.body(key)
            kept = [one for one in self._kept.get(key, ()) if one[0] != ident]  # "null" is replaced
            self._kept[key] = [*kept, (ident, body)]
            self._objects.bucket.also(f"{key}, version {ident}", body)

    def delete(self, key: str) -> None:
        """Delete an object without naming a version, which leaves a marker."""
        with self._objects.bucket.deleting(key) as told:
            told |= self._client.delete_object(**self._of, Key=key)
        self._kept.setdefault(key, []).append((told.get("VersionId", "null"), None))

    def _version(self, key: str, number: int) -> tuple[str, bytes | None]:
        if len(self._kept.get(key, ())) < number:
            raise step_missing(f'version {number} of "{key}"',
                               f'an object "{key}" is uploaded {number} times')  # fmt: skip
        return self._kept[key][number - 1]

    def remove(self, key: str, number: int) -> None:
        """Delete one version for good; the first one is 1."""
        ident, _ = self._version(key, number)
        self._client.delete_object(**self._of, Key=key, VersionId=ident)
        self._kept[key].remove((ident, _))

    def is_version(self, key: str, number: int) -> bool:
        """Whether a download without a version is that one."""
        _, body = self._version(key, number)
        found = self._client.get_object(**self._of, Key=key)["Body"].read()
        return bool(found == body)

    def otherwise(self, key: str) -> list[str]:
        """Where the versions that are listed differ from those that were made; each is read."""
        wanted = self._kept.get(key, [])
        wrong, latest = [], set()
        for kind, markers in (("Versions", False), ("DeleteMarkers", True)):
            listed = self._listed(key, kind)
            latest |= {one["VersionId"] for one in listed if one["IsLatest"]}
            made = [ident for ident, body in reversed(wanted) if (body is None) == markers]
            if [one["VersionId"] for one in listed] != made:
                wrong.append(f"{kind}, newest first: {[one['VersionId'] for one in listed]} are "
                             f"listed, {made} were made")  # fmt: skip
        if latest != {wanted[-1][0]}:
            wrong.append(f"the latest one is {wanted[-1][0]}, and told as that: {latest}")
        for ident, body in wanted:
            if body is not None:
                with self._objects.bucket.reading(f"{key}, version {ident}") as answer:
                    told = self._client.get_object(**self._of, Key=key, VersionId=ident)
                    answer.value = told["Body"].read()
        return wrong

    def _listed(self, key: str, kind: str) -> list[dict[str, Any]]:
        """In the server's order."""
        pages = self._client.get_paginator("list_object_versions").paginate(**self._of, Prefix=key)
        return [one for page in pages for one in page.get(kind, ()) if one["Key"] == key]

    # -- lifecycle -------------------------------------------------------------
    def set_rules(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Store lifecycle rules: id, prefix, and after how many days what happens."""
        self._client.put_bucket_lifecycle_configuration(
            **self._of, LifecycleConfiguration={"Rules": [_rule(row) for row in rows]}
        )

    def rules_otherwise(self, rows: Iterable[Mapping[str, str]]) -> list[str]:
        """Which rules are stored otherwise than these rows say, or besides them."""
        told = self._client.get_bucket_lifecycle_configuration(**self._of)["Rules"]
        stored = {one["ID"]: one for one in told}
        wanted = {one["ID"]: one for one in map(_rule, rows)}
        return [
            f"{ident}: stored as {stored.get(ident)}, set as {wanted.get(ident)}"
            for ident in sorted(stored.keys() | wanted.keys())
            if stored.get(ident) != wanted.get(ident)
        ]

    def refusal_of(self, rows: Iterable[Mapping[str, str]]) -> str:
        """With what code rules are refused; empty: they are stored."""
        try:
            self.set_rules(rows)
        except ClientError as error:
            return code_of(error)
        return ""

    def expire(self, prefix: str) -> None:
        """A rule by which all objects that begin so are over already."""
        self._client.put_bucket_lifecycle_configuration(
            **self._of, LifecycleConfiguration={"Rules": [{
                "ID": "over", "Status": "Enabled", "Filter": {"Prefix": prefix},
                "Expiration": {"Date": _OVER},
            }]},
        )  # fmt: skip

    def await_expired(self, key: str, within: float) -> None:
        """Wait until an object has expired.

        Raises:
            DeadlineExceeded: it has not; many servers look through their buckets once a day.
        """
        poll(
            lambda: self._objects.bucket.head(key),
            until=lambda told: told is None,
            within=self._scenario.scaled(within),
            awaiting=f'"{key}" to expire',
            describe=lambda told: "it is there",
        )


def _rule(row: Mapping[str, str]) -> dict[str, Any]:
    """As boto has it; an empty cell says nothing."""
    rule: dict[str, Any] = {
        "ID": row["id"],
        "Status": row.get("status") or "Enabled",
        "Filter": {"Prefix": row.get("prefix", "")},
    }
    if days := row.get("expires after days"):
        rule["Expiration"] = {"Days": int(days)}
    if days := row.get("old versions after days"):
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(days)}
    if days := row.get("unfinished uploads after days"):
        rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(days)}
    return rule
