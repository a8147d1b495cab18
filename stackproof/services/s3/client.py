"""Connections to S3 servers, what their refusals mean, and buckets as they are made and removed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from stackproof.errors import Trouble, answered, explains
from stackproof.services.base import Endpoint
from stackproof.services.s3.known import PASSWORD, REGION, SERVER, USER
from stackproof.urls import path_of

#: As many a request can delete.
AT_ONCE = 1000
_lock = threading.Lock()
#: What a person has in the home directory and in variables is for other programs.
_ALONE = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


@cache
def _session() -> Session:
    return Session(botocore_session=botocore.session.Session(session_vars=_ALONE))


def address_of(endpoint: Endpoint) -> tuple[str, str]:
    """URL and region of a server."""
    address = endpoint.addresses[SERVER]
    scheme = "https" if endpoint.access.tls else "http"
    return f"{scheme}://{address.partition('/')[0]}", path_of(address) or REGION


def key_of(endpoint: Endpoint) -> tuple[str, str]:
    """ID and secret of the access key."""
    return endpoint.access.username or USER, endpoint.access.password or PASSWORD


def connect(
    endpoint: Endpoint,
    *,
    timeout: float = 10.0,
    key: tuple[str, str] | None = None,
    **config: Any,
) -> Any:
    """A client of boto; several threads may use it, requests are sent once.

    Args:
        endpoint: where the server is: ``host:port`` or ``host:port/region``.
        timeout: seconds until a connection, or a silence in an answer, counts as failed.
        key: ID and secret of an access key; None: those of the endpoint.
        config: further settings of `botocore.config.Config`.
    """
    access = endpoint.access
    url, region = address_of(endpoint)
    user, password = key or key_of(endpoint)
    certificate = (access.certificate_file, access.key_file or access.certificate_file)
    settings = Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        # The library would repeat requests: a loss would go unseen.
        retries={"total_max_attempts": 1},
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        # Not every server knows the trailing checksums that boto adds of itself.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        proxies={},  # nor one of the environment
        max_pool_connections=32,
        client_cert=certificate if access.certificate_file else None,
    ).merge(Config(**config))
    with _lock:  # making clients is not for several threads
        return _session().client(
            "s3",
            region_name=region,
            endpoint_url=url,
            verify=access.ca_file or None,
            aws_access_key_id=user,
            aws_secret_access_key=password,
            config=settings,
        )


def code_of(error: BaseException) -> str:
    """What a server calls its refusal, e.g. "NoSuchKey"; empty: it is none."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(
        error, ClientError
    ) else ""  # fmt: skip


def status_of(error: ClientError) -> int:
    """The HTTP status of a refusal."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def missing(error: BaseException) -> bool:
    """Whether a refusal says that an object is not there; HEAD has no room for a name."""
    return code_of(error) in ("NoSuchKey", "404")


# -- buckets -------------------------------------------------------------------
def bucket_names(client: Any, prefix: str) -> list[str]:
    """All buckets whose names begin so."""
    names: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = client.list_buckets(**more)
        names += [one["Name"] for one in page.get("Buckets", ())]
        if not page.get("ContinuationToken"):
            return [name for name in names if name.startswith(prefix)]
        more = {"ContinuationToken": page["ContinuationToken"]}


def make_bucket(client: Any, bucket: str) -> None:
    """Make a bucket of one's own in the client's region; one that is there stays."""
    region = client.meta.region_name
    # The first region must not be named.
    more = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != REGION else {}
    try:
        client.create_bucket(Bucket=bucket, **more)
    except ClientError as error:
        if code_of(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


def drop_bucket(client: Any, bucket: str) -> None:
    """Remove a bucket with all that is in it: versions, markers, uploads that were not ended."""
    try:
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for upload in page.get("Uploads", ()):
                with suppress(ClientError):
                    client.abort_multipart_upload(
                        Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
        for names in _everything(client, bucket):
            delete(client, bucket, names)
        client.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if code_of(error) != "NoSuchBucket":
            raise


def _everything(client: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Keys, with versions where the server has them, a thousand at a time."""
    try:
        pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for page in pages:
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
    except ClientError as error:
        if not isinstance(refusal(error), Trouble) or status_of(error) != 501:
            raise
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            yield [{"Key": one["Key"]} for one in page.get("Contents", ())]


def delete(client: Any, bucket: str, objects: Sequence[Mapping[str, str]]) -> None:
    """Delete objects in one request.

    Raises:
        ClientError: one of them was not deleted.
    """
    if not objects:
        return
    told = client.delete_objects(Bucket=bucket, Delete={"Objects": list(objects), "Quiet": True})
    for one in told.get("Errors", ()):
        raise ClientError({"Error": one, "ResponseMetadata": told["ResponseMetadata"]},
                          "DeleteObjects")  # fmt: skip


# -- keepers -------------------------------------------------------------------
class _Connected:
    """What both have."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._client = connect(endpoint, timeout=timeout)

    def answers(self) -> None:
        """It says which buckets there are."""
        self._client.list_buckets()

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def _put(self, bucket: str, key: str, content: str) -> None:
        self._client.put_object(Bucket=bucket, Key=key, Body=content.encode())

    def _get(self, bucket: str, key: str) -> str | None:
        try:
            found = self._client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if missing(error) or code_of(error) == "NoSuchBucket":
                return None
            raise
        return str(found["Body"].read().decode())


class BucketKeeper(_Connected):
    """See `stackproof.services.keeping.Keeper`; each name is a bucket with one object in it."""

    _KEY = "content"

    def put(self, name: str, content: str) -> None:
        """Make a bucket, and upload the object."""
        make_bucket(self._client, name)
        self._put(name, self._KEY, content)

    def get(self, name: str) -> str | None:
        """Download it."""
        return self._get(name, self._KEY)

    def names(self, prefix: str) -> list[str]:
        """Buckets."""
        return bucket_names(self._client, prefix)

    def drop(self, names: Sequence[str]) -> None:
        """With all that is in them."""
        for name in names:
            drop_bucket(self._client, name)


class ObjectKeeper(_Connected):
    """The same of objects in one bucket, which is made for them and goes with the connection."""

    def __init__(self, endpoint: Endpoint, bucket: str, *, timeout: float):
        super().__init__(endpoint, timeout=timeout)
        self._bucket = bucket
        self._made = False

    def put(self, name: str, content: str) -> None:
        """Upload it."""
        if not self._made:
            make_bucket(self._client, self._bucket)
            self._made = True
        self._put(self._bucket, name, content)

    def get(self, name: str) -> str | None:
        """Download it."""
        return self._get(self._bucket, name)

    def names(self, prefix: str) -> list[str]:
        """Keys."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def drop(self, names: Sequence[str]) -> None:
        """Delete them, a thousand at a time."""
        for first in range(0, len(names), AT_ONCE):
            wanted = [{"Key": name} for name in names[first : first + AT_ONCE]]
            delete(self._client, self._bucket, wanted)

    def close(self) -> None:
        """Remove the bucket, too."""
        if self._made:
            drop_bucket(self._client, self._bucket)
        super().close()


# -- what refusals mean --------------------------------------------------------
_KEYS = "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give that user the rights in "
_BY_CODE = {
    "InvalidAccessKeyId": "forbidden",
    "SignatureDoesNotMatch": "forbidden",
    "AccessDenied": "forbidden",
    "AuthorizationHeaderMalformed": "forbidden",
    "NotImplemented": "lacking",
    "SlowDown": "lost",
    "ServiceUnavailable": "lost",
    "XMinioServerNotInitialized": "lost",
    "RequestTimeout": "lost",
}
_BY_STATUS = {401: "forbidden", 403: "forbidden", 405: "lacking", 501: "lacking", 503: "lost"}


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of boto means, in words for people; None: it is none of boto's."""
    if isinstance(error, HTTPClientError):
        return answered("S3", "lost", str(error))
    if isinstance(error, BotoCoreError):
        return answered("S3", "refused", str(error))
    if not isinstance(error, ClientError):
        return None
    if code_of(error) == "RequestTimeTooSkewed":
        return Trouble("the clocks of this machine and of S3 differ", str(error), "set them right")
    kind = _BY_CODE.get(code_of(error)) or _BY_STATUS.get(status_of(error), "refused")
    return answered("S3", kind, str(error), (_KEYS + "docs/endpoints.md") * (kind == "forbidden"))
