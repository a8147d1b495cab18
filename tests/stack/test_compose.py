"""Finding Compose: the machine's own, or the one that was built here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from stackproof import cli, paths
from stackproof.errors import Trouble
from stackproof.obtain import Cache, Say
from stackproof.stack.docker import compose
from tests.stack.conftest import posix_only

pytestmark = posix_only


def program(file: Path, version: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho {version}\n")
    file.chmod(0o755)
    return file


@dataclass(frozen=True)
class Built:
    """In place of one that Go builds for minutes."""

    key: str = "docker-compose-test"
    title: str = "Docker Compose"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        program(into / "docker-compose", "2.40.3")

    def program(self, cache: Cache) -> Path:
        return cache.path(self) / "docker-compose"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of programs; empty."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(compose, "COMPOSE", Built())
    return tmp_path / "bin"


def test_without_any(machine: Path) -> None:
    with pytest.raises(Trouble, match="Docker Compose is missing") as caught:
        compose.find_compose()
    assert "stackproof images compose" in caught.value.remedy
    assert not compose.usable()


def test_the_machines_own_comes_first(machine: Path) -> None:
    Cache().ensure(Built(), lambda line: None)
    alone = program(machine / "docker-compose", "v2.23.1")
    assert compose.find_compose() == ((str(alone),), "2.23.1")
    plugin = program(machine / "docker", "v2.24.0")
    assert compose.find_compose() == ((str(plugin), "compose"), "2.24.0")


@pytest.mark.parametrize("own", ["2.11.0", "v2.23.0", "", "docker: 'compose' is no command"])
def test_one_that_is_built_here_stands_in(
    machine: Path, own: str, capsys: pytest.CaptureFixture
) -> None:
    program(machine / "docker", own)
    with pytest.raises(Trouble):
        compose.find_compose()
    assert cli.main(["images", "compose"]) == 0
    built = str(Built().program(Cache()))
    assert capsys.readouterr().out == f"{built}\n"
    assert compose.find_compose() == ((built,), "2.40.3")


def test_too_old_is_told(machine: Path) -> None:
    program(machine / "docker", "2.11.0")
    with pytest.raises(Trouble, match="Docker Compose cannot be used") as caught:
        compose.find_compose()
    assert caught.value.why.endswith("docker compose is version 2.11.0")


def test_an_image_that_there_is_no_recipe_for(capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["images", "compost"]) == 2
    assert ", redis, " in (err := capsys.readouterr().err)
    assert ", compose" in err
