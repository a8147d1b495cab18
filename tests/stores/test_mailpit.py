"""A real mail server: its probe, what it keeps, and what runs leave on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from stackproof.services.base import Endpoint, Requirement
from stackproof.services.mailpit.client import Mail, MailKeeper, read
from stackproof.services.mailpit.server import Mailpit
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with native(tmp_path_factory.mktemp("mailpit"), time_factor=2) as provider:
        service = Mailpit()
        provider.obtain(service, lambda _: None)
        cluster = provider.start(service, Requirement("mailpit", (), dedicated=True), "mailpit-1")
        yield cluster.endpoint


@pytest.fixture
def keeper(endpoint: Endpoint) -> Iterator[MailKeeper]:
    with closing(MailKeeper(endpoint)) as opened:
        yield opened


AWKWARD = Mail(
    sender="sender@example.com",
    to=["o'hara+tag@example.com", "_under@example.com"],
    subject="Grüße, 漢字 🎉 " + "long " * 60,
    text="a line\n\nanother, with trailing blanks   \n.a dot\n" + "x" * 2000,
    html="<p>ü</p>",
    attachments={"größe 漢字.bin": bytes(range(256)), "empty.txt": b"", "crlf.csv": b"a\r\nb\n"},
    ident="awkward@stackproof",
)


def test_an_awkward_mail_is_read_as_it_was_sent(keeper: MailKeeper) -> None:
    with keeper.connect() as smtp:
        assert keeper.send(AWKWARD, smtp) == {}
    found = keeper.find("o'hara+tag@example.com")
    assert [one.ident for one in found] == [AWKWARD.ident]
    assert keeper.read(found[0].number).content == AWKWARD.content


def test_mails_that_are_badly_written_are_read() -> None:
    mail = read(
        b"From: a@b.c\nTo: d@e.f\nSubject: x\nMessage-ID: <[not an address]>\n"
        b"Content-Type: text/plain; charset=x-unknown\n\n\xc3\xbcber\n"
    )
    assert (mail.ident, mail.text) == ("[not an address]", "über\n")


def test_each_attachment_is_told_whole() -> None:
    message = Mail("s@example.com", ["r@example.com"], text="x", ident="i@s").message()
    for content in (b"1", b"2", b"3"):
        message.add_attachment(content, maintype="text", subtype="csv", filename="same.csv")
    inner = Mail("q@example.com", ["r@example.com"], text="forwarded", ident="q@s").message()
    message.add_attachment(inner, filename="inner.eml")
    found = read(message.as_bytes()).attachments
    assert [found[name] for name in ("same.csv", "same.csv (2)", "same.csv (3)")] == [
        b"1", b"2", b"3",
    ]  # fmt: skip
    assert b"forwarded" in found["inner.eml"]


def test_an_address_is_no_pattern(keeper: MailKeeper) -> None:
    with keeper.connect() as smtp:
        keeper.send(Mail("s@example.com", ["xunder@example.com"], text="x", ident="x@s"), smtp)
    assert "x@s" not in [one.ident for one in keeper.find("_under@example.com")]
    keeper.drop(["_under"])
    assert [one.ident for one in keeper.find("xunder@example.com")] == ["x@s"]


def test_what_is_kept_is_listed_and_dropped(keeper: MailKeeper) -> None:
    keeper.put("left-a", "first")
    keeper.put("left-a", "second")
    keeper.put("left-b", "third")
    assert sorted(keeper.names("left-")) == ["left-a", "left-a", "left-b"]
    assert keeper.get("left-b") == "third"
    keeper.drop(["left-a"])
    assert keeper.names("left-") == ["left-b"]
    assert keeper.get("left-a") is None


def test_many_mails_are_found_page_by_page(keeper: MailKeeper) -> None:
    with keeper.connect() as smtp:
        for number in range(620):
            mail = Mail("s@example.com", ["many@example.com"], text="x", ident=f"m{number}@s")
            assert keeper.send(mail, smtp) == {}
    assert [one.ident for one in keeper.find("many@example.com")] == [
        f"m{number}@s" for number in range(620)
    ]


def test_runs_are_cleared_by_name(endpoint: Endpoint, keeper: MailKeeper) -> None:
    service = Mailpit()
    keeper.put("stackproof-r1-s1-ada", "text")
    left = service.leftovers(endpoint, "stackproof-r1-")
    assert [str(one) for one in left] == ["mailbox stackproof-r1-s1-ada"]
    service.remove(endpoint, left)
    assert service.leftovers(endpoint, "stackproof-r1-") == []


def test_it_tells_its_version(endpoint: Endpoint) -> None:
    assert Mailpit().version(endpoint).startswith("Mailpit v")
