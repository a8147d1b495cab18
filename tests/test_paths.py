"""Paths as people write them; the cache's place; programs of the PATH."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.obtain import Cache
from stackproof.paths import absolute, cache_directory, demand_plain, find_program
from stackproof.processes.environment import server_environment
from tests.stack.conftest import posix_only

pytestmark = posix_only


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STACKPROOF_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path / "home"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user ID that the system does not know, in a container, say."""
    monkeypatch.delenv("HOME")

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("a/b", "a/b"), (".cache", ".cache"), ("~/x", "home/x"), ("~", "home")],
)
def test_paths_are_made_absolute(tmp_path: Path, written: str, meant: str) -> None:
    assert absolute(written) == tmp_path / meant
    assert absolute(written, tmp_path) == tmp_path / meant


def test_relative_to_something_else() -> None:
    assert absolute("a", Path("/x")) == Path("/x/a")
    assert absolute("/a", Path("/x")) == Path("/a")


@pytest.mark.parametrize("written", ["~nobody-of-this-name/x", "~/x"])
def test_a_home_that_nobody_knows(homeless: None, written: str) -> None:
    with pytest.raises(Trouble, match="cannot be used"):
        absolute(written)


def test_the_caches_place(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_directory() == home / ".cache" / "stackproof"
    for written, meant in ((".cache", ".cache"), ("~/c", "home/c"), (f"{tmp_path}/c", "c")):
        monkeypatch.setenv("STACKPROOF_CACHE", written)
        assert cache_directory() == tmp_path / meant


def test_no_place_for_the_cache(homeless: None, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache()  # a project without services needs none
    for home in (None, "", "relative"):
        if home is not None:
            monkeypatch.setenv("HOME", home)
        with pytest.raises(Trouble, match="no place to keep") as caught:
            _ = cache.directory
        assert "STACKPROOF_CACHE" in caught.value.remedy and "HOME" in caught.value.remedy
    monkeypatch.setenv("STACKPROOF_CACHE", "/some/place")
    assert cache.directory == Path("/some/place/servers")


@pytest.mark.parametrize("name", ["a:b", "a;b", "a!", "a\nb", "a\tb", "a\udce4"])
def test_a_cache_whose_name_would_not_do(name: str) -> None:
    with pytest.raises(Trouble, match="does not cope with") as caught:
        _ = Cache(Path("/x") / name).directory
    assert "STACKPROOF_CACHE" in caught.value.remedy


@pytest.mark.parametrize("name", ["a b", "prüfung", "x,y", "b\\s", "100%", "$HOME", "日本"])
def test_other_names_do(name: str) -> None:
    assert Cache(Path("/x") / name).directory == Path("/x") / name / "servers"
    demand_plain(Path("/x") / name, "it")


@pytest.mark.parametrize("entry", ["tools", "./tools", "{here}/tools"])
def test_programs_are_found_by_their_own_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "multi").write_text("#!/bin/sh\n")
    (tools / "multi").chmod(0o755)
    (tools / "node").symlink_to("multi")
    monkeypatch.setenv("PATH", entry.format(here=tmp_path))
    assert find_program("node") == tools / "node"
    assert find_program("nothing") is None
    monkeypatch.setenv("PATH", "")
    assert find_program("node", str(tools)) == tools / "node"


def test_what_servers_see_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = {
        "JAVA_TOOL_OPTIONS": "-XX:+UseG1GC", "JDK_JAVA_OPTIONS": "-Xms2g", "CLASSPATH": "x",
        "_JAVA_OPTIONS": "-Xmx24m", "IBM_JAVA_OPTIONS": "x", "JAVA_OPTS": "x", "KAFKA_OPTS": "x",
        "KAFKA_HEAP_OPTS": "-Xmx1g", "KAFKA_LOG4J_OPTS": "x", "LOG4J_CONFIGURATION_FILE": "x",
        "LOG4J_LEVEL": "x", "ERL_FLAGS": "+P 1", "ERL_AFLAGS": "x", "ERL_LIBS": "x",
        "ERL_CRASH_DUMP": "x", "RABBITMQ_NODENAME": "x", "RABBITMQ_PORT": "tcp://10.0.0.1:5672",
        "RABBITMQ_LOGS": "x", "LD_PRELOAD": "x", "MALLOC_CONF": "x", "LC_CTYPE": "C",
        "REDIS_PASSWORD": "secret", "KAFKA_PASSWORD": "secret",
    }  # fmt: skip
    for name, text in hostile.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("MISE_DATA_DIR", "/opt/mise")
    seen = server_environment({"OWN": "1", "ERL_LIBS": "libraries"})
    assert not {n for n in hostile if n in seen} - {"ERL_LIBS"}
    assert seen["ERL_LIBS"] == "libraries" and seen["OWN"] == "1"
    assert seen["PATH"] == os.environ["PATH"] and seen["MISE_DATA_DIR"] == "/opt/mise"
    assert seen["LC_ALL"] == "C.UTF-8"
