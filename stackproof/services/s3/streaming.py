"""Objects larger than anybody wants in memory: streamed up and down, and measured."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import psutil
from boto3.s3.transfer import TransferConfig

from stackproof.history import Registers
from stackproof.services.fixture import Scenario
from stackproof.services.s3.fixture import ObjectsFixture
from stackproof.workloads import Task

_MIB = 1024 * 1024
_PART = 8 * _MIB
_LOOK = 0.02  # seconds between looks at the memory


class Stream:
    """So many bytes that are never in memory together, to be read like a file; others by seed."""

    def __init__(self, size: int, seed: bytes):
        self._left = size
        self._blocks = self._made(seed)
        self._rest = b""

    @staticmethod
    def _made(seed: bytes) -> Iterator[bytes]:
        block = hashlib.shake_256(seed).digest(_MIB)
        number = 0
        while True:
            yield number.to_bytes(8) + block[8:]
            number += 1

    def read(self, size: int = -1) -> bytes:
        """The next bytes; all that are left, if no size is given."""
        wanted = self._left if size < 0 else min(size, self._left)
        parts = [self._rest]
        have = len(self._rest)
        while have < wanted:
            parts.append(next(self._blocks))
            have += _MIB
        joined = b"".join(parts)
        self._rest = joined[wanted:]
        self._left -= wanted
        return joined[:wanted]

    def digest(self) -> str:
        """Of all that is left."""
        found = hashlib.sha256()
        while block := self.read(_MIB):
            found.update(block)
        return found.hexdigest()


class Streaming:
    """Streams objects of the scenario's bucket.

    Attributes:
        grown: by how much this process's memory has grown at most, in MiB, since the first one.
    """

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._objects = scenario.use(ObjectsFixture)
        self._rounds = 0
        self._process = psutil.Process()
        self._before = 0
        self.grown = 0.0

    def _look(self, task: Task) -> None:
        while task.pause(_LOOK):
            now = self._process.memory_info().rss
            self.grown = max(self.grown, (now - self._before) / _MIB)

    def expected(self) -> Registers:
        """Each download is what was uploaded last."""
        return self._objects.expected()

    def up_and_down(self, megabytes: int, key: str = "large.bin") -> dict[str, float]:
        """Upload that many million bytes in parts of 8 MiB, and download them in one request.

        Returns:
            megabytes a second of both.
        """
        self._rounds += 1
        size, seed = megabytes * 1_000_000, f"{self._scenario.seed} {self._rounds}".encode()
        told = f"{size} bytes, SHA-256 {Stream(size, seed).digest()}".encode()
        bucket = self._objects.bucket
        parts = TransferConfig(
            multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=2
        )
        parts.max_in_memory_upload_chunks = 2
        self._before = self._before or self._process.memory_info().rss
        with Task(self._look, name="memory"):
            began = time.perf_counter()
            with bucket.writing(key, told):
                bucket.client.upload_fileobj(Stream(size, seed), bucket.name, key, Config=parts)
            up = time.perf_counter() - began
            began = time.perf_counter()
            with bucket.reading(key) as answer:
                found, length = hashlib.sha256(), 0
                body = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"]
                for chunk in body.iter_chunks(_MIB):
                    found.update(chunk)
                    length += len(chunk)
                answer.value = f"{length} bytes, SHA-256 {found.hexdigest()}"
            down = time.perf_counter() - began
        self._scenario.figure("memory grew by", f"{self.grown:.0f} MiB")
        return {"upload": megabytes / up, "download": megabytes / down}
