"""Mail servers with faults: each changes what is forwarded of a mail, or what is answered."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from email import message_from_bytes, policy

from tests.mutants.servers.state import State

#: What becomes of a mail: the recipients and contents that are forwarded, each in a transaction.
Fault = Callable[[State, list[bytes], bytes], list[tuple[list[bytes], bytes]]]


def sound(state: State, to: list[bytes], content: bytes) -> list[tuple[list[bytes], bytes]]:
    """No fault: the control."""
    return [(to, content)]


def drops_mail(state: State, to: list[bytes], content: bytes) -> list[tuple[list[bytes], bytes]]:
    """Every third mail is accepted, and nobody gets it."""
    return [] if state.every(3) else [(to, content)]


def sends_twice(state: State, to: list[bytes], content: bytes) -> list[tuple[list[bytes], bytes]]:
    """Every third mail is delivered twice."""
    return [(to, content)] * (2 if state.every(3) else 1)


def drops_attachments(
    state: State, to: list[bytes], content: bytes
) -> list[tuple[list[bytes], bytes]]:
    """Attachments are taken out of mails."""
    message = message_from_bytes(content, policy=policy.SMTP)
    if message.get_content_type() == "multipart/mixed":
        message.set_payload(message.get_payload()[:1])
    return [(to, message.as_bytes())]


def forgets_copies(
    state: State, to: list[bytes], content: bytes
) -> list[tuple[list[bytes], bytes]]:
    """Who is not named in the head of a mail is accepted, and gets nothing."""
    return [([one for one in to if one.strip(b"<>") in content], content)]


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (sound, drops_mail, sends_twice, drops_attachments, forgets_copies)
}


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection: commands pass, a mail is held until it is whole."""
    state, handle = State(), FAULTS[fault]

    def connection(client: socket.socket, server: socket.socket) -> None:
        commands, answers = client.makefile("rb"), server.makefile("rb")

        def ask(line: bytes) -> bytes:
            server.sendall(line)
            return answer()

        def answer() -> bytes:
            lines = [answers.readline()]
            while lines[-1][3:4] == b"-":
                lines.append(answers.readline())
            return b"".join(lines)

        client.sendall(answer())
        sender, to = b"", []
        while command := commands.readline():
            verb = command[:4].upper()
            if verb == b"DATA":
                client.sendall(b"354 go on\r\n")
                lines = []
                while (line := commands.readline()) not in (b".\r\n", b""):
                    lines.append(line)
                ask(b"RSET\r\n")
                for recipients, content in handle(state, to, b"".join(lines)):
                    ask(sender)
                    for one in recipients:
                        ask(b"RCPT TO:%s\r\n" % one)
                    ask(b"DATA\r\n")
                    ask(content + b".\r\n")
                to = []
                client.sendall(b"250 accepted\r\n")
                continue
            told = ask(command)
            if verb == b"MAIL":
                sender, to = command, []
            elif verb == b"RCPT" and told.startswith(b"2"):
                to += re.findall(rb"<[^>]*>", command)
            client.sendall(told)

    return connection
