"""What the suite must not do to servers that it did not start.

Destructive is: touching what this run did not create, stopping or slowing a server, flooding
it. On the suite's own servers all of it is allowed. On somebody's endpoint it is refused,
unless ``stackproof.toml`` names that endpoint: a file is read and reviewed, where a variable
may be left over from yesterday.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stackproof.errors import NotSupported, Refused


def allowed(addresses: Iterable[str], named: Iterable[str]) -> bool:
    """Whether every address of an endpoint is among those ``named`` in ``allow_destructive``.

    Args:
        addresses: as the suite connects; several may stand in one text, comma-separated, and a
            database may follow after ``/``.
        named: each ``host:port``.
    """
    wanted = _single(addresses)
    return bool(wanted) and wanted <= {name.strip() for name in named}


def _single(addresses: Iterable[str]) -> set[str]:
    """Each ``host:port`` of them."""
    return {
        single.strip().partition("/")[0] for address in addresses for single in address.split(",")
    }


def demand(endpoint: Any, doing: str) -> None:
    """Refuse something destructive on an endpoint that does not allow it.

    Args:
        endpoint: a `stackproof.services.base.Endpoint`.
        doing: completes "this scenario ...", e.g. "floods the broker with 100,000 messages".

    Raises:
        Refused: the suite did not start what is there, and nobody has allowed it by name.
    """
    if endpoint.destructive:
        return
    addresses = sorted(_single(endpoint.addresses.values()))
    listed = ", ".join(f'"{address}"' for address in addresses)
    raise Refused(
        f"refused on {', '.join(addresses)}, which the suite did not start",
        f"this scenario {doing}",
        "run it on a stack of the suite's own (STACK=native or STACK=docker); or, if that "
        f"endpoint is there to be broken, write allow_destructive = [{listed}] "
        f"into [services.{endpoint.service}] of stackproof.toml",
    )


def no_hold(title: str, doing: str, service: str) -> NotSupported:
    """What is said of breaking a server that the suite did not start, and knows no commands for.

    Args:
        title: of the service.
        doing: completes "this scenario ...", e.g. "stops or breaks servers".
        service: its name.
    """
    return NotSupported(
        f"the external {title} cannot be broken",
        f"this scenario {doing}; the suite did not start that server and has no hold on it: "
        f"there is no [services.{service}.nodes.NAME] with its owner's commands",
        "run this scenario on a stack of the suite's own (STACK=native or STACK=docker), or write "
        "those commands down (docs/endpoints.md)",
    )
