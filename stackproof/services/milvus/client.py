"""Connections to Milvus; collections as what it keeps; vectors written while it is broken."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import grpc
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from stackproof.errors import Trouble, answered, explains
from stackproof.services.base import Endpoint
from stackproof.services.milvus.known import COLOUR, KEY, PRICE, SERVER, VECTOR
from stackproof.urls import path_of

_AT_ONCE = 1000
_PATIENCE = 30.0
_FORBIDDEN = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
#: The library tells of each attempt that fails, at length, although it raises as well.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


def connect(endpoint: Endpoint, *, timeout: float = 10.0) -> MilvusClient:
    """A client with a connection of its own.

    Raises:
        MilvusException: it does not answer.
        Trouble: it lets nobody in with this name and password.
    """
    address, access = endpoint.at(SERVER), endpoint.access
    tls: dict[str, Any] = {}
    if access.tls:
        tls = {"ca_pem_path": access.ca_file, "client_pem_path": access.certificate_file,
               "client_key_path": access.key_file, "secure": True}  # fmt: skip
    scheme = "https" if access.tls else "http"
    try:
        return MilvusClient(
            uri=f"{scheme}://{address.partition('/')[0]}",
            user=access.username,
            password=access.password,
            db_name=path_of(address) or "",
            timeout=timeout,
            dedicated=True,
            **{name: value for name, value in tls.items() if value},
        )
    except MilvusException as error:
        if said := _forbidden(error):
            raise answered("Milvus", "forbidden", said) from error
        raise


def _forbidden(error: BaseException | None) -> str:
    """What the server says to whom it does not let in; the library only says that it failed."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        if isinstance(error, grpc.Call) and error.code() in _FORBIDDEN:
            return str(error.details())
        error = error.__cause__ or error.__context__
    return ""


def make_collection(
    client: MilvusClient, name: str, dimensions: int, *, timeout: float, text_keys: bool = False
) -> None:
    """A collection with the fields of `known`; readers see all that was acknowledged before."""
    schema = client.create_schema(auto_id=False)
    if text_keys:
        schema.add_field(KEY, DataType.VARCHAR, is_primary=True, max_length=500)
    else:
        schema.add_field(KEY, DataType.INT64, is_primary=True)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dimensions)
    schema.add_field(COLOUR, DataType.VARCHAR, max_length=100)
    schema.add_field(PRICE, DataType.INT64)
    client.create_collection(name, schema=schema, consistency_level="Strong", timeout=timeout)


def rows_of(
    client: MilvusClient, name: str, fields: Sequence[str], *, timeout: float, **more: Any
) -> Iterator[Mapping[str, Any]]:
    """Every entity of a loaded collection, as often as it is there."""
    pages = client.query_iterator(
        name, batch_size=_AT_ONCE, output_fields=list(fields), consistency_level="Strong",
        timeout=timeout, **more,
    )  # fmt: skip
    try:
        while page := pages.next():
            yield from page
    finally:
        pages.close()


class Collections:
    """Collections as what is kept; their descriptions are the contents.

    See `stackproof.services.keeping.Keeper`.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float = 10.0):
        self._timeout = timeout
        self._client = connect(endpoint, timeout=timeout)

    def answers(self) -> None:
        """It lists its collections."""
        self._client.list_collections(timeout=self._timeout)

    def put(self, name: str, content: str) -> None:
        """Make a collection; it is not loaded."""
        schema = self._client.create_schema(auto_id=False, description=content)
        schema.add_field(KEY, DataType.INT64, is_primary=True)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=2)
        self._client.create_collection(fitting(name), schema=schema, timeout=self._timeout)

    def get(self, name: str) -> str | None:
        """A collection's description."""
        if not self._client.has_collection(fitting(name), timeout=self._timeout):
            return None
        return str(
            self._client.describe_collection(fitting(name), timeout=self._timeout)["description"]
        )

    def names(self, prefix: str) -> list[str]:
        """Collections, as the server calls them."""
        found = self._client.list_collections(timeout=self._timeout)
        return [name for name in found if name.startswith(fitting(prefix))]

    def drop(self, names: Sequence[str]) -> None:
        """Drop collections; one that is gone already is dropped without an error."""
        for name in names:
            self._client.drop_collection(fitting(name), timeout=self._timeout)

    def close(self) -> None:
        """End its connection."""
        self._client.close()


def fitting(name: str) -> str:
    """A name as Milvus takes it: letters, digits and underscores."""
    return re.sub(r"\W", "_", name)


class VectorsWriter:
    """See `stackproof.services.writer.Writer`; each text is the key of a vector."""

    through = SERVER

    def __init__(self, endpoint: Endpoint, name: str, *, timeout: float):
        self._endpoint, self._name, self._timeout = endpoint, name, timeout
        self._client: MilvusClient | None = connect(endpoint, timeout=timeout)
        make_collection(self._client, name, 2, timeout=timeout, text_keys=True)
        prepare(self._client, name, timeout=60)

    def _connected(self) -> MilvusClient:
        if self._client is None:
            self._client = connect(self._endpoint, timeout=self._timeout)
        return self._client

    def write(self, text: str) -> None:
        """Upsert one vector; a connection that failed is made anew.

        The library repeats a request for want of an answer, for as long as its time-out lasts: an
        insert that is repeated would be there twice.
        """
        client = self._connected()
        row = {KEY: text, VECTOR: [0.5, 1.0], COLOUR: "red", PRICE: 1}
        try:
            client.upsert(self._name, [row], timeout=self._timeout)
        except Exception:
            client.close()
            self._client = None
            raise

    def kept(self) -> list[str]:
        """The keys of all vectors."""
        client = self._connected()
        client.load_collection(self._name, timeout=60)
        return [str(row[KEY]) for row in rows_of(client, self._name, [KEY], timeout=30)]

    def close(self) -> None:
        """Drop the collection; a server that was broken just now takes its time for that."""
        if self._client is not None:
            self._client.close()
        with closing(connect(self._endpoint, timeout=_PATIENCE)) as client:
            client.drop_collection(self._name, timeout=_PATIENCE)


def prepare(
    client: MilvusClient,
    name: str,
    index: str = "FLAT",
    metric: str = "L2",
    parameters: Mapping[str, object] | None = None,
    *,
    timeout: float,
) -> None:
    """Index a collection and load it; returns when it can be searched."""
    wanted = client.prepare_index_params()
    wanted.add_index(VECTOR, index_type=index, metric_type=metric, params=dict(parameters or {}))
    client.create_index(name, wanted, timeout=timeout)
    client.load_collection(name, timeout=timeout)


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of pymilvus, or of gRPC below it, means in words for people; None: neither."""
    if isinstance(error, grpc.Call) and isinstance(error, grpc.RpcError):
        kind = "forbidden" if error.code() in _FORBIDDEN else "lost"
        return answered("Milvus", kind, f"{error.code().name}: {error.details()}")
    if not isinstance(error, MilvusException):
        return None
    said = str(error.message or error)
    if "unauthenticated" in said.lower() or "permission" in said.lower():
        return answered("Milvus", "forbidden", said)
    if "unavailable" in said.lower() or "Fail connecting" in said:
        return answered("Milvus", "lost", said)
    return answered("Milvus", "refused", said)
