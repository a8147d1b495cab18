"""librdkafka's client: administration goes through it, because it copes with most servers.

Its errors become kafka-python's, so that the suite's own code and its features know one kind.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stackproof.access import OPEN, Access
from stackproof.services.kafka.client.connection import servers
from stackproof.services.kafka.client.properties import librdkafka_properties

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient
    from kafka.errors import KafkaError

#: What it would print on standard error: every connection that fails.
silent = logging.getLogger(f"{__name__}.silent")
silent.addHandler(logging.NullHandler())
silent.propagate = False


def configuration(addresses: Mapping[str, str], access: Access) -> dict[str, Any]:
    """What any of its clients needs to connect."""
    return {
        **librdkafka_properties(addresses, access),
        # As connection.connection: a broker that comes back is tried again within a second.
        "reconnect.backoff.max.ms": 1000,
    }


def admin_client(
    addresses: Mapping[str, str], access: Access = OPEN, *, timeout: float
) -> AdminClient:
    """A client for administration, once a broker has answered it.

    Raises:
        OSError: nobody listens.
        KafkaError: whoever listens does not answer as a broker within ``timeout`` seconds.
    """
    from confluent_kafka.admin import AdminClient

    began = time.monotonic()
    _someone_listens(addresses, timeout)
    client = AdminClient(configuration(addresses, access), logger=silent)
    left = max(0.05, began + timeout - time.monotonic())
    with translated():
        client.describe_cluster(request_timeout=left).result()
    return client


def _someone_listens(addresses: Mapping[str, str], timeout: float) -> None:
    """Refused at once, where the client would go on trying."""
    refused: OSError | None = None
    for server in servers(addresses):
        try:
            socket.create_connection(server, timeout=timeout).close()
        except OSError as error:
            refused = error
        else:
            return
    assert refused is not None
    raise refused


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise kafka-python's errors instead of librdkafka's."""
    import confluent_kafka

    try:
        yield
    except (confluent_kafka.KafkaException, confluent_kafka.KafkaError) as error:
        raise error_of(error) from error


def error_of(error: BaseException) -> KafkaError:
    """kafka-python's error for the same code, in the server's words where it has sent any."""
    from confluent_kafka import KafkaError as Code
    from kafka import errors

    told: Any = error if isinstance(error, Code) else error.args[0]
    if told.code() >= 0 or told.code() == Code.UNKNOWN:
        return errors.for_code(told.code())(told.str())
    own = {
        Code._TIMED_OUT: errors.KafkaTimeoutError,
        Code._UNSUPPORTED_FEATURE: errors.UnsupportedVersionError,
        Code._TRANSPORT: errors.KafkaConnectionError,
        Code._RESOLVE: errors.KafkaConnectionError,
        Code._ALL_BROKERS_DOWN: errors.KafkaConnectionError,
    }
    return own.get(told.code(), errors.KafkaError)(told.str())
