"""Images of an engine that pulls, but cannot say beforehand whether it will."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.services.base import Image
from stackproof.stack.docker.engine import Engine
from stackproof.stack.docker.images import Images
from tests.stack.conftest import posix_only

pytestmark = posix_only


class Stub(BaseHTTPRequestHandler):
    """As much of an engine as obtaining images needs."""

    inquiry = 404
    can_pull = True
    pulls = 0

    def address_string(self) -> str:
        return "-"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if "/distribution/" in self.path:
            self._say(self.inquiry, {"message": "Not Found"})
        else:
            there = type(self).pulls and self.can_pull
            self._say(200 if there else 404, {"Id": "sha256:1", "message": "no such image"})

    def do_POST(self) -> None:
        type(self).pulls += 1
        self._say(200, {"status": "Pull complete"} if self.can_pull else {"error": "no route"})

    def _say(self, code: int, body: dict[str, str]) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Stub], Images]]:
    monkeypatch.delenv("SOME_IMAGE", raising=False)
    kind = type("Kind", (Stub,), {})
    path = tmp_path / "engine"
    with socketserver.ThreadingUnixStreamServer(str(path), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kind, Images(Engine(f"unix://{path}", "4.3.1", "1.41"))
        server.shutdown()


@pytest.mark.parametrize("code", [403, 404, 500, 501])
def test_a_pull_is_tried_before_giving_up(stub: tuple[type[Stub], Images], code: int) -> None:
    engine, images = stub
    engine.inquiry = code
    assert images.obtain(Image("SOME_IMAGE", "some:1"), "Some", print) == "some:1"
    assert engine.pulls == 1


def test_what_both_say_is_told(stub: tuple[type[Stub], Images]) -> None:
    engine, images = stub
    engine.can_pull = False
    with pytest.raises(Trouble, match=r"Not Found; (.|\n)*no route"):
        images.obtain(Image("SOME_IMAGE", "some:1"), "Some", print)


def test_an_engine_that_cannot_be_asked_is_tried(stub: tuple[type[Stub], Images]) -> None:
    engine, images = stub
    assert images.refused("some:1") is None
    assert engine.pulls == 1


def test_one_that_cannot_pull_either_is_told_of(stub: tuple[type[Stub], Images]) -> None:
    engine, images = stub
    engine.can_pull = False
    assert re.match(r"Not Found; (.|\n)*no route", images.refused("some:1") or "")


def test_nothing_is_pulled_where_the_registry_is_known_to_have_it(
    stub: tuple[type[Stub], Images],
) -> None:
    engine, images = stub
    engine.inquiry = 200
    assert images.refused("some:1") is None
    assert engine.pulls == 0
