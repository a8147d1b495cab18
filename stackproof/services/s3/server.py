"""S3: MinIO, one server with one directory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from typing import Any

from stackproof.access import Access
from stackproof.errors import Trouble
from stackproof.obtain import GoArtifact
from stackproof.services.base import Endpoint, Image
from stackproof.services.keeping import Keeper, KeeperWriter, Keeping
from stackproof.services.location import Location
from stackproof.services.s3.known import PASSWORD, REGION, SERVER, USER
from stackproof.services.where import Node, Where
from stackproof.urls import path_of

_MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
#: It says 200 to a whole request.
_HEALTH = """\
exec 3<>/dev/tcp/127.0.0.1/9000 \
&& printf 'GET /minio/health/ready HTTP/1.0\\r\\n\\r\\n' >&3 \
&& read -r line <&3 && [[ $line == *200* ]]"""


class S3(Keeping):
    """The service ``s3``."""

    name = "s3"
    kept = "bucket"
    title = "S3"
    # It builds for three minutes on a quiet machine, and takes the processors from others.
    server = GoArtifact("minio", "MinIO", _MODULE, deadline=1800.0)
    programs = ("bin",)
    image = Image(
        "S3_IMAGE", "minio/minio:RELEASE.2025-09-07T16-13-09Z", "stackproof/minio:20260212"
    )
    files_suffice = True
    hello = b"GET /minio/health/live HTTP/1.0\r\n\r\n"
    ports: Mapping[str, int] = {"client": 9000}
    options: Mapping[str, Any] = {}
    location = Location(
        plain=("http",),
        encrypted=("https",),
        encrypted_port=443,
        path="region",
        default_path=REGION,
        default_is_implied=True,
        variables={
            "url": ("S3_ENDPOINT_URL", "S3_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL",
                    "MINIO_URL", "MINIO_ENDPOINT"),
            "host": ("S3_HOST", "MINIO_HOST"),
            "port": ("S3_PORT", "MINIO_PORT"),
            "region": ("S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        },
        username=("AWS_ACCESS_KEY_ID", "MINIO_ACCESS_KEY", "MINIO_ROOT_USER"),
        password=("AWS_SECRET_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_ROOT_PASSWORD"),
    )  # fmt: skip

    def nodes(self, where: Where) -> list[Node]:
        """One server; buckets are directories of its own format."""
        address, port = where.listen(SERVER)
        data = where.data(SERVER, "/data")
        argv = [
            where.program("minio"), "server", "--quiet", "--anonymous",
            "--address", f"{'' if address == '*' else address}:{port}",
            # Else a person's own certificates, below the home directory, would make it encrypt.
            "--certs-dir", where.file(SERVER, "certs"),
            data,
        ]  # fmt: skip
        env = {
            "MINIO_ROOT_USER": USER,
            "MINIO_ROOT_PASSWORD": PASSWORD,
            "MINIO_BROWSER": "off",  # nor its port
            "MINIO_UPDATE": "off",  # it would ask its makers
        }
        return [
            Node(SERVER, argv, env=env, data=data, memory_mb=256, health=("bash", "-c", _HEALTH))
        ]

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """See `stackproof.services.nodes.Service.connect`.

        Raises:
            Trouble: also where buckets lie below a path.
        """
        addresses, access = super().connect(texts, access)
        if "/" in (path := path_of(addresses[SERVER])):
            raise Trouble(
                "the URL of S3 cannot be used",
                f"its path, /{path}, is taken for a region: buckets lie directly below the host",
                "name an endpoint without a path, and the region as AWS_REGION",
            )
        return addresses, access

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Keeper:
        """What it keeps are buckets; see `stackproof.services.s3.client`."""
        from stackproof.services.s3.client import BucketKeeper

        return BucketKeeper(endpoint, timeout=timeout)

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> KeeperWriter:
        """Objects in one bucket of this name."""
        from stackproof.services.s3.client import ObjectKeeper

        return KeeperWriter(ObjectKeeper(endpoint, name, timeout=timeout), "text", SERVER)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and whatever it answers that is no success."""
        from botocore.exceptions import BotoCoreError, ClientError

        return (BotoCoreError, ClientError, OSError)

    def version(self, endpoint: Endpoint) -> str:
        """As the server calls itself; none of them tells a number to everybody."""
        from stackproof.services.s3.client import connect

        with closing(connect(endpoint)) as client:
            headers = client.list_buckets()["ResponseMetadata"]["HTTPHeaders"]
        return str(headers.get("server", "a server that does not say its name"))


SERVICE = S3
