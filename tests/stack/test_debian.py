"""Servers from Debian's packages: with apt itself, configured to be in every kind of trouble."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.obtain import Cache, DebianArtifact
from stackproof.obtain.debian import BASE, library_path
from tests.stack.conftest import posix_only

pytestmark = [
    posix_only,
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt on this system"),
]
SERVER, PROGRAM = "redis-server", "usr/bin/redis-server"


def artifact(package: str = SERVER, **changes: object) -> DebianArtifact:
    return DebianArtifact(package, "Toy", **{"proof": (PROGRAM, "--version"), **changes})


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes apt read further configuration."""

    def configure(*lines: str) -> None:
        file = tmp_path / "apt.conf"
        file.write_text("".join(f"{line};\n" for line in lines))
        monkeypatch.setenv("APT_CONFIG", str(file))

    return configure


@pytest.fixture(scope="module")
def obtained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    said: list[str] = []
    cache = Cache(tmp_path_factory.mktemp("cache"))
    place = cache.ensure(artifact(), said.append)
    assert "obtaining" in said[0]
    assert cache.verify(artifact()) is None
    return place


def test_it_runs_from_the_cache_alone(obtained: Path) -> None:
    """With an environment of its own: nothing of this machine's libraries by chance."""
    done = subprocess.run(
        [obtained / PROGRAM, "--version"], env=library_path(obtained), capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert "Redis server" in done.stdout


def test_the_libraries_are_its_own(obtained: Path) -> None:
    done = subprocess.run(
        ["ldd", obtained / PROGRAM], env={**os.environ, **library_path(obtained)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    crypto = next(line for line in done.stdout.splitlines() if "libcrypto" in line)
    assert str(obtained) in crypto
    library = next(line for line in done.stdout.splitlines() if "libc.so" in line)
    assert str(obtained) not in library


def test_nothing_is_installed_and_no_archive_is_kept(obtained: Path) -> None:
    asked = subprocess.run(["dpkg", "-s", SERVER], capture_output=True, text=True)
    assert "Status: install ok installed" not in asked.stdout, "this machine proves nothing"
    assert not list(obtained.rglob("*.deb"))


def test_the_base_is_left_out_and_what_is_installed_here_is_not() -> None:
    names = [package.name for package in artifact().packages]
    assert SERVER in names
    assert "libssl3" in names or "libssl3t64" in names  # Python needs it on every machine
    assert not set(names) & set(BASE)


def test_the_key_holds_every_version(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = artifact(), artifact()
    assert one.key == other.key
    changed = [*other.packages]
    changed[0] = type(changed[0])(changed[0].name, "0:0.0", changed[0].architecture)
    other.__dict__["packages"] = tuple(changed)
    assert one.key != other.key
    assert one.key.rpartition("-")[0] == other.key.rpartition("-")[0]


def test_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Trouble, match="cannot be obtained on this system"):
        _ = artifact().key


def test_empty_lists(tmp_path: Path, configured) -> None:
    (tmp_path / "lists").mkdir()
    configured(f'Dir::State::lists "{tmp_path}/lists"', 'Dir::Cache::pkgcache ""',
               'Dir::Cache::srcpkgcache ""')  # fmt: skip
    with pytest.raises(Trouble, match="lists of packages are empty") as caught:
        _ = artifact().key
    assert "apt-get update" in caught.value.remedy


def test_an_unknown_package() -> None:
    with pytest.raises(Trouble, match="no package 'redis-sever'"):
        _ = artifact("redis-sever").key


def test_an_archive_that_cannot_be_reached(tmp_path: Path, configured) -> None:
    configured('Acquire::http::Proxy "http://127.0.0.1:9"',
               'Acquire::https::Proxy "http://127.0.0.1:9"', 'Acquire::Retries "0"')  # fmt: skip
    cache = Cache(tmp_path / "cache")
    with pytest.raises(Trouble, match="apt-get ended with exit code 100") as caught:
        cache.ensure(artifact(), lambda _: None)
    assert "127.0.0.1" in caught.value.why
    assert not cache.has(artifact())


def test_a_server_that_does_not_start(tmp_path: Path) -> None:
    broken = artifact(proof=(PROGRAM, "--no-such-argument"))
    cache = Cache(tmp_path / "cache")
    with pytest.raises(Trouble, match="could not be obtained"):
        cache.ensure(broken, lambda _: None)
    assert not cache.has(broken)
