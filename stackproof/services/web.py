"""HTTP interfaces of servers: one way to ask them, and to say what refusals mean."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar

from stackproof.access import Access
from stackproof.errors import Trouble, answered, explains

if TYPE_CHECKING:
    import requests  # services are known before anybody asks them

T = TypeVar("T")
_REFUSED = "correct what the step says, or look at that server's settings and log"
_SAID = 300  # characters of an answer that refuses


def session_of(access: Access) -> requests.Session:
    """A session of `requests` that trusts whom ``access`` names, and shows its certificate."""
    import requests

    made = requests.Session()
    made.trust_env = False  # neither a proxy of the environment nor a .netrc of a person's own
    made.verify = access.ca_file or True
    if access.certificate_file:
        made.cert = (access.certificate_file, access.key_file or None)
    return made


class Web:
    """Asks one server by HTTP; answers within ``timeout`` seconds or raises an OSError.

    Args:
        address: ``host:port``, or a URL below which everything lies.
        access: TLS, and user and password for HTTP's basic authentication.
        timeout: seconds for a connection, and for each silence in an answer.
    """

    def __init__(self, address: str, access: Access, *, timeout: float = 10.0):
        scheme = "https" if access.tls else "http"
        self.url = (address if "://" in address else f"{scheme}://{address}").rstrip("/")
        self._timeout = timeout
        self._session = session_of(access)
        self._session.headers["Accept-Encoding"] = (
            "identity"  # bytes on the way are those asked for
        )
        if access.username:
            self._session.auth = (access.username, access.password)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Any answer but a refusal; ``more``: as `requests.request` has it.

        Raises:
            requests.HTTPError: it refuses; an OSError, as everything of `requests`.
        """
        from requests import HTTPError

        response = self._session.request(method, f"{self.url}{path}", timeout=self._timeout, **more)
        if not response.ok:
            said = " ".join(response.text.split())[:_SAID]
            raise HTTPError(
                f"{method} {path} was answered with {response.status_code} {response.reason}"
                + f": {said}" * bool(said),
                response=response,
            )
        return response

    def json(self, method: str, path: str, **more: Any) -> Any:
        """What an answer says in JSON; None: it is empty."""
        response = self.ask(method, path, **more)
        return response.json() if response.content else None

    def close(self) -> None:
        """End its connections."""
        self._session.close()


def unless(codes: Collection[int], ask: Callable[[], T]) -> T | None:
    """An answer; None: it was one of these codes."""
    from requests import HTTPError

    try:
        return ask()
    except HTTPError as error:
        if error.response is not None and error.response.status_code in codes:
            return None
        raise


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of HTTP means, in words for people; None: it is none, or nothing definite."""
    requests = sys.modules.get("requests")  # nobody else can have raised it
    if requests is None or not isinstance(error, requests.HTTPError) or error.response is None:
        return None
    kinds = {400: "refused", 401: "forbidden", 403: "forbidden", 404: "lacking", 405: "lacking",
             413: "refused", 422: "refused", 501: "lacking"}  # fmt: skip
    kind = kinds.get(error.response.status_code)
    remedy = _REFUSED if kind == "refused" else ""
    return answered("the server", kind, str(error), remedy) if kind else None
