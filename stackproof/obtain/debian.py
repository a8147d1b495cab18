"""Servers unpacked from a Debian archive's packages: not installed, and without root's rights.

apt itself resolves and downloads them, so that its sources, mirrors and proxies apply and no
archive is named here. It is told of a system with nothing but `BASE` installed; so a package
that happens to be on this machine is in the cache all the same, and the same servers run on a
machine that lacks it. `dpkg-deb -x` unpacks and runs no script: no service is started.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain.cache import Cache, Say
from stackproof.paths import cache_directory, find_program
from stackproof.processes.environment import server_environment
from stackproof.processes.process import describe_exit
from stackproof.texts import counted

#: On every machine of such a distribution, or of use to packages' own scripts only. The C
#: library above all: its loader is the machine's, and a second one beside it must not be loaded.
BASE = (
    "libc6", "libc-bin", "libgcc-s1", "libcrypt1", "adduser", "base-files", "bash", "coreutils",
    "debconf", "dpkg", "init-system-helpers", "login", "logrotate", "lsb-base", "mount", "passwd",
    "perl-base", "procps", "sysvinit-utils", "util-linux",
)  # fmt: skip
_RESOLVE, _DOWNLOAD, _UNPACK, _PROVE = 60.0, 600.0, 120.0, 60.0
_ELSEWHERE = "run it in containers (STACK=docker) or name an endpoint (STACK=external)"


@dataclass(frozen=True)
class Package:
    """One package in the version that would be installed now."""

    name: str
    version: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.name}:{self.architecture}={self.version}"


@dataclass(frozen=True)
class DebianArtifact:
    """A package with all it depends on, unpacked as below ``/``.

    Args:
        package: the server's package.
        title: name for people.
        proof: a program of it with arguments that make it say its version; run once
            unpacked, so that a library left out is noticed here; empty: something else does.
        without: packages besides `BASE` that it names but its server does not need.
        version: which one, e.g. "7.0.15" or "5:7.0.15-1~deb12u7"; empty: what apt prefers.
    """

    package: str
    title: str
    proof: Sequence[str] = ()
    without: Sequence[str] = ()
    version: str = ""

    def of(self, version: str) -> DebianArtifact:
        """The same in another version."""
        return replace(self, version=version)

    @cached_property
    def packages(self) -> tuple[Package, ...]:
        """What it consists of, in the versions that apt would install now.

        Raises:
            Trouble: there is no apt, its lists are empty, or they do not lead to the package.
        """
        for tool in ("apt-get", "dpkg", "dpkg-deb"):
            if find_program(tool) is None:
                raise Trouble(
                    f"{self.title} cannot be obtained on this system",
                    f"it comes from a Debian package, and `{tool}` is not on the PATH",
                    _ELSEWHERE,
                )
        kept = self._kept()
        packages = None if kept is None else _read(kept)
        if packages is None:
            packages = self._resolved()
            if kept is not None:
                self._keep(kept, packages)
        return packages

    def _kept(self) -> Path | None:
        """Where apt's answer is kept, a file named after all that decides it.

        apt reads every list of packages anew to give it, which takes a second or more at each
        start of a server. None where what decides it cannot be told.
        """
        lists, settings, installed = "Dir::State::lists/d", "Dir::Etc/d", "Dir::State::status/f"
        ask = ["apt-config", "shell", "a", lists, "b", settings, "c", installed]
        with contextlib.suppress(Trouble, OSError):
            digest = hashlib.sha256(repr((BASE, self.package, self.without, self.version)).encode())
            digest.update(self._ask(["apt-config", "dump"]).encode())
            places = [Path(word.partition("=")[2]) for word in shlex.split(self._ask(ask))]
            places += filter(None, map(find_program, ("apt-get", "dpkg", "dpkg-query")))
            for place in (each.resolve() for each in places):
                for file in (place, *sorted(place.rglob("*"))):
                    seen = file.stat()
                    digest.update(f"{file} {seen.st_size} {seen.st_mtime_ns}\n".encode())
            return cache_directory() / "debian" / f"{self.package}-{digest.hexdigest()[:16]}.json"
        return None

    def _keep(self, place: Path, packages: Sequence[Package]) -> None:
        """Write down apt's answer instead of an earlier one; no harm where that fails."""
        text = json.dumps([[p.name, p.version, p.architecture] for p in packages], indent=0)
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            for earlier in place.parent.glob(f"{self.package}-{'[0-9a-f]' * 16}.json"):
                earlier.unlink(missing_ok=True)
            beside = place.with_name(f"{place.name}.{os.getpid()}")
            beside.write_text(text, encoding="utf-8")
            beside.replace(place)

    def _resolved(self) -> tuple[Package, ...]:
        """What apt says."""
        architecture = self._ask(["dpkg", "--print-architecture"]).strip()
        with tempfile.NamedTemporaryFile("w", suffix=".status", encoding="utf-8") as status:
            status.write(self._pretended(architecture))
            status.flush()
            said = self._ask(
                ["apt-get", "--simulate", "--no-install-recommends",
                 "-o", f"Dir::State::status={status.name}", "install", self._wanted()]
            )  # fmt: skip
        left_out = {*BASE, *self.without}
        found = [
            Package(*match.groups())
            for match in re.finditer(
                r"^Inst (\S+) (?:\[\S+\] )?\((\S+) .*\[(\w+)\]\)", said, re.MULTILINE
            )
        ]
        if self.package not in (package.name for package in found):
            raise self._trouble("what apt would install is not understood:\n" + said)
        return tuple(
            sorted((p for p in found if p.name not in left_out), key=lambda package: package.name)
        )

    @property
    def key(self) -> str:
        """Names the package's version, and every other one by a digest."""
        own = next(package for package in self.packages if package.name == self.package)
        text = "\n".join([*map(str, self.packages), *self.without])
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return f"debian-{own.name}-{own.version.replace(':', '_')}-{digest}"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Download the packages and unpack them into ``into``."""
        say(f"{self.title}: obtaining {len(self.packages)} Debian packages")
        place = into / "packages"
        place.mkdir()
        self._run(
            cache,
            ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download",
             *map(str, self.packages)],
            _DOWNLOAD, place,
        )  # fmt: skip
        archives = sorted(place.glob("*.deb"))
        if len(archives) != len(self.packages):
            raise self._trouble(f"{len(archives)} of {len(self.packages)} packages were downloaded")
        for archive in archives:
            self._run(cache, ["dpkg-deb", "-x", str(archive), str(into)], _UNPACK, place)
        shutil.rmtree(place)
        if self.proof:
            program, *arguments = self.proof
            self._run(cache, [str(into / program), *arguments], _PROVE, into,
                      server_environment(library_path(into)))  # fmt: skip
        say(f"{self.title}: {counted(len(archives), 'package')} unpacked")

    def _pretended(self, architecture: str) -> str:
        """The status file of a system with nothing but what is left out, in its real versions.

        A little higher than these, or apt would fetch the archive's package of that version.
        """
        names = [*BASE, *self.without]
        query = ["dpkg-query", "-W", "-f=${Package} ${Version}\\n", *names]
        # Names those it does not know on stderr, with exit code 1.
        done = subprocess.run(
            query, capture_output=True, text=True, errors="replace", timeout=_RESOLVE
        )
        told = (line.split() for line in done.stdout.splitlines())
        versions = {words[0]: words[1] for words in told if len(words) == 2}
        return "\n".join(
            f"Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\n"
            # Dependencies on a package "of any architecture" are met by such a one only.
            "Multi-Arch: allowed\n"
            f"Version: {versions.get(name, '9999')}+base\n"
            for name in names
        )

    def _wanted(self) -> str:
        """What apt is asked for.

        Raises:
            Trouble: its sources have no such version.
        """
        if not self.version:
            return self.package
        lines = self._ask(["apt-cache", "madison", self.package]).splitlines()
        there = list(dict.fromkeys(line.split("|")[1].strip() for line in lines if "|" in line))
        for full in there:
            upstream = full.partition(":")[2] or full
            if self.version == full or re.match(rf"{re.escape(self.version)}($|[-+~.])", upstream):
                return f"{self.package}={full}"
        raise Trouble(
            f"{self.title} {self.version} cannot be obtained",
            f"of the package {self.package}, apt's sources have: {', '.join(there) or 'none'}",
            "take that version, a container (STACK=docker), an endpoint (STACK=external), "
            "or a program of your own (`command`)",
        )

    def _ask(self, command: Sequence[str]) -> str:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_RESOLVE,
                stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._trouble(str(error)) from error
        if done.returncode:
            raise self._explained(done.stderr + done.stdout)
        return done.stdout

    def _explained(self, said: str) -> Trouble:
        """What apt's refusal means."""
        if f"Unable to locate package {self.package}" not in said:
            return self._trouble(f"apt says: {_errors(said)}")
        lists = ["apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"]
        if not self._ask(lists).strip():
            return Trouble(
                f"{self.title} could not be obtained",
                "apt's lists of packages are empty on this machine",
                "run `apt-get update` (as root), then run again",
            )
        return Trouble(
            f"{self.title} could not be obtained",
            f"apt's sources have no package {self.package!r}",
            f"bring the lists up to date (apt-get update); if that does not help, {_ELSEWHERE}",
        )

    def _run(
        self, cache: Cache, command: Sequence[str], within: float, place: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        program = Path(command[0]).name
        try:
            done = cache.run(command, within=within, cwd=place, env=env)
        except subprocess.TimeoutExpired as error:
            raise self._trouble(f"{program} did not finish within {within:g} s") from error
        if done.code:
            why = f"{program} {describe_exit(done.code)} and says: {_errors(done.output)}"
            raise self._trouble(why)

    def _trouble(self, why: str) -> Trouble:
        return Trouble(
            f"{self.title} could not be obtained",
            why,
            "look at the network and at apt's sources (apt-get update), then run again; "
            f"or {_ELSEWHERE}",
        )


def _read(kept: Path) -> tuple[Package, ...] | None:
    """An answer of apt's that was kept; None when there is none."""
    try:
        entries = json.loads(kept.read_text(encoding="utf-8"))
        found = tuple(Package(*map(str, entry)) for entry in entries)
    except (OSError, ValueError, TypeError):
        return None
    return found or None


def library_path(root: Path) -> dict[str, str]:
    """The variable that lets programs unpacked below ``root`` find their libraries."""
    places = [
        str(place)
        for pattern in ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*")
        for place in sorted(root.glob(pattern))
    ]
    return {"LD_LIBRARY_PATH": os.pathsep.join(places)}


def _errors(said: str) -> str:
    lines = said.strip().splitlines()
    told = [line for line in lines if line.startswith("E:") or " : Depends: " in line]
    return "\n".join(told[:6] or lines[-6:])
