"""What PostgreSQL's refusals mean, and whether it is worth waiting for them to pass."""

from __future__ import annotations

import psycopg2
import pytest

import stackproof.services.postgresql.client  # noqa: F401 -- knows what they mean
from stackproof.errors import Passing, Trouble, explained
from stackproof.ports import free_port
from stackproof.services import service
from stackproof.services.base import Endpoint
from stackproof.services.nodes import Service


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ('FATAL: password authentication failed for user "qa"', Trouble, "does not let the suite"),
        ('FATAL: database "qa" does not exist', Trouble, "has no such database"),
        ("server does not support SSL, but SSL was required", Trouble, "does not speak TLS"),
        ("FATAL: the database system is starting up", Passing, "is lost"),
        ("could not connect to server: timeout expired", Passing, "is lost"),
    ],
)
def test_what_an_error_means(text: str, kind: type[Trouble], says: str) -> None:
    trouble = explained(psycopg2.OperationalError(text))
    assert type(trouble) is kind
    assert says in str(trouble)


def test_nobody_listens() -> None:
    kind = service("postgresql")
    assert isinstance(kind, Service)
    addresses = {"primary": f"127.0.0.1:{free_port()}/postgres"}
    endpoint = Endpoint("postgresql", "e", "external", addresses)
    trouble = kind.why_unreachable(endpoint, timeout=5)
    assert trouble is not None and "nobody listens" in trouble.what
