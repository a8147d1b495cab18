"""Why a RabbitMQ broker cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from pika import exceptions

from stackproof.access import Access
from stackproof.clients import probing
from stackproof.clients.rabbitmq.connection import round_trip
from stackproof.clients.rabbitmq.refusals import refusal
from stackproof.errors import Trouble

#: What waiting does not mend.
_DEFINITE = (
    exceptions.ProbableAuthenticationError, exceptions.AuthenticationError,
    exceptions.ProbableAccessDeniedError, exceptions.ChannelClosedByBroker,
    exceptions.ConnectionBlockedTimeout,
)  # fmt: skip


def diagnose(
    addresses: Mapping[str, str], access: Access, queue: str, *, timeout: float
) -> Trouble | None:
    """What is wrong with an endpoint: network, TLS, log-in, rights; None: nothing definite.

    Args:
        queue: name of one that may be made for it.
        timeout: seconds for each step.
    """
    place = addresses["server"]
    try:
        probing.look_through(place, access, timeout=timeout)
        round_trip(addresses, access, queue, timeout=timeout)
    except Trouble as trouble:
        return trouble
    except _DEFINITE as error:
        return refusal(error, place)
    except (exceptions.AMQPError, OSError):
        return probing.unencrypted(place, access, "amqps", timeout=timeout)
    return None
