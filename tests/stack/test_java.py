"""Finding Java: which one, how old, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.obtain.java import Java, find_java
from tests.stack.conftest import posix_only

pytestmark = posix_only

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a Java under `tmp_path`, with what it prints on `-version`; no other is found."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path" / "bin"))

    def install(name: str, says: str = "", *, code: int = 0, release: str = "") -> Path:
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        launcher = home / "bin" / "java"
        launcher.write_text(f"#!/bin/sh\n: > '{home}/started'\necho '{says}' >&2\nexit {code}\n")
        launcher.chmod(0o755)
        if release:
            (home / "release").write_text(release)
        return home

    return install


def test_none(install: Install) -> None:
    with pytest.raises(Trouble, match="no Java was found") as caught:
        find_java(at_least=17)
    assert "install Java 17 or newer" in caught.value.remedy
    assert "JAVA_HOME" in caught.value.remedy


@pytest.mark.parametrize(
    ("says", "version", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', "17.0.15", 17),
        ('openjdk version "25-ea" 2025-09-16', "25-ea", 25),
        ('java version "21" 2023-09-19 LTS', "21", 21),
        ('openjdk version "17.0.8.1+1" 2023-08-24', "17.0.8.1+1", 17),
        ('Picked up _JAVA_OPTIONS: -Xmx1g\nopenjdk version "22.0.1" 2024', "22.0.1", 22),
    ],
)
def test_on_the_path(install: Install, says: str, version: str, major: int) -> None:
    home = install("path", says)
    java = find_java(at_least=17)
    assert java == Java(home / "bin" / "java", version)
    assert java.major == major


@pytest.mark.parametrize("version", ["11.0.22", "16-ea", "1.8.0_392"])
def test_too_old(install: Install, version: str) -> None:
    home = install("path", f'openjdk version "{version}"')
    with pytest.raises(Trouble, match=f"Java {version} is too old") as caught:
        find_java(at_least=17)
    assert f"{home}/bin/java: 17 or newer is needed" in caught.value.why


@pytest.mark.parametrize(("version", "major"), [("1.8.0_392", 8), ("9", 9), ("1.9", 9), ("1", 1)])
def test_the_numbering_of_old(version: str, major: int) -> None:
    assert Java(Path("java"), version).major == major


def test_java_home_comes_first(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("path", 'openjdk version "17.0.1"')
    home = install("home", 'openjdk version "21.0.2"')
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert find_java(at_least=17) == Java(home / "bin" / "java", "21.0.2")


def test_java_home_without_java(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("path", 'openjdk version "17.0.1"')
    monkeypatch.setenv("JAVA_HOME", "/no/such/place")
    assert find_java(at_least=17).version == "17.0.1"


def test_the_release_file_spares_a_start(install: Install) -> None:
    release = 'IMPLEMENTOR="Debian"\nJAVA_RUNTIME_VERSION="17.0.15+6"\nJAVA_VERSION="17.0.15"\n'
    home = install("path", "never asked", release=release)
    assert find_java(at_least=17).version == "17.0.15"
    assert not (home / "started").exists()


def test_a_release_file_of_something_else(install: Install) -> None:
    home = install("path", 'openjdk version "17.0.1"', release="VERSION=12\n")
    assert find_java(at_least=17).version == "17.0.1"
    assert (home / "started").exists()


def test_the_release_file_is_found_behind_a_link(install: Install, tmp_path: Path) -> None:
    home = install("jvm", release='JAVA_VERSION="17.0.9"\n')
    link = tmp_path / "path" / "bin" / "java"
    link.parent.mkdir(parents=True)
    link.symlink_to(home / "bin" / "java")
    assert find_java(at_least=17) == Java(link, "17.0.9")


@pytest.mark.parametrize("by", ["PATH", "JAVA_HOME", "relative PATH", "relative JAVA_HOME"])
def test_a_launcher_that_goes_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """As mise, snap and busybox have it; its own release file is not Java's."""
    multi = tmp_path / "opt" / "bin" / "multi"
    multi.parent.mkdir(parents=True)
    multi.write_text(
        "#!/bin/sh\n"
        'case "$0" in */java) echo \'openjdk version "21.0.1" 2024\' >&2 ;; *) exit 1 ;; esac\n'
    )
    multi.chmod(0o755)
    (tmp_path / "opt" / "release").write_text('JAVA_VERSION="8"\n')
    link = tmp_path / "home" / "bin" / "java"
    link.parent.mkdir(parents=True)
    link.symlink_to(multi)
    monkeypatch.chdir(tmp_path)
    base = "home" if "relative" in by else f"{tmp_path}/home"
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv(*(("JAVA_HOME", base) if "HOME" in by else ("PATH", f"{base}/bin")))
    java = find_java(at_least=17)
    assert java == Java(link, "21.0.1")


@pytest.mark.parametrize(
    ("says", "code", "told"),
    [
        ("Unable to locate a Java Runtime.", 1, "exit code 1: Unable to locate a Java Runtime."),
        ("something else", 0, "says: something else"),
        ("", 0, "says: nothing"),
    ],
)
def test_one_that_is_broken(install: Install, says: str, code: int, told: str) -> None:
    home = install("path", says, code=code)
    with pytest.raises(Trouble) as caught:
        find_java(at_least=17)
    assert told in str(caught.value)
    assert str(home) in str(caught.value)


def test_one_that_cannot_be_started(install: Install) -> None:
    home = install("path")
    (home / "bin" / "java").write_text("#!/no/such/interpreter\n")
    with pytest.raises(Trouble, match="Java does not start"):
        find_java(at_least=17)
