"""The watching of runs can fail: a secret that is somewhere is found."""

from __future__ import annotations

import base64
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from stackproof.polling import poll
from tests.external.running import _in_command_lines, _in_files, _mark

SECRET = "pw+0a1b2c3d4e5f/ü \"'\\x"


@pytest.mark.parametrize(
    "content",
    [
        SECRET.encode(),
        repr(SECRET).encode(),
        base64.b64encode(SECRET.encode()),
        base64.b64encode(b"\0suite\0" + SECRET.encode()),
        base64.b64encode(b"u:" + SECRET.encode()),
        gzip.compress(b"x" + SECRET.encode()),
    ],
)
def test_a_secret_in_a_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "some.log"
    file.write_bytes(b"before " + content if not content.startswith(b"\x1f") else content)
    assert list(_in_files(tmp_path, [_mark(SECRET)])) == [str(file)]


def test_where_a_secret_may_lie(tmp_path: Path) -> None:
    file = tmp_path / "runs" / "r1" / "kafka-client.properties"
    file.parent.mkdir(parents=True)
    file.write_text(SECRET)
    file.chmod(0o600)
    assert list(_in_files(tmp_path, [_mark(SECRET)])) == []
    file.chmod(0o640)
    assert list(_in_files(tmp_path, [_mark(SECRET)])) == [str(file)]


def test_a_secret_on_a_command_line() -> None:
    argv = [sys.executable, "-S", "-c", "import signal; signal.pause()", f"--password={SECRET}"]
    process = subprocess.Popen(argv)
    try:
        poll(
            lambda: list(_in_command_lines(process.pid, [_mark(SECRET)])),
            within=10,
            awaiting="the secret to be found",
        )
        assert not list(_in_command_lines(process.pid, [_mark("another-0f1e2d3c4b5a")]))
    finally:
        process.kill()
        process.wait()
