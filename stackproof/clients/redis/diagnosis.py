"""Why a Redis server cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from redis import exceptions

from stackproof.access import Access
from stackproof.clients import probing
from stackproof.clients.redis.connection import connect
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
    except exceptions.AuthenticationError as error:
        return Trouble(f"{place} does not let the suite in", f"it says: {error}",
                       "correct user and password: REDIS_USERNAME, REDIS_PASSWORD, "
                       "or those in REDIS_URL")  # fmt: skip
    except exceptions.NoPermissionError as error:
        return Trouble(f"{place} forbids what the suite needs", f"it says: {error}",
                       "give the suite's user the rights to read and write its keys")  # fmt: skip
    except exceptions.BusyLoadingError:
        return None
    except exceptions.ResponseError as error:
        return Trouble(f"{place} cannot be used", f"it says: {error}",
                       "correct the settings of the endpoint")  # fmt: skip
    except (exceptions.RedisError, OSError):
        return probing.unencrypted(place, access, "rediss", timeout=timeout)
    return None
