"""Why a Redis server cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from redis import exceptions

from stackproof.access import Access
from stackproof.clients import probing
from stackproof.services.redis.client import connect
from stackproof.services.redis.refusals import refusal
from stackproof.errors import Trouble


def diagnose(addresses: Mapping[str, str], access: Access, *, timeout: float) -> Trouble | None:
    """What is wrong with an endpoint: network, TLS, log-in, rights; None: nothing definite."""
    place = addresses["server"]
    try:
        probing.look_through(place, access, timeout=timeout)
        with connect(addresses, access, timeout=timeout) as client:
            client.ping()
    except Trouble as trouble:
        return trouble
    except exceptions.BusyLoadingError:
        return None
    except (exceptions.ResponseError, exceptions.AuthenticationError) as error:
        return refusal(error, place)
    except (exceptions.RedisError, OSError):
        return probing.unencrypted(place, access, "rediss", timeout=timeout)
    return None
