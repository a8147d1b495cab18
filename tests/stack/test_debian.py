"""Servers from Debian's packages: with apt itself, configured to be in every kind of trouble."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.obtain import Cache, DebianArtifact
from stackproof.obtain.debian import BASE, Package, library_path
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


class Apt:
    """Stands in for apt's answer, and counts how often it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.asked = 0
        self.answer = (Package(SERVER, "5:7.0", "amd64"),)
        monkeypatch.setattr(DebianArtifact, "_resolved", lambda _: self.resolved())

    def resolved(self) -> tuple[Package, ...]:
        self.asked += 1
        return self.answer


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configured) -> Apt:
    """apt that is asked for the first time, with a list of packages of its own."""
    monkeypatch.setenv("STACKPROOF_CACHE", str(tmp_path / "kept"))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "somewhere_Packages").write_text("Package: one\n")
    configured(f'Dir::State::lists "{tmp_path}/lists"')
    made = Apt(monkeypatch)
    assert artifact().packages == made.answer
    return made


def test_apt_is_asked_once(apt: Apt) -> None:
    assert artifact().packages == apt.answer
    assert apt.asked == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda place, configured: (place / "lists/somewhere_Packages").write_text("Package: two\n"),
        lambda place, configured: (place / "lists/elsewhere_Packages").write_text(""),
        lambda place, configured: os.utime(place / "lists/somewhere_Packages", (1, 1)),
        lambda place, configured: configured(
            f'Dir::State::lists "{place}/lists"', 'APT::Default-Release "other"'
        ),
        lambda place, configured: next((place / "kept/debian").iterdir()).write_text("[["),
        lambda place, configured: next((place / "kept/debian").iterdir()).write_text("[]"),
        lambda place, configured: next((place / "kept/debian").iterdir()).unlink(),
    ],
    ids=["a list", "another list", "the same list later", "settings", "torn", "empty", "gone"],
)
def test_apt_is_asked_again_when_something_has_changed(
    apt: Apt, tmp_path: Path, configured, change
) -> None:
    change(tmp_path, configured)
    apt.answer = (Package(SERVER, "5:8.0", "amd64"),)
    assert artifact().packages == apt.answer
    assert apt.asked == 2
    assert len(list((tmp_path / "kept/debian").iterdir())) == 1  # the earlier one is forgotten
    assert artifact().packages == apt.answer
    assert apt.asked == 2


def test_apt_is_asked_for_each_package(apt: Apt) -> None:
    assert artifact(without=("libssl3",)).packages == apt.answer
    apt.answer = (Package("redis", "5:7.0", "amd64"),)
    assert artifact("redis").packages == apt.answer
    assert apt.asked == 3


def test_apt_is_asked_each_time_where_its_answer_cannot_be_kept(
    apt: Apt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STACKPROOF_CACHE", str(tmp_path / "file"))
    for asked in (2, 3):
        assert artifact().packages == apt.answer
        assert apt.asked == asked


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
