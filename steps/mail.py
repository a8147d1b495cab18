"""Mails: sent by SMTP, and what mailboxes receive."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, empty, has_length, is_not, only_contains

from stackproof.services import mailpit
from stackproof.services.mailpit.known import COLUMNS
from stackproof.session.needs import needs
from stackproof.session.scenario import Context
from stackproof.session.tables import records


def mails_of(context: Context) -> mailpit.MailFixture:
    """The scenario's work with its mail server."""
    return context.session.use(mailpit.MailFixture)


@given('a mail server that accepts mail for "{domain}" only')
@needs("mailpit", accepts="{domain}")
def a_mail_server_for(context: Context, domain: str) -> None:
    """A running mail server that refuses every address of another domain."""
    assert_that(context.session.endpoint("mailpit").addresses, is_not(empty()))


@when("these mails are sent")
def these_mails_are_sent(context: Context) -> None:
    """Sends the mails of the table: its columns are from, to, cc, bcc, subject, text, html, attachment."""
    mails_of(context).send(records(context.table, COLUMNS))


@then("every recipient receives these mails within {limit:Seconds}, once and unchanged")
def every_recipient_receives(context: Context, limit: float) -> None:
    """Whoever was not refused has each mail in its mailbox, with subject, parts and attachments as sent."""
    context.session.assert_history(mails_of(context).receive(limit))


@then('"{address}" was refused with code {code:d} for each mail')
def address_was_refused(context: Context, address: str, code: int) -> None:
    """The server has answered so to each mail for this address."""
    mails = mails_of(context)
    assert_that(mails.refusals(address), has_length(mails.times_addressed(address)))
    assert_that(mails.refusals(address), only_contains(code))
