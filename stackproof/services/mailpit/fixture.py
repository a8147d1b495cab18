"""One scenario's work with its mail server: what it sends, and what mailboxes receive."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from stackproof.errors import step_missing
from stackproof.history import Queue
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.mailpit.client import Found, Mail, MailKeeper
from stackproof.texts import counted

_SPACE = "mail"
_PATIENCE = 10.0
#: Of an attachment.
EVERY_BYTE = bytes(range(256)) * 100


class MailFixture:
    """Mails for addresses of the scenario's own; they are deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "mailpit"):
        self._scenario = scenario
        self._prefix = scenario.own("")
        self._sent: list[Mail] = []
        self._refused: list[tuple[str, str, int]] = []
        self._taken: dict[Found, Mail] = {}
        self._keeper = MailKeeper(scenario.endpoint(endpoint), timeout=scenario.scaled(_PATIENCE))
        scenario.add_cleanup(self._keeper.close)
        scenario.add_cleanup(lambda: self._keeper.drop(self._keeper.names(self._prefix)))

    @property
    def sent(self) -> list[Mail]:
        """What was sent; `PremiseNotMet`: nothing was."""
        if not self._sent:
            raise step_missing("a mail that was sent", "these mails are sent")
        return self._sent

    def send(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Send mails to the scenario's own addresses, over one connection, one after another.

        Args:
            rows: of each mail: from, to, cc, bcc, subject, text, html, attachment, or some of
                these; several addresses and names are separated by commas. An attachment's
                content is every byte, often.
        """
        history = self._scenario.history
        with self._keeper.connect() as smtp:
            for row in rows:
                mail = self._mail(row)
                self._sent.append(mail)
                ops = {
                    who: history.invoke(
                        "put", client="sender", space=_SPACE, key=_key(mail.ident, who),
                        value=_content(mail),
                    )
                    for who in mail.recipients
                }  # fmt: skip
                refused = self._keeper.send(mail, smtp)
                for who, op in ops.items():
                    code, said = refused.get(who, (0, b""))
                    history.answered(
                        op, "fail" if code else "ok", error=f"{code} {said!r}" * bool(code)
                    )
                self._refused += [(mail.ident, who, code) for who, (code, _) in refused.items()]

    def _mail(self, row: Mapping[str, str]) -> Mail:
        def listed(column: str) -> list[str]:
            return [one.strip() for one in row.get(column, "").split(",") if one.strip()]

        def addresses(column: str) -> list[str]:
            return [self._scenario.own(address) for address in listed(column)]

        return Mail(
            sender=row.get("from") or "sender@example.com",
            to=addresses("to"), cc=addresses("cc"), bcc=addresses("bcc"),
            subject=row.get("subject", ""), text=row.get("text", ""), html=row.get("html", ""),
            attachments=dict.fromkeys(listed("attachment"), EVERY_BYTE),
            ident=self._scenario.own(f"mail-{len(self._sent) + 1:04d}@stackproof"),
        )  # fmt: skip

    def refusals(self, address: str) -> list[int]:
        """The codes with which an address was refused, one for each mail."""
        return [code for _, who, code in self._refused if who == self._scenario.own(address)]

    def times_addressed(self, address: str) -> int:
        """How many mails were for an address."""
        return sum(self._scenario.own(address) in mail.recipients for mail in self.sent)

    def _named_only(self) -> set[tuple[str, str]]:
        """Mails and who was refused, where others were not.

        The server keeps one copy of a mail, whose head names all of them: it cannot tell that
        one of them has not got it.
        """
        refused = {(ident, who) for ident, who, _ in self._refused}
        return {
            (mail.ident, who)
            for mail in self._sent
            for who in mail.recipients
            if (mail.ident, who) in refused
            and any((mail.ident, other) not in refused for other in mail.recipients)
        }

    def look(self) -> None:
        """Take what has come into the scenario's mailboxes since the last look."""
        named = self._named_only()
        for one in self._keeper.find(self._prefix):
            if one in self._taken or (one.ident, one.recipient) in named:
                continue
            mail = self._taken[one] = self._keeper.read(one.number)
            for action in ("take", "acknowledge"):
                with self._scenario.history.doing(
                    action, client=f"mailbox of {one.recipient}", space=_SPACE,
                    key=_key(mail.ident, one.recipient),
                ) as answer:  # fmt: skip
                    answer.value = _content(mail)

    def came_to(self, address: str) -> list[tuple[str, str]]:
        """The mails that have come to an address until now: Message-ID, and content as JSON."""
        self.look()
        own = self._scenario.own(address)
        taken = self._taken.items()
        return [(mail.ident, _content(mail)) for one, mail in taken if one.recipient == own]

    def receive(self, within: float) -> Queue:
        """Wait until every recipient has its mails; what is expected of them."""
        refused = {(ident, who) for ident, who, _ in self._refused}
        wanted = {(m.ident, who) for m in self.sent for who in m.recipients} - refused
        expected = Queue("mails", _SPACE)

        def missing() -> list[str]:
            self.look()
            there = {(mail.ident, one.recipient) for one, mail in self._taken.items()}
            return sorted(f"{ident} for {who}" for ident, who in wanted - there)

        try:
            poll(
                missing, until=lambda left: not left, within=self._scenario.scaled(within),
                awaiting=f"{counted(len(wanted), 'mail')} in the mailboxes",
                describe=lambda left: f"{len(left)} are missing, the first: {left[0]}"
            )  # fmt: skip
        except DeadlineExceeded as late:
            self._scenario.check_after(late, replace(expected, settled=True))
        return expected


def _key(ident: str, recipient: str) -> str:
    return f"{ident} for {recipient}"


def _content(mail: Mail) -> str:
    return json.dumps(mail.content, ensure_ascii=False, sort_keys=True)
