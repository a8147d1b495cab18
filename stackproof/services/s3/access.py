"""What a server must refuse, and whom a presigned URL lets in."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from stackproof.errors import NotSupported
from stackproof.services.fixture import Scenario
from stackproof.services.s3.client import key_of
from stackproof.services.s3.fixture import ObjectsFixture
from stackproof.services.s3.known import OTHER_KEY
from stackproof.services.s3.signing import Request, refusal_in, send, sign
from stackproof.services.s3.uploads import send_half

_PATIENCE = 10.0
_OFF = timedelta(minutes=20)  # a server tolerates 15
_HOUR = 3600


class Access:
    """Requests to the scenario's bucket that boto would not send.

    Attributes:
        refusal: the code with which the last one was refused; empty: it was not.
    """

    def __init__(self, scenario: Scenario):
        self._objects = scenario.use(ObjectsFixture)
        self._endpoint = self._objects.endpoint
        self._timeout = scenario.scaled(_PATIENCE)
        self.refusal = ""
        self._status = 0

    def _request(self, method: str, key: str, **more: Any) -> Request:
        return Request(method, self._objects.bucket.name, key, **more)

    def _send(self, request: Request, *, body: bytes | None = None, **how: Any) -> None:
        """Sign and send it; ``body``: another one than was signed."""
        url, headers = sign(self._endpoint, request, **how)
        self._send_as(request.method, url, headers, request.body if body is None else body)

    def _send_as(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
        answer = send(self._endpoint, method, url, headers, body, timeout=self._timeout)
        self.refusal, self._status = refusal_in(answer), answer.status_code
        return answer.content

    # -- what must be refused ------------------------------------------------
    def ask(self, what: str, key: str) -> None:
        """Ask for something of `known.REFUSED`; ``key``: of an object that is there."""
        get = self._request("GET", key)
        not_there = f"{get.bucket}-not"
        asking: Mapping[str, Callable[[], None]] = {
            "a key that is not there": lambda: self._send(replace(get, key=f"no-{key}")),
            "a bucket that is not there": lambda: self._send(replace(get, bucket=not_there)),
            "a listing of a bucket that is not there": lambda: self._send(
                Request("GET", not_there, query="list-type=2")
            ),
            "the removal of a bucket that is not empty": lambda: self._send(
                Request("DELETE", get.bucket)
            ),
            "a bucket name with capitals": lambda: self._send(
                Request("PUT", f"{get.bucket}-Capitals")
            ),
            "a wrong secret": lambda: self._send(get, key=(key_of(self._endpoint)[0], "x" * 40)),
            "an access key that nobody has": lambda: self._send(get, key=OTHER_KEY),
            "no access key at all": lambda: self._unsigned(get),
            "a clock that is 20 minutes slow": lambda: self._send(get, shift=-_OFF),
            "a clock that is 20 minutes fast": lambda: self._send(get, shift=_OFF),
            "a body other than that of its MD5": lambda: self._put_corrupted(key, "Content-MD5"),
            "a body other than that of its CRC-32": lambda: self._put_corrupted(
                key, "x-amz-checksum-crc32"
            ),
            "a body other than that of its SHA-256": lambda: self._put_corrupted(
                key, "x-amz-checksum-sha256"
            ),
            "a body other than that of the CRC-32 behind it": lambda: self.upload_with_trailer(
                key, 1000, right=False
            ),
            "a body other than the one that was signed": lambda: self._put_corrupted(key, ""),
        }
        asking[what]()

    def _unsigned(self, request: Request) -> None:
        self._send_as(request.method, request.url(self._endpoint), {}, request.body)

    def _put_corrupted(self, key: str, header: str) -> None:
        """Upload what differs in one bit from what a header tells, or from what was signed."""
        body = self._objects.content(1000)
        corrupted = bytes([body[0] ^ 1]) + body[1:]
        told = {header: _CHECKSUMS[header](body)} if header else {}
        signed = corrupted if header else body
        self._send(self._request("PUT", key, headers=told, body=signed), body=corrupted)

    def upload_with_trailer(self, key: str, size: int, *, right: bool = True) -> None:
        """Upload as today's clients do: in chunks, with a CRC-32 that follows the body.

        Args:
            key: of the object.
            size: bytes.
            right: whether the checksum is that of the body.
        """
        body, name = self._objects.content(size), "x-amz-checksum-crc32"
        checksum = _CHECKSUMS[name](body if right else body[:-1])
        chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        request = self._request(
            "PUT", key,
            body=chunk + f"0\r\n{name}:{checksum}\r\n\r\n".encode(),
            payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            headers={
                "Content-Encoding": "aws-chunked", "X-Amz-Trailer": name,
                "X-Amz-Decoded-Content-Length": str(len(body)),
            },
        )  # fmt: skip
        with self._objects.bucket.writing(key, body) as told:
            self._send(request)
            told["refused"] = self.refusal
        if right:
            self._demand_done("PutObject")
            self._objects.took(key, body)

    def _demand_done(self, what: str) -> None:
        """The last request was not refused; else it is as if boto had sent it."""
        if self.refusal:
            raise ClientError(
                {"Error": {"Code": self.refusal},
                 "ResponseMetadata": {"HTTPStatusCode": self._status}}, what,
            )  # fmt: skip

    def cut(self, key: str, size: int) -> None:
        """Upload half of an object, and cut the connection."""
        url, _ = sign(self._endpoint, self._request("PUT", key), presigned=_HOUR)
        send_half(url, self._objects.content(size), self._objects)

    # -- checksums that stay with an object ------------------------------------
    def checksum_otherwise(self, key: str, algorithm: str) -> list[str]:
        """What a server tells of an object's checksum that is wrong.

        Raises:
            NotSupported: it tells none.
        """
        bucket, name = self._objects.bucket, f"Checksum{algorithm.replace('-', '')}"
        told = bucket.client.head_object(Bucket=bucket.name, Key=key, ChecksumMode="ENABLED")
        if name not in told:
            raise NotSupported(f"this server keeps no {algorithm} of an object")
        wanted = _CHECKSUMS[f"x-amz-checksum-{algorithm.replace('-', '').lower()}"](
            self._objects.body(key)
        )
        return [] if told[name] == wanted else [f"{told[name]} is told, {wanted} it is"]

    # -- presigned URLs --------------------------------------------------------
    def upload_by_url(self, key: str, size: int) -> None:
        """Upload without an access key, by a URL that was presigned for it."""
        body = self._objects.content(size)
        url, _ = sign(self._endpoint, self._request("PUT", key), presigned=_HOUR)
        with self._objects.bucket.writing(key, body) as told:
            self._send_as("PUT", url, {}, body)
            told["refused"] = self.refusal
        self._demand_done("PutObject")
        self._objects.took(key, body)

    def download_by_url(self, key: str) -> None:
        """The same of a download."""
        url, _ = sign(self._endpoint, self._request("GET", key), presigned=_HOUR)
        with self._objects.bucket.reading(key) as answer:
            body = self._send_as("GET", url, {}, b"")
            answer.value = None if self.refusal else body

    def misuse_url(self, key: str, how: str) -> None:
        """Use a URL that was presigned for a download otherwise: one of `known.MISUSED`."""
        past = timedelta(seconds=-2 * _HOUR) if how == "after its time" else timedelta()
        url, _ = sign(self._endpoint, self._request("GET", key), shift=past, presigned=_HOUR)
        if how == "for another key":
            url = url.replace(key, f"{key}.other", 1)
        elif how == "with more time":
            url = url.replace(f"X-Amz-Expires={_HOUR}", f"X-Amz-Expires={2 * _HOUR}")
        upload = how == "for an upload"
        self._send_as("PUT" if upload else "GET", url, {}, b"overwritten" if upload else b"")


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


_CHECKSUMS: Mapping[str, Callable[[bytes], str]] = {
    "Content-MD5": lambda body: _base64(hashlib.md5(body, usedforsecurity=False).digest()),
    "x-amz-checksum-crc32": lambda body: _base64(zlib.crc32(body).to_bytes(4)),
    "x-amz-checksum-sha1": lambda body: _base64(hashlib.sha1(body, usedforsecurity=False).digest()),
    "x-amz-checksum-sha256": lambda body: _base64(hashlib.sha256(body).digest()),
}
