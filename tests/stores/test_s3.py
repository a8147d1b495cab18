"""A real object store: what it keeps, what runs leave on it, how its endpoint is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from stackproof.errors import NotSupported, Passing, Trouble, explained
from stackproof.services.base import Requirement
from stackproof.services.external import connect as connect_external
from stackproof.services.external import connection_settings
from stackproof.services.s3.client import (
    BucketKeeper,
    ClientError,
    ObjectKeeper,
    bucket_names,
    connect,
    drop_bucket,
    make_bucket,
)
from stackproof.services.s3.server import S3
from stackproof.services.s3.streaming import Stream
from stackproof.stack.native import NativeCluster
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeCluster]:
    with native(tmp_path_factory.mktemp("s3"), time_factor=2) as provider:
        provider.obtain(S3(), lambda _: None)
        yield provider.start(S3(), Requirement("s3", (), dedicated=True), "s3-1")


@pytest.fixture
def keeper(server: NativeCluster) -> Iterator[BucketKeeper]:
    with closing(BucketKeeper(server.endpoint, timeout=20)) as opened:
        yield opened


def test_a_check_leaves_nothing(server: NativeCluster, keeper: BucketKeeper) -> None:
    before = keeper.names("stackproof-check")  # while it started, one may have been given up
    S3().check(server.endpoint, timeout=20)
    assert keeper.names("stackproof-check") == before


def test_what_is_kept_is_listed_and_dropped(keeper: BucketKeeper) -> None:
    keeper.put("left-a", "first")
    keeper.put("left-a", "second")
    keeper.put("left-b", "third")
    assert sorted(keeper.names("left-")) == ["left-a", "left-b"]
    assert keeper.get("left-a") == "second"
    keeper.drop(["left-a", "left-never"])
    assert keeper.names("left-") == ["left-b"]
    assert keeper.get("left-a") is None
    keeper.drop(["left-b"])


def test_a_bucket_goes_with_all_that_is_in_it(server: NativeCluster) -> None:
    client = connect(server.endpoint)
    make_bucket(client, "full")
    make_bucket(client, "full")  # it is there already
    client.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    for content in (b"a", b"b"):
        client.put_object(Bucket="full", Key="versions", Body=content)
    client.delete_object(Bucket="full", Key="marker")
    client.create_multipart_upload(Bucket="full", Key="unfinished")
    for number in range(1010):
        client.put_object(Bucket="full", Key=f"{number}", Body=b"")
    drop_bucket(client, "full")
    assert bucket_names(client, "full") == []
    drop_bucket(client, "full")


def test_objects_in_a_bucket_of_their_own(server: NativeCluster, keeper: BucketKeeper) -> None:
    with closing(ObjectKeeper(server.endpoint, "stackproof-w", timeout=20)) as objects:
        for number in range(1010):
            objects.put(f"text-{number}", f"{number}")
        assert len(objects.names("text-")) == 1010
        assert objects.get("text-7") == "7"
        assert objects.get("never") is None
        objects.drop(objects.names("text-1"))
        assert len(objects.names("")) == 1010 - 121
    assert keeper.names("stackproof-w") == []


def test_runs_are_cleared_by_name(server: NativeCluster, keeper: BucketKeeper) -> None:
    service = S3()
    keeper.put("stackproof-r1-s1-bucket", "text")
    left = service.leftovers(server.endpoint, "stackproof-r1-")
    assert [str(one) for one in left] == ["bucket stackproof-r1-s1-bucket"]
    service.remove(server.endpoint, left)
    assert service.leftovers(server.endpoint, "stackproof-r1-") == []


def test_it_says_who_it_is(server: NativeCluster) -> None:
    assert S3().version(server.endpoint) == "MinIO"


def test_a_person_s_own_configuration_is_for_other_programs(
    server: NativeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_PROFILE": "of-somebody",
        "AWS_ACCESS_KEY_ID": "of-somebody",
        "AWS_SECRET_ACCESS_KEY": "of-somebody",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    assert connect(server.endpoint).list_buckets()["Owner"]


# -- endpoints -----------------------------------------------------------------
def test_an_endpoint_is_named_by_the_field_s_own_variables() -> None:
    named = {one.key: one.variables for one in connection_settings(S3())}
    assert {"S3_ENDPOINT_URL", "AWS_ENDPOINT_URL", "MINIO_ENDPOINT"} <= {*named["url"]}
    assert {"S3_USERNAME", "AWS_ACCESS_KEY_ID", "MINIO_ROOT_USER"} <= {*named["username"]}
    assert {"S3_PASSWORD", "AWS_SECRET_ACCESS_KEY"} <= {*named["password"]}
    assert {"S3_REGION", "AWS_REGION"} <= {*named["region"]}


@pytest.mark.parametrize(
    ("texts", "address"),
    [
        ({"url": "http://u:p@storage.example:9000"}, "storage.example:9000"),
        ({"url": "https://storage.example/eu-west-1"}, "storage.example:443/eu-west-1"),
        ({"host": "h", "region": "garage"}, "h:9000/garage"),
    ],
)
def test_an_endpoint_has_an_address_and_a_region(texts: dict[str, str], address: str) -> None:
    addresses, _ = connect_external(S3(), texts)
    assert addresses == {"server": address}


def test_an_endpoint_with_a_path_is_refused() -> None:
    with pytest.raises(Trouble, match="/storage/v1/s3, is taken for a region"):
        connect_external(S3(), {"url": "https://storage.example/storage/v1/s3"})


@pytest.mark.parametrize("region", ["us-east-1", "garage"])
def test_a_bucket_is_made_in_the_region_of_its_client(region: str) -> None:
    asked = []

    class Client:
        class meta:  # noqa: N801 -- as boto has it
            region_name = region

        def create_bucket(self, **how: Any) -> None:
            asked.append(how)

    make_bucket(Client(), "b")
    told = asked[0].get("CreateBucketConfiguration")
    assert told == (None if region == "us-east-1" else {"LocationConstraint": region})


# -- what refusals mean --------------------------------------------------------
def refused(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject"
    )


@pytest.mark.parametrize(
    ("code", "status", "kind", "told"),
    [
        ("NotImplemented", 501, NotSupported, "does not offer"),
        ("SlowDown", 503, Passing, "is lost"),
        ("XMinioServerNotInitialized", 503, Passing, "is lost"),
        ("AccessDenied", 403, Trouble, "AWS_ACCESS_KEY_ID"),
        ("RequestTimeTooSkewed", 403, Trouble, "clocks"),
        ("SomethingElse", 400, Trouble, "refuses"),
    ],
)
def test_refusals_are_explained(code: str, status: int, kind: type[Trouble], told: str) -> None:
    found = explained(refused(code, status))
    assert type(found) is kind
    assert told in str(found)


def test_wrong_credentials_are_told(server: NativeCluster) -> None:
    client = connect(server.endpoint, key=("somebody", "else-and-else"))
    with pytest.raises(ClientError) as caught:
        client.list_buckets()
    assert "correct AWS_ACCESS_KEY_ID" in str(explained(caught.value))


# -- streams -------------------------------------------------------------------
def test_a_stream_is_the_same_however_it_is_read() -> None:
    whole = Stream(2_500_000, b"seed").read()
    assert len(whole) == 2_500_000
    pieces = Stream(2_500_000, b"seed")
    assert b"".join(iter(lambda: pieces.read(700_001), b"")) == whole
    assert Stream(2_500_000, b"other").read() != whole
    assert whole[:1000] != whole[1024 * 1024 : 1024 * 1024 + 1000]
