"""The cache of servers: whole or absent, built once, and honest about damage."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.obtain import Cache, MavenArtifact, Say
from stackproof.obtain import cache as cache_module
from stackproof.obtain import maven as maven_module
from stackproof.paths import cache_directory
from stackproof.polling import poll
from tests.stack.conftest import PATIENCE, PROGRAMS, await_gone, await_text, posix_only

WHOLE = "['.manifest.json', 'first', 'second']\n"


@dataclass
class Toy:
    """Two files; `broken` fails between them."""

    broken: BaseException | None = None
    builds: int = 0
    key: str = "toy-1.0"
    title: str = "Toy 1.0"
    seen: list[list[str]] = field(default_factory=list)

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        self.builds += 1
        self.seen.append([p.name for p in into.iterdir()])
        (into / "lib").mkdir()
        (into / "lib" / "one.jar").write_text("one")
        if self.broken:
            raise self.broken
        (into / "two.txt").write_text("two")
        say(f"built {self.builds}")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def said() -> list[str]:
    return []


def entries(cache: Cache) -> list[str]:
    return sorted(p.name for p in cache.directory.iterdir() if p.suffix != ".lock")


# -- once --------------------------------------------------------------------
def test_an_artifact_is_built_once(cache: Cache, said: list[str]) -> None:
    toy = Toy()
    assert not cache.has(toy)
    place = cache.ensure(toy, said.append)
    assert place == cache.path(toy)
    assert (place / "lib" / "one.jar").read_text() == "one"
    assert cache.has(toy)
    assert cache.ensure(toy, said.append) == place
    assert toy.builds == 1
    assert said == ["built 1"]
    assert entries(cache) == ["toy-1.0"]


def test_two_runs_at_once_build_it_once(tmp_path: Path, program: Callable) -> None:
    builds, gate = tmp_path / "builds", tmp_path / "gate"
    runs = [
        program("builder", tmp_path / "cache", builds, gate, quick=False, stdout=subprocess.PIPE,
                text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        for _ in range(2)
    ]  # fmt: skip
    # Whoever comes second says that it waits; only then may the first go on.
    firsts: list[str] = []
    readers = [threading.Thread(target=lambda r=r: firsts.append(r.stdout.readline()))
               for r in runs]  # fmt: skip
    for reader in readers:
        reader.start()
    poll(lambda: firsts, within=PATIENCE, awaiting="one to wait for the other")
    assert firsts == ["Slow 1.0: another run is obtaining it\n"]
    gate.touch()
    for reader in readers:
        reader.join(PATIENCE)
    rest = [run.communicate(timeout=PATIENCE)[0] for run in runs]
    assert builds.read_text() == "build\n"
    assert sorted([*firsts, *rest]) == sorted(
        [WHOLE, "Slow 1.0: another run is obtaining it\n", WHOLE, ""]
    )


@pytest.mark.parametrize("how", ["kill", pytest.param("terminate", marks=posix_only)])
def test_a_killed_build_leaves_nothing_half(tmp_path: Path, program: Callable, how: str) -> None:
    builds, gate = tmp_path / "builds", tmp_path / "gate"
    arguments = ("builder", tmp_path / "cache", builds, gate)
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    first = program(*arguments, quick=False, env=env)
    await_text(builds)
    getattr(first, how)()
    first.wait(PATIENCE)
    assert not (tmp_path / "cache" / "servers" / "slow-1.0").exists()
    gate.touch()
    second = program(*arguments, quick=False, env=env, stdout=subprocess.PIPE, text=True)
    assert second.communicate(timeout=PATIENCE)[0] == WHOLE
    assert not list((tmp_path / "cache" / "servers").glob("*.partial"))


@pytest.mark.parametrize(
    "error", [Trouble("no network"), KeyboardInterrupt(), RuntimeError("a bug")]
)
def test_a_build_that_fails_leaves_nothing(
    cache: Cache, said: list[str], error: BaseException
) -> None:
    toy = Toy(broken=error)
    with pytest.raises(type(error)):
        cache.ensure(toy, said.append)
    assert entries(cache) == []
    toy.broken = None
    cache.ensure(toy, said.append)  # the lock is free again
    assert toy.seen == [[], []]  # it begins with an empty directory


def test_giving_up_ends_the_wait_for_another_run(cache: Cache, said: list[str]) -> None:
    from filelock import FileLock

    cache.directory.mkdir(parents=True)
    errors: list[BaseException] = []

    def ensure() -> None:
        try:
            cache.ensure(Toy(), said.append)
        except Trouble as trouble:
            errors.append(trouble)

    with FileLock(cache.directory / "toy-1.0.lock"):
        waiting = threading.Thread(target=ensure)
        waiting.start()
        poll(lambda: said, within=PATIENCE, awaiting="it to wait")
        cache.give_up()
        waiting.join(PATIENCE)
        assert not waiting.is_alive()
    assert [str(e).splitlines()[0] for e in errors] == ["obtaining servers was given up"]
    with pytest.raises(Trouble, match="given up"):
        cache.ensure(Toy(), said.append)


def test_waiting_for_another_run_has_an_end(
    cache: Cache, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(cache_module, "_LOCK_WITHIN", 0.05)
    cache.directory.mkdir(parents=True)
    with (
        FileLock(cache.directory / "toy-1.0.lock"),
        pytest.raises(Trouble, match=r"another run has been at it.*\n.*toy-1.0.lock"),
    ):
        cache.ensure(Toy(), said.append)


# -- damage ------------------------------------------------------------------
def lose(place: Path) -> None:
    (place / "lib" / "one.jar").unlink()


def truncate(place: Path) -> None:
    (place / "lib" / "one.jar").write_text("on")


def lose_manifest(place: Path) -> None:
    (place / ".manifest.json").unlink()


def spoil_manifest(text: str) -> Callable[[Path], None]:
    def spoil(place: Path) -> None:
        (place / ".manifest.json").write_text(text)

    return spoil


def become_file(place: Path) -> None:
    for file in ("lib/one.jar", "two.txt", ".manifest.json"):
        (place / file).unlink()
    (place / "lib").rmdir()
    place.rmdir()
    place.write_text("not a directory")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lose, f"lib{os.sep}one.jar is missing"),
        (truncate, f"lib{os.sep}one.jar has 2 bytes instead of 3"),
        (lose_manifest, "it was never completed"),
        (spoil_manifest("{"), "its manifest cannot be read"),
        (spoil_manifest("[]"), "its manifest cannot be read"),
        (spoil_manifest('{"two.txt": 3}'), "its manifest cannot be read"),
        (become_file, "its manifest cannot be read"),
    ],
)
def test_a_damaged_artifact_is_built_anew_and_says_so(
    cache: Cache, said: list[str], harm: Callable[[Path], None], told: str
) -> None:
    toy = Toy()
    place = cache.ensure(toy, said.append)
    harm(place)
    assert not cache.has(toy)
    assert told in (cache.verify(toy) or "")
    said.clear()
    cache.ensure(toy, said.append)
    assert said[0].startswith(f"Toy 1.0: damaged in the cache ({told}")
    assert said[0].endswith("), obtained anew")
    assert said[1:] == ["built 2"]
    assert cache.verify(toy) is None
    assert entries(cache) == ["toy-1.0"]


def test_changed_content_is_found_by_verify(cache: Cache, said: list[str]) -> None:
    toy = Toy()
    place = cache.ensure(toy, said.append)
    assert cache.verify(toy) is None
    (place / "two.txt").write_text("owt")
    assert cache.verify(toy) == "two.txt has other content"
    assert cache.has(toy)  # sizes only: each start asks this


def test_added_files_are_found_by_verify(cache: Cache, said: list[str]) -> None:
    toy = Toy()
    place = cache.ensure(toy, said.append)
    (place / "lib" / "stray.jar").touch()  # would end up on the class path
    assert cache.verify(toy) == f"lib{os.sep}stray.jar does not belong to it"


def test_the_manifest_lists_every_file(cache: Cache, said: list[str]) -> None:
    place = cache.ensure(Toy(), said.append)
    manifest = json.loads((place / ".manifest.json").read_text())
    assert {name: size for name, (size, _) in manifest.items()} == {
        f"lib{os.sep}one.jar": 3,
        "two.txt": 3,
    }


# -- where it cannot be written ----------------------------------------------
def test_a_cache_that_cannot_be_written(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    with pytest.raises(Trouble, match=r"Toy 1\.0 could not be put into the cache") as caught:
        Cache(tmp_path / "cache").ensure(Toy(), said.append)
    assert str(tmp_path / "cache") in str(caught.value)
    assert "STACKPROOF_CACHE" in caught.value.remedy


def test_a_full_disk(cache: Cache, said: list[str]) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(Trouble, match="No space left on device") as caught:
        cache.ensure(Toy(broken=full), said.append)
    assert "free some space" in caught.value.remedy
    assert entries(cache) == []


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STACKPROOF_CACHE", "here")
    assert cache_directory() == tmp_path / "here"  # absolute: servers run elsewhere
    monkeypatch.delenv("STACKPROOF_CACHE")
    assert cache_directory().name == "stackproof"
    assert cache_directory().is_absolute()


# -- programs ----------------------------------------------------------------
def test_a_programs_end_is_told(cache: Cache) -> None:
    code = "import sys; print('out'); print('error', file=sys.stderr); sys.exit(4)"
    ended = cache.run([sys.executable, "-c", code], within=PATIENCE)
    assert ended.code == 4
    assert sorted(ended.output.split()) == ["error", "out"]


def test_a_program_that_cannot_be_started(cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="none cannot be started"):
        cache.run([str(tmp_path / "none")], within=1)


# -- Maven -------------------------------------------------------------------
JARS = MavenArtifact("jars-1.0", "Jars 1.0", ("org.a:one:1.0", "org.b:two&more:2.0"))


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stand-in for Maven on the PATH; what it was told is in the returned file."""
    place = tmp_path / "bin"
    place.mkdir()
    script = place / "mvn"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{PROGRAMS / "mvn.py"}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    monkeypatch.setenv("MVN_SEEN", str(tmp_path / "seen"))
    monkeypatch.delenv("MVN", raising=False)
    return tmp_path / "seen"


@posix_only
def test_maven_copies_the_jars(cache: Cache, said: list[str], maven: Path) -> None:
    place = cache.ensure(JARS, said.append)
    assert [p.name for p in sorted((place / "lib").iterdir())] == [
        "one-1.0.jar", "two&amp;more-2.0.jar",
    ]  # fmt: skip
    assert "maven-dependency-plugin:3.8.1:copy-dependencies" in maven.read_text()
    assert said == [
        "Jars 1.0: obtaining 2 packages and what they need",
        "Jars 1.0: 2 jars obtained",
    ]
    assert cache.verify(JARS) is None


def test_without_maven(
    cache: Cache, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Trouble, match=r"Jars 1\.0 cannot be obtained") as caught:
        cache.ensure(JARS, said.append)
    assert "`mvn` is not on the PATH" in caught.value.why
    assert "install Maven" in caught.value.remedy
    assert entries(cache) == []


@posix_only
@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("fails", "exit code 1 and says: [ERROR] Failed to execute goal: could not resolve"),
        ("fails silently", "ended with exit code 1 and says: nothing"),
        ("gets nothing", "ended with exit code 0 and says: [WARNING] nothing to do"),
    ],
)
def test_maven_fails(
    cache: Cache, said: list[str], maven: Path, monkeypatch: pytest.MonkeyPatch,
    behaviour: str, told: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("MVN", behaviour)
    with pytest.raises(Trouble, match=r"Jars 1\.0 could not be obtained") as caught:
        cache.ensure(JARS, said.append)
    assert told in str(caught.value)
    assert "INFO" not in str(caught.value)
    assert "settings.xml" in caught.value.remedy
    assert entries(cache) == []


@posix_only
def test_maven_takes_too_long(
    cache: Cache, said: list[str], maven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MVN", "hangs")
    original = subprocess.Popen.communicate

    def communicate(program: subprocess.Popen, *, timeout: float) -> object:
        assert timeout == maven_module._DEADLINE
        await_text(maven, lines=2)
        return original(program, timeout=0.01)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
    with pytest.raises(Trouble, match="Maven did not finish within 600 s"):
        cache.ensure(JARS, said.append)
    await_gone(*map(int, maven.read_text().splitlines()[1].split()))  # its children too
    assert entries(cache) == []


@posix_only
def test_giving_up_ends_maven(
    cache: Cache, said: list[str], maven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MVN", "hangs")
    errors: list[BaseException] = []

    def ensure() -> None:
        try:
            cache.ensure(JARS, said.append)
        except Trouble as trouble:
            errors.append(trouble)

    obtaining = threading.Thread(target=ensure)
    obtaining.start()
    await_text(maven, lines=2)
    cache.give_up()
    obtaining.join(PATIENCE)
    assert not obtaining.is_alive()
    assert [error.what for error in errors] == ["obtaining servers was given up"]  # type: ignore[attr-defined]
    await_gone(*map(int, maven.read_text().splitlines()[1].split()))
    assert entries(cache) == []
