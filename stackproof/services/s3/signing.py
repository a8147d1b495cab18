"""Requests that no client of boto would send: signed at another time, altered after signing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import requests
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stackproof.services.base import Endpoint
from stackproof.services.s3.client import address_of, key_of
from stackproof.services.web import session_of

_CODE = re.compile(r"<Code>(\w+)</Code>")
_NOW = timedelta()


@dataclass(frozen=True)
class Request:
    """A request before it is signed.

    Attributes:
        method: of HTTP.
        bucket: its full name.
        key: of the object; empty: none.
        query: what follows ``?``.
        headers: which are signed as well.
        body: which is signed, if headers are.
        payload: what is signed in its place, e.g. that it is not.
    """

    method: str
    bucket: str
    key: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    payload: str = ""

    def url(self, endpoint: Endpoint) -> str:
        """Where it goes."""
        path = f"/{self.bucket}" + f"/{quote(self.key)}" * bool(self.key)
        return f"{address_of(endpoint)[0]}{path}" + f"?{self.query}" * bool(self.query)


class _Shifted:
    """Signs for another moment than now."""

    def __init__(self, *arguments: Any, shift: timedelta, **more: Any):
        super().__init__(*arguments, **more)
        self._shift = shift

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        moment = datetime.now(UTC) + self._shift
        request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)  # type: ignore[misc]


class _Headers(_Shifted, S3SigV4Auth):
    def payload(self, request: AWSRequest) -> str:
        return str(request.context.get("payload") or super().payload(request))


class _Query(_Shifted, S3SigV4QueryAuth):
    pass


def sign(
    endpoint: Endpoint,
    request: Request,
    *,
    shift: timedelta = _NOW,
    key: tuple[str, str] | None = None,
    presigned: int = 0,
) -> tuple[str, dict[str, str]]:
    """URL and headers with which a request is sent.

    Args:
        endpoint: whose region and access key count.
        request: what is signed.
        shift: how far the clock is ahead.
        key: ID and secret of another access key.
        presigned: seconds for which the URL alone is enough; 0: the headers are signed.
    """
    asked = AWSRequest(
        request.method, request.url(endpoint), dict(request.headers), data=request.body
    )
    asked.context["payload"] = request.payload
    credentials = Credentials(*(key or key_of(endpoint)))
    where = (credentials, "s3", address_of(endpoint)[1])
    auth = (
        _Query(*where, expires=presigned, shift=shift)
        if presigned
        else _Headers(*where, shift=shift)
    )
    if presigned:
        asked.data = b""
    auth.add_auth(asked)
    return asked.url, dict(asked.headers)


def send(
    endpoint: Endpoint, method: str, url: str, headers: Mapping[str, str], body: bytes,
    *, timeout: float,
) -> requests.Response:  # fmt: skip
    """Send it as it is, with nothing of boto's; any answer is one."""
    with session_of(endpoint.access) as session:
        return session.request(
            method, url, headers=dict(headers), data=body, timeout=timeout, allow_redirects=False
        )


def refusal_in(answer: requests.Response) -> str:
    """What a server calls its refusal, or its status; empty: it is none."""
    if answer.ok:
        return ""
    found = _CODE.search(answer.text)
    return found[1] if found else str(answer.status_code)
