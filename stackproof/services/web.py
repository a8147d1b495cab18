"""HTTP interfaces of servers: one way to ask them, and to say what refusals mean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from stackproof.access import Access
from stackproof.errors import Trouble, answered, explains

if TYPE_CHECKING:
    import requests  # services are known before anybody asks them

_REFUSED = "correct what the step says, or look at that server's settings and log"
_SAID = 300  # characters of an answer that refuses


class Web:
    """Asks one server by HTTP; answers within ``timeout`` seconds or raises an OSError.

    Args:
        address: ``host:port``, or a URL below which everything lies.
        access: TLS, and user and password for HTTP's basic authentication.
        timeout: seconds for a connection, and for each silence in an answer.
    """

    def __init__(self, address: str, access: Access, *, timeout: float = 10.0):
        import requests

        scheme = "https" if access.tls else "http"
        self.url = (address if "://" in address else f"{scheme}://{address}").rstrip("/")
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy of the environment stands in between
        self._session.headers["Accept-Encoding"] = (
            "identity"  # bytes on the way are those asked for
        )
        if access.ca_file:
            self._session.verify = access.ca_file
        if access.certificate_file:
            self._session.cert = (access.certificate_file, access.key_file or None)
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


def reload(web: Web, what: str) -> None:
    """Have a server of the Prometheus family read its configuration anew.

    Raises:
        Trouble: it cannot use it; ``what`` says what has changed.
        requests.HTTPError: nobody may ask for it.
    """
    import requests

    try:
        web.ask("POST", "/-/reload")
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code == 500:
            raise Trouble(f"{what} cannot be used", str(error), "correct the file") from error
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
