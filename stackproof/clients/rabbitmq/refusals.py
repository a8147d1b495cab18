"""What a RabbitMQ broker's refusals mean."""

from __future__ import annotations

import re

from pika import exceptions

from stackproof.errors import NotSupported, Trouble, explains

_ACCESS_REFUSED, _PRECONDITION_FAILED, _COMMAND_INVALID, _NOT_ALLOWED, _NOT_IMPLEMENTED = (
    403, 406, 503, 530, 540,
)  # fmt: skip
#: What 406 and 503 say of what a broker does not know; they have other causes besides.
_LACKING = re.compile(
    r"invalid arg|unsupported|not (supported|implemented|allowed)|unknown exchange type", re.I
)
_DEFAULT_EXCHANGE = "amq.default"
_CLOSED = exceptions.ChannelClosed, exceptions.ConnectionClosed


@explains
def refusal(error: BaseException, place: str = "RabbitMQ") -> Trouble | None:
    """What an error of pika means, in words for people; None: it is none of pika's.

    Args:
        error: any exception.
        place: which broker.
    """
    if not isinstance(error, exceptions.AMQPError):
        return None
    code = error.reply_code if isinstance(error, _CLOSED) else 0
    text = error.reply_text if isinstance(error, _CLOSED) else str(error) or repr(error)
    said = f"it says: {text}"
    if isinstance(error, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError):
        return Trouble(f"{place} does not let the suite in", said,
                       "correct user and password: RABBITMQ_USERNAME, RABBITMQ_PASSWORD, "
                       "or those in RABBITMQ_URL")  # fmt: skip
    if isinstance(error, exceptions.ProbableAccessDeniedError) or code == _NOT_ALLOWED:
        return Trouble(f"{place} has no such virtual host, or not for the suite's user", said,
                       "correct RABBITMQ_VHOST, or the end of RABBITMQ_URL; "
                       "or raise that host's limits")  # fmt: skip
    if code == _ACCESS_REFUSED:
        right = "to configure, write and read names that begin with the run's prefix"
        if _DEFAULT_EXCHANGE in text:
            right = f"to write on {_DEFAULT_EXCHANGE}, by which messages reach queues by their name"
        return Trouble(f"{place} forbids what the suite needs", said,
                       f"give the suite's user the right {right} (docs/endpoints.md)")  # fmt: skip
    if code == _NOT_IMPLEMENTED or (
        code in (_PRECONDITION_FAILED, _COMMAND_INVALID) and _LACKING.search(text)
    ):
        return NotSupported(
            f"{place} does not offer what the suite asks for", said,
            "run it on another broker, or on one of the suite's own (STACK=native)",
        )  # fmt: skip
    if isinstance(error, exceptions.ConnectionBlockedTimeout):
        return Trouble(f"{place} holds back whoever publishes", said,
                       "end its alarm: free memory or disk, or raise its limits")  # fmt: skip
    if isinstance(error, exceptions.AMQPConnectionError | exceptions.ChannelWrongStateError):
        return Trouble(f"the connection to {place} is lost", text,
                       "look at that broker's log, and at the network")  # fmt: skip
    return Trouble(f"{place} refuses what the suite asks for", said,
                   "look at that broker's settings and log")  # fmt: skip
