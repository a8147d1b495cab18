"""Names of what a run creates: they say whose they are, so that leftovers can be found.

``<prefix>-<run>-<scenario>-<name>``, e.g. ``stackproof-r1a2b3c4d-s007-orders``. The prefix
comes first, because that is what services can grant rights on (Kafka's prefixed ACLs,
RabbitMQ's permissions, Redis's key patterns).
"""

from __future__ import annotations

import re

_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,29}(?<!-)")
_RUN = re.compile(r"r[0-9a-f]{8}(?=-)")


def prefix(text: str) -> str:
    """A prefix that every service takes: it becomes part of topics, queues, keys, buckets."""
    if not _PREFIX.fullmatch(text):
        raise ValueError(
            "up to 30 lower-case letters, digits and dashes are expected, the first a letter "
            "and the last no dash"
        )
    return text


def of_run(prefix: str, run: str) -> str:
    """What all names of one run begin with."""
    return f"{prefix}-{run}-"


def own(prefix: str, run: str, scenario: str, name: str) -> str:
    """A scenario's own name for what its text calls ``name``."""
    return f"{of_run(prefix, run)}{scenario}-{name}"


def run_of(prefix: str, name: str) -> str | None:
    """The ID of the run that a name belongs to; None if it is not one of ours."""
    if not name.startswith(f"{prefix}-"):
        return None
    found = _RUN.match(name, len(prefix) + 1)
    return found[0] if found else None
