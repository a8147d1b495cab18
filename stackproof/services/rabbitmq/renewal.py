"""What tells a RabbitMQ node from a new one, as its management shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from stackproof.services.base import Endpoint
from stackproof.services.rabbitmq.client import manage
from stackproof.services.rabbitmq.known import FIRST, USER, VIRTUAL_HOST

#: How exchanges and parameters of new nodes are called.
_EXCHANGES, _PARAMETERS = "amq.", ("internal_cluster_id", "cluster_name")
_MADE_ANEW = {"configure": ".*", "write": ".*", "read": ".*"}


class RabbitMQRenewal:
    """See `stackproof.services.renewal.Renewal`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._ask = partial(manage, endpoint, timeout=timeout)

    def clear(self) -> None:
        """Delete all virtual hosts with what is in them, and what is beside; make the usual one."""
        kept = {"vhosts": (), "users": (USER,), "global-parameters": _PARAMETERS}
        for kind, names in kept.items():
            for name in _names(self._ask(kind)):
                if name not in names:
                    self._ask(f"{kind}/{_quoted(name)}", method="DELETE")
        self._ask(f"vhosts/{_quoted(VIRTUAL_HOST)}", method="PUT", body={})
        right = f"permissions/{_quoted(VIRTUAL_HOST)}/{USER}"
        self._ask(right, method="PUT", body=_MADE_ANEW)

    def made(self, node: str = FIRST) -> Mapping[str, Sequence[str]]:
        """Clients, and what its definitions hold."""
        ask = partial(self._ask, node=node)
        defined = ask("definitions")
        rights = defined["permissions"]
        return {
            "client": _names(ask("connections")),
            "queue": _names(ask("queues")),
            "exchange": [n for n in _names(ask("exchanges")) if n and not n.startswith(_EXCHANGES)],
            "policy": _names(defined["policies"]),
            "user": [n for n in _names(defined["users"]) if n != USER],
            "virtual host": [n for n in _names(defined["vhosts"]) if n != VIRTUAL_HOST],
            "parameter": _names(defined["parameters"]),
            "global parameter": [
                n for n in _names(defined["global_parameters"]) if n not in _PARAMETERS
            ],
            "changed right of": [
                right["user"] for right in [*rights, *defined["topic_permissions"]]
                if right != {"user": USER, "vhost": VIRTUAL_HOST, **_MADE_ANEW}
            ],
        }  # fmt: skip


def _names(listed: Sequence[Mapping[str, Any]]) -> list[str]:
    return [one["name"] for one in listed]


def _quoted(name: str) -> str:
    return quote(name, safe="")
