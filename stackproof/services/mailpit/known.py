"""What server, client and probe of Mailpit call the same."""

SERVER, API = "server", "api"
#: Of tables of mails.
COLUMNS = ("from", "to", "cc", "bcc", "subject", "text", "html", "attachment")
