"""Why a RabbitMQ broker cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from pika import exceptions

from stackproof.access import Access
from stackproof.clients import probing
from stackproof.clients.rabbitmq.connection import round_trip
from stackproof.errors import Trouble


def diagnose(addresses: Mapping[str, str], access: Access, *, timeout: float) -> Trouble | None:
    """What is wrong with an endpoint: network, TLS, log-in, rights; None: nothing definite."""
    place = addresses["server"]
    try:
        probing.look_through(place, access, timeout=timeout)
        round_trip(addresses, access, timeout=timeout)
    except Trouble as trouble:
        return trouble
    except (exceptions.ProbableAuthenticationError, exceptions.AuthenticationError) as error:
        return Trouble(f"{place} does not let the suite in", f"it says: {error}",
                       "correct user and password: RABBITMQ_USERNAME, RABBITMQ_PASSWORD, "
                       "or those in RABBITMQ_URL")  # fmt: skip
    except exceptions.ProbableAccessDeniedError as error:
        return Trouble(f"{place} has no such virtual host, or not for the suite's user",
                       f"it says: {error}",
                       "correct RABBITMQ_VHOST, or the end of RABBITMQ_URL")  # fmt: skip
    except exceptions.ChannelClosedByBroker as error:
        return Trouble(f"{place} forbids what the suite needs", f"it says: {error.reply_text}",
                       "give the suite's user the rights to declare, write and read")  # fmt: skip
    except (exceptions.AMQPError, OSError):
        return probing.unencrypted(place, access, "amqps", timeout=timeout)
    return None
