"""What the doctor, a run and a clean-up say of PostgreSQL servers that are not ours."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg2
import pytest

import stackproof.services.postgresql.client  # noqa: F401 -- knows what errors mean
from stackproof.access import Access
from stackproof.commands.doctor import doctor
from stackproof.errors import Passing, Trouble, explained
from stackproof.ports import free_port
from stackproof.services import service
from stackproof.services.base import Endpoint
from stackproof.services.nodes import Service
from tests.external.certificates import Authority
from tests.stores.conftest import StartPostgreSQL, run_statement, verdicts_of

ROOT = Path(__file__).parents[2]
QA = "CREATE ROLE qa LOGIN PASSWORD 'pw'"
RIGHTS = "GRANT CREATE, TEMPORARY, CONNECT ON DATABASE postgres TO qa"
BY_PASSWORD = "host all all all scram-sha-256"


def told(address: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> str:
    """The doctor's line of the endpoint and what belongs to it."""
    monkeypatch.setenv("STACK", "external")
    monkeypatch.setenv("POSTGRESQL_URL", f"postgresql://{address}")
    doctor(["postgresql"], endpoints=True)
    text = capsys.readouterr().out
    assert "\nsettings (file" in text, "the doctor went on to its end"
    return text[text.index("endpoint postgresql") :].partition("\nsettings")[0]


@pytest.mark.parametrize(
    ("access", "settings", "user", "says"),
    [
        ("", (), "", "answers"),
        (BY_PASSWORD, (), "qa:pw@", "answers"),
        (BY_PASSWORD, (), "qa:wrong@", "does not let the suite in\n.*authentication failed"),
        (BY_PASSWORD, (), "", "does not let the suite in\n.*no password supplied"),
        ("", (), "nobody@", "does not let the suite in\n.*does not exist"),
        (
            "host all postgres all trust",
            (),
            "qa:pw@",
            "does not let the suite in unencrypted\n.*pg_hba",
        ),
        ("", ("default_transaction_read_only = on",), "qa:pw@", "takes no writes"),
    ],
)
def test_what_a_server_refuses_is_told(
    postgresql_server: StartPostgreSQL, access: str, settings: tuple[str, ...], user: str,
    says: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    address = postgresql_server(access, *settings, before=[QA])
    line = told(user + address, capsys, monkeypatch)
    assert re.search(says, line), line


def test_a_database_that_is_not_there(
    postgresql_server: StartPostgreSQL, capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    address = postgresql_server().partition("/")[0]
    line = told(f"{address}/orders", capsys, monkeypatch)
    assert re.search('has no such database\n.*"orders" does not exist', line), line


@pytest.fixture
def secured(postgresql_server: StartPostgreSQL, tmp_path: Path) -> tuple[str, Authority]:
    """Address of a server that lets nobody in without TLS, and who issued its certificate."""
    authority = Authority(tmp_path / "certificates")
    issued = authority.issue("server", "127.0.0.1")
    issued.key.chmod(0o600)
    return postgresql_server(
        "hostssl all all all trust", "ssl = on", f"ssl_cert_file = '{issued.certificate}'",
        f"ssl_key_file = '{issued.key}'",
    ), authority  # fmt: skip


def test_an_encrypted_connection(secured: tuple[str, Authority]) -> None:
    address, authority = secured
    postgresql = service("postgresql")

    def trouble(access: Access) -> str:
        endpoint = Endpoint("postgresql", "e", "external", {"primary": address}, access=access)
        return str(postgresql.why_unreachable(endpoint, timeout=5))  # type: ignore[attr-defined]

    assert trouble(Access(tls=True, ca_file=str(authority.file))) == "None"
    assert "in unencrypted" in trouble(Access())
    other = Authority(authority.file.parent, "other")
    assert "is not trusted" in trouble(Access(tls=True, ca_file=str(other.file)))


def test_the_rights_in_the_documentation_are_enough_and_nothing_is_left(
    postgresql_server: StartPostgreSQL, tmp_path: Path
) -> None:
    documented = re.search(r"`(GRANT [^`]*)`", (ROOT / "docs/endpoints.md").read_text())
    assert documented
    rights = documented[1].replace("DATABASE orders TO stackproof", "DATABASE postgres TO qa")
    address = postgresql_server(BY_PASSWORD, before=[QA, rights])
    url = f"postgresql://qa:pw@{address}"
    found = verdicts_of("features/database", place=tmp_path, POSTGRESQL_URL=url)
    assert set(found.values()) == {"passed", "not supported"}, found
    assert sum(verdict == "passed" for verdict in found.values()) >= 20, found
    endpoint = Endpoint("postgresql", "e", "external", {"primary": address},
                        access=Access(username="qa", password="pw"))  # fmt: skip
    assert service("postgresql").leftovers(endpoint, "qa-") == []  # type: ignore[attr-defined]


def test_what_a_dead_run_left_is_found_and_removed(postgresql_server: StartPostgreSQL) -> None:
    endpoint = Endpoint("postgresql", "e", "external", {"primary": postgresql_server()})
    for name in ("qa-r1a2b3c4d-s001-data", 'qa-%odd\\-"x', "mine", "qa_"):
        quoted = name.replace('"', '""')
        run_statement(endpoint, f'CREATE SCHEMA "{quoted}"'.replace("%", "%%"))
    postgresql = service("postgresql")
    found = postgresql.leftovers(endpoint, "qa-")  # type: ignore[attr-defined]
    assert len(found) == 2
    postgresql.remove(endpoint, found)  # type: ignore[attr-defined]
    assert postgresql.leftovers(endpoint, "qa-") == []  # type: ignore[attr-defined]
    assert len(postgresql.leftovers(endpoint, "mine")) == 1  # type: ignore[attr-defined]
    assert postgresql.version(endpoint).startswith("PostgreSQL 15.")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ('FATAL: password authentication failed for user "qa"', Trouble, "does not let the suite"),
        ('FATAL: database "qa" does not exist', Trouble, "has no such database"),
        ("server does not support SSL, but SSL was required", Trouble, "does not speak TLS"),
        ("FATAL: the database system is starting up", Passing, "is starting or ending"),
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGHOSTADDR", "192.0.2.1"),  # leads nowhere
        ("PGOPTIONS", "-c default_transaction_read_only=on"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGCHANNELBINDING", "require"),
        ("PGGSSENCMODE", "require"),
        ("PGSSLMODE", "require"),
        ("PGUSER", "nobody"),
    ],
)
def test_variables_for_other_programs_lead_nowhere_else(
    name: str, value: str, postgresql_server: StartPostgreSQL, capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    address = postgresql_server()
    monkeypatch.setenv(name, value)
    assert "answers" in told(address, capsys, monkeypatch)
