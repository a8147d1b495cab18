"""Large objects: uploads in parts, connections that are cut in the middle, parts of downloads."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from stackproof.access import tls_context
from stackproof.errors import PremiseNotMet, step_missing
from stackproof.services.fixture import Scenario
from stackproof.services.s3.client import code_of, status_of
from stackproof.services.s3.fixture import ObjectsFixture

#: The least that a part may have, but the last one.
PART = 5 * 1024 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Uploads:
    """One upload in parts after the other, of the scenario's bucket."""

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._objects = scenario.use(ObjectsFixture)
        self._key = self._id = self._refusal = ""
        self._parts: dict[int, bytes] = {}
        self._tags: dict[int, str] = {}

    @property
    def _client(self) -> Any:
        return self._objects.bucket.client

    @property
    def _upload(self) -> dict[str, str]:
        if not self._id:
            raise step_missing("an upload that has begun",
                               'an upload of "backup.tar" in 3 parts has begun')  # fmt: skip
        return {"Bucket": self._objects.bucket.name, "Key": self._key, "UploadId": self._id}

    def begin(self, key: str, parts: int, *, size: int = PART) -> None:
        """Begin an upload in so many parts of ``size`` bytes; the last one has one byte more."""
        self._key, self._tags, self._refusal = key, {}, ""
        self._parts = {number: self._objects.content(size) for number in range(1, parts)}
        self._parts[parts] = self._objects.content(size + 1)
        bucket = self._objects.bucket.name
        self._id = self._client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]

    def send(self, numbers: Iterable[int]) -> None:
        """Send these parts, in this order."""
        for number in numbers:
            told = self._client.upload_part(
                **self._upload, PartNumber=number, Body=self._parts[number]
            )
            self._tags[number] = told["ETag"]

    def send_all(self, clients: int) -> None:
        """Send all parts by several clients at once."""
        numbers = sorted(self._parts)
        self._objects.each(
            [str(number) for number in numbers], clients, lambda _, text: self.send([int(text)])
        )

    def send_anew(self, number: int) -> None:
        """Send a part again, with another content."""
        self._parts[number] = self._objects.content(len(self._parts[number]))
        self.send([number])

    def cut(self, number: int) -> None:
        """Send half of a part, and cut the connection.

        Raises:
            PremiseNotMet: the server had an answer before that.
        """
        body = self._parts[number]
        url = self._client.generate_presigned_url(
            "upload_part", {**self._upload, "PartNumber": number}
        )
        send_half(url, body, self._objects)

    def listed(self) -> dict[int, int]:
        """What the server says to have of the upload: sizes by part."""
        told = self._client.list_parts(**self._upload)
        return {part["PartNumber"]: part["Size"] for part in told.get("Parts", ())}

    def resume(self) -> list[int]:
        """Send what the server lacks; the numbers of these parts."""
        there = self._client.list_parts(**self._upload).get("Parts", ())
        self._tags = {part["PartNumber"]: part["ETag"] for part in there}
        left = sorted(self._parts.keys() - self._tags.keys())
        self.send(left)
        return left

    def complete(self, tags: Mapping[int, str] | None = None) -> None:
        """Make an object of all parts; what the server refuses is kept, see `refusal`."""
        chosen = self._tags if tags is None else tags
        parts = [{"PartNumber": n, "ETag": chosen[n]} for n in sorted(chosen)]
        body = b"".join(self._parts[number] for number in sorted(self._parts))
        try:
            with self._objects.bucket.writing(self._key, body) as told:
                told |= self._client.complete_multipart_upload(
                    **self._upload, MultipartUpload={"Parts": parts}
                )
        except ClientError as error:
            if not 400 <= status_of(error) < 500:
                raise
            self._refusal = code_of(error)
            return
        self._objects.took(self._key, body)

    def complete_with_wrong_tag(self) -> None:
        """Name a part's entity tag that it has not."""
        self.complete({**self._tags, 1: '"00000000000000000000000000000000"'})

    def abort(self) -> None:
        """Give the upload up."""
        self._client.abort_multipart_upload(**self._upload)

    @property
    def refusal(self) -> str:
        """With what code the upload was refused; empty: it was not."""
        return self._refusal

    def left(self) -> list[str]:
        """What is left of the upload: itself, its parts, its object."""
        bucket = self._objects.bucket.name
        found = self._objects.traces(self._key)
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
        uploads = [one["UploadId"] for page in pages for one in page.get("Uploads", ())]
        found += ["it is listed as an upload"] * (self._id in uploads)
        with suppress(ClientError):
            found += [f"part {number} is there" for number in self.listed()]
        return found

    # -- parts of downloads ----------------------------------------------------
    def ranges_otherwise(self, key: str, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Where downloads of ranges are not as rows say: range, and the bytes or the refusal.

        Args:
            key: of an object that was uploaded.
            rows: case, range (of the header), answer: "206" or a code.
        """
        body, wrong = self._objects.body(key), []
        for row in rows:
            wanted = row["answer"]
            try:
                told = self._client.get_object(
                    Bucket=self._objects.bucket.name, Key=key, Range=row["range"]
                )
                found = str(told["ResponseMetadata"]["HTTPStatusCode"])
                part = told["Body"].read()
                if found == wanted and part != _part(body, row["range"]):
                    found = f"{found} with {len(part)} other bytes"
            except ClientError as error:
                found = code_of(error)
            if found != wanted:
                wrong.append(f"{row.get('case') or row['range']}: {found}, not {wanted}")
        return wrong


def _part(body: bytes, text: str) -> bytes:
    """The bytes of a range, as RFC 9110 has it."""
    found = _RANGE.fullmatch(text)
    if found is None:
        raise PremiseNotMet(f"{text!r} is no range of bytes", "", "e.g. bytes=0-99")
    first, last = found.groups()
    if not first:
        return body[-int(last) :]
    return body[int(first) : int(last) + 1 if last else None]


def send_half(url: str, body: bytes, objects: ObjectsFixture) -> None:
    """PUT to a presigned URL, and cut the connection after half of the body.

    Raises:
        PremiseNotMet: the server had an answer before that.
    """
    parts, access = urlsplit(url), objects.endpoint.access
    context = tls_context(access) if access.tls else None
    connection = (
        http.client.HTTPSConnection(parts.netloc, context=context)
        if context is not None
        else http.client.HTTPConnection(parts.netloc)
    )
    with closing(connection):
        connection.putrequest("PUT", f"{parts.path}?{parts.query}")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[: len(body) // 2])
        with suppress(OSError, ssl.SSLError):
            connection.sock.settimeout(0.2)
            if said := connection.sock.recv(100):
                raise PremiseNotMet("the server answered before the connection was cut",
                                    f"it said: {said!r}")  # fmt: skip
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
