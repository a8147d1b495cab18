"""Mailboxes of a scenario: what has come into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from stackproof.services.fixture import Scenario
from stackproof.services.mailpit.fixture import MailFixture
from stackproof.services.mailpit.known import SERVER
from stackproof.services.places import Letter


class Mailboxes:
    """See `stackproof.services.places.Places`. Every address is a mailbox."""

    noun: ClassVar[str] = "mailbox"

    def __init__(self, scenario: Scenario):
        self._fixture = scenario.use(MailFixture)
        self._smtp = scenario.endpoint("mailpit").at(SERVER)

    def names(self) -> Sequence[str]:
        """None: an address need not have had a mail."""
        return ()

    def fields(self) -> Mapping[str, str]:
        """Where mails are sent by SMTP."""
        return {"mailpit_smtp": self._smtp}

    def find(self, name: str) -> Mailbox:
        """The mailbox of an address, as the scenario calls it."""
        return Mailbox(self._fixture, name)


class Mailbox:
    """See `stackproof.services.places.Inbox`."""

    def __init__(self, fixture: MailFixture, address: str):
        self._fixture, self._address = fixture, address

    def look(self) -> Sequence[Letter]:
        """A mail's fields are: from, to, cc, subject, text, html and attachments, by digest."""
        return [
            Letter(content.encode(), ident.encode(), where=f"mail {number}")
            for number, (ident, content) in enumerate(self._fixture.came_to(self._address), start=1)
        ]

    def look_whole(self, within: float) -> Sequence[Letter]:
        """The same: the server is asked each time."""
        return self.look()

    def expected(self) -> None:
        """Nothing: systems may send mails, too."""


PLACES = Mailboxes
