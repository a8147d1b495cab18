"""Sending mails by SMTP, and reading what the server has by HTTP."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.utils import getaddresses
from hashlib import sha256
from mimetypes import guess_type
from typing import NamedTuple

from stackproof.access import tls_context
from stackproof.errors import Trouble, answered, explains
from stackproof.services.base import Endpoint
from stackproof.services.mailpit.known import API, SERVER
from stackproof.services.web import Web
from stackproof.urls import split_host_and_port

_PAGE = 500


@dataclass(frozen=True)
class Mail:
    """A mail as somebody writes it.

    Attributes:
        sender: address.
        to: addresses that its head names.
        cc: further ones.
        bcc: who gets it without being named.
        subject: one line.
        text: its plain part; empty: none.
        html: its HTML part; empty: none.
        attachments: content by file name.
        ident: its Message-ID, without brackets.
    """

    sender: str
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    ident: str = ""

    @property
    def recipients(self) -> list[str]:
        """Everybody who is to get it."""
        return [*self.to, *self.cc, *self.bcc]

    @property
    def content(self) -> dict[str, object]:
        """What a recipient must find unchanged; attachments by their digests."""
        return {
            "from": self.sender, "to": [*self.to], "cc": [*self.cc], "subject": self.subject,
            "text": _lines(self.text), "html": _lines(self.html),
            "attachments": {
                name: sha256(content).hexdigest() for name, content in self.attachments.items()
            },
        }  # fmt: skip

    def message(self) -> EmailMessage:
        """As it goes over the wire; bcc is in its envelope alone."""
        message = EmailMessage()
        message["From"], message["Subject"] = self.sender, self.subject
        message["Message-ID"] = f"<{self.ident}>"
        for name, addresses in (("To", self.to), ("Cc", self.cc)):
            if addresses:
                message[name] = ", ".join(addresses)
        if self.text or not self.html:
            message.set_content(self.text)
        if self.html and self.text:
            message.add_alternative(self.html, subtype="html")
        elif self.html:
            message.set_content(self.html, subtype="html")
        for name, content in self.attachments.items():
            kind, _, sub = (guess_type(name)[0] or "application/octet-stream").partition("/")
            message.add_attachment(content, maintype=kind, subtype=sub, filename=name)
        return message


class Found(NamedTuple):
    """A mail in one mailbox: whose it is, the server's number of it, and its Message-ID."""

    recipient: str
    number: str
    ident: str


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n")


def read(raw: bytes) -> Mail:
    """A mail as its recipient understands it, however badly it was written."""
    message = message_from_bytes(raw, policy=policy.default)

    def values(header: str) -> list[str]:
        try:
            return [str(value) for value in message.get_all(header, ())]
        except (IndexError, MessageError):  # the parser gives up on some that are malformed
            plain = message_from_bytes(raw, policy=policy.compat32)
            return [str(value) for value in plain.get_all(header, ())]

    def addresses(header: str) -> list[str]:
        return [address for _, address in getaddresses(values(header))]

    def part(kind: str) -> str:
        body = message.get_body((kind,))
        if body is None:
            return ""
        try:
            return str(body.get_content())
        except LookupError:  # a character set that nobody knows
            return _payload(body).decode("utf-8", "replace")

    attachments: dict[str, bytes] = {}
    for one in message.iter_attachments():
        name = one.get_filename() or ""
        same = sum(known == name or known.startswith(f"{name} (") for known in attachments)
        attachments[f"{name} ({same + 1})" if same else name] = _payload(one)
    return Mail(
        sender=", ".join(addresses("From")),
        to=addresses("To"),
        cc=addresses("Cc"),
        subject="".join(values("Subject")[:1]),
        text=part("plain"),
        html=part("html"),
        attachments=attachments,
        ident="".join(values("Message-ID")[:1]).strip("<> "),
    )


def _payload(part: Message) -> bytes:
    """What a part holds; of one that is a message itself, all of it."""
    if part.is_multipart():
        return b"".join(bytes(one) for one in part.get_payload() if isinstance(one, Message))
    return bytes(part.get_payload(decode=True) or b"")


class MailKeeper:
    """Sends and reads. As a `stackproof.services.keeping.Keeper` its names are mailboxes."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = 10.0):
        self._endpoint = endpoint
        self._timeout = timeout
        self.web = Web(endpoint.at(SERVER, API), endpoint.access, timeout=timeout)
        self._domain = endpoint.options.get("accepts") or "example.com"

    def connect(self) -> smtplib.SMTP:
        """A connection over which mails can be sent."""
        (host, port), access = split_host_and_port(self._endpoint.at(SERVER)), self._endpoint.access
        if access.tls:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, "localhost", timeout=self._timeout, context=tls_context(access)
            )
        else:
            smtp = smtplib.SMTP(host, port, "localhost", timeout=self._timeout)
        if access.username:
            smtp.login(access.username, access.password)
        return smtp

    def send(self, mail: Mail, smtp: smtplib.SMTP) -> dict[str, tuple[int, bytes]]:
        """Send a mail; who was refused, with code and text.

        Raises:
            OSError: it cannot be sent; every `smtplib.SMTPException` is one.
        """
        try:
            return smtp.send_message(mail.message(), mail.sender, mail.recipients)
        except smtplib.SMTPRecipientsRefused as error:
            return error.recipients

    def find(self, address: str) -> list[Found]:
        """All mails for addresses that begin so, oldest first, once for each of them."""
        found: list[Found] = []
        start, total = 0, 1
        while start < total:
            asked = {"query": f'addressed:"{address}"', "start": start, "limit": _PAGE}
            page = self.web.json("GET", "/api/v1/search", params=asked)
            total, start = page["messages_count"], start + _PAGE
            for message in page["messages"]:
                named = [one for kind in ("To", "Cc", "Bcc") for one in message[kind] or ()]
                found += [
                    Found(one["Address"], message["ID"], message["MessageID"])
                    for one in named
                    if one["Address"].startswith(address)
                ]
        return found[::-1]

    def read(self, number: str) -> Mail:
        """One mail, from its raw text: nothing that the server makes of it is believed."""
        return read(self.web.ask("GET", f"/api/v1/message/{number}/raw").content)

    # -- as a keeper -----------------------------------------------------------
    def _address(self, name: str) -> str:
        return f"{name}@{self._domain}"

    def answers(self) -> None:
        """It greets a client by SMTP."""
        with self.connect() as smtp:
            smtp.noop()

    def put(self, name: str, content: str) -> None:
        """Send a mail."""
        mail = Mail("keeper@example.com", [self._address(name)], text=content, ident=f"{name}@kept")
        with self.connect() as smtp:
            if refused := self.send(mail, smtp):
                raise smtplib.SMTPRecipientsRefused(refused)

    def get(self, name: str) -> str | None:
        """The text of the first mail."""
        found = self.find(self._address(name))
        return _lines(self.read(found[0].number).text) if found else None

    def names(self, prefix: str) -> list[str]:
        """Mailboxes, each as often as it has a mail."""
        return [one.recipient.rpartition("@")[0] for one in self.find(prefix)]

    def drop(self, names: Sequence[str]) -> None:
        """Delete all mails of these mailboxes; by number, for a search goes by patterns."""
        found = (one for name in set(names) for one in self.find(f"{name}@"))
        if numbers := sorted({one.number for one in found}):
            self.web.ask("DELETE", "/api/v1/messages", json={"IDs": numbers})

    def close(self) -> None:
        """Connections of HTTP; those of SMTP end with each sending."""
        self.web.close()


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of SMTP means, in words for people; None: it is none of them."""
    kinds = {
        smtplib.SMTPAuthenticationError: "forbidden",
        smtplib.SMTPServerDisconnected: "lost",
        smtplib.SMTPException: "refused",
    }
    kind = next((kind for of, kind in kinds.items() if isinstance(error, of)), "")
    return answered("the mail server", kind, str(error)) if kind else None
