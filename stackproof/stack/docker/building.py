"""Building images from package registries, for places without an image registry.

A base system comes from Debian's packages by debootstrap, jars from the suite's own cache;
``compose/images/NAME`` says which, and how they become an image.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain import (
    Artifact,
    Cache,
    GoArtifact,
    MavenArtifact,
    PackagesArtifact,
    Say,
    WheelArtifact,
)
from stackproof.paths import cache_directory, find_program
from stackproof.services import service, service_names
from stackproof.services.nodes import Service as NodeService
from stackproof.stack.docker.engine import Engine

_TAG = re.compile(r'^LABEL stackproof\.image="(\S+)"$', re.MULTILINE)
_DEADLINE = 900.0
#: Not needed to run a server, and half of the size.
_SUPERFLUOUS = (
    "var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale",
    "usr/share/info", "var/log",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How one image is built.

    Attributes:
        name: of the service.
        directory: holds its Dockerfile, what that copies, and ``packages.txt``.
    """

    name: str
    directory: Path

    @property
    def tag(self) -> str:
        """The name that the image gets."""
        found = _TAG.search((self.directory / "Dockerfile").read_text(encoding="utf-8"))
        if found is None:
            raise Trouble(f"{self.directory}/Dockerfile names no image", "", "add its LABEL")
        return found.group(1)

    @property
    def packages(self) -> list[str]:
        """Debian packages that it needs, besides those of a minimal system."""
        return (self.directory / "packages.txt").read_text(encoding="utf-8").split()


def recipes() -> list[Recipe]:
    """All recipes of this checkout, alphabetically.

    Raises:
        Trouble: there are none.
    """
    place = Path(__file__).parents[3] / "compose" / "images"
    found = [Recipe(file.parent.name, file.parent) for file in place.glob("*/Dockerfile")]
    if not found:
        raise Trouble(
            "there are no recipes for images",
            f"looked in {place}",
            "build images in a checkout of the project",
        )
    return sorted(found, key=lambda recipe: recipe.name)


def build(recipe: Recipe, engine: Engine, cache: Cache, say: Say) -> None:
    """Build one image and tag it.

    Raises:
        Trouble: something it needs cannot be obtained, or the engine cannot build it.
    """
    import docker.errors
    import requests.exceptions

    with tempfile.TemporaryDirectory(prefix="stackproof-image-") as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(recipe.directory, context)
        _root_filesystem(recipe, Path(scratch) / "root", context / "rootfs.tar", cache, say)
        _obtained(recipe, context, cache, say)
        say(f"{recipe.tag}: building")
        printed: list[str] = []
        try:
            with contextlib.closing(engine.client(timeout=_DEADLINE)) as client:
                for line in client.api.build(
                    path=str(context), tag=recipe.tag, rm=True, forcerm=True, decode=True,
                    network_mode="none",
                ):  # fmt: skip
                    printed += line.get("stream", line.get("error", "")).splitlines()
                    if "error" in line:
                        raise docker.errors.BuildError(line["error"], iter(()))
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            end = "\n".join(printed[-15:])
            raise Trouble(
                f"{recipe.tag} could not be built",
                f"{error}\n{end}",
                f"mend {recipe.directory} or what the lines above name",
            ) from error


def _root_filesystem(recipe: Recipe, root: Path, archive: Path, cache: Cache, say: Say) -> None:
    tool = find_program("debootstrap", "/usr/sbin", "/sbin")
    if tool is None:
        raise Trouble(
            "images cannot be built here",
            "debootstrap, which makes their base system, was not found",
            "install it (Debian, Ubuntu: apt-get install debootstrap); elsewhere use an image "
            "registry",
        )
    if os.geteuid() != 0:
        raise Trouble(
            "images cannot be built by this user",
            "debootstrap makes a system with files of several users, which root alone may do",
            "run `sudo make images`",
        )
    mirror, suite = apt_mirror()
    packages = cache_directory() / "debootstrap"
    packages.mkdir(parents=True, exist_ok=True)
    wanted = f"{', '.join(recipe.packages)} and " if recipe.packages else ""
    say(f"{recipe.tag}: obtaining {wanted}a minimal {suite} system")
    command = [
        str(tool), "--variant=minbase", f"--cache-dir={packages}",
        *([f"--include={','.join(recipe.packages)}"] if recipe.packages else []),
        suite, str(root), mirror,
    ]  # fmt: skip
    try:
        done = cache.run(command, within=_DEADLINE)
    except subprocess.TimeoutExpired as error:
        raise Trouble(
            f"{recipe.tag}: its packages did not come", str(error), "look at the network"
        ) from error
    if done.code != 0:
        lines = "\n".join(done.output.splitlines()[-8:])
        raise Trouble(
            f"{recipe.tag}: its packages could not be installed",
            f"debootstrap says:\n{lines}",
            "look at the network and at apt's sources, then run again",
        )
    for name in _SUPERFLUOUS:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".")
    shutil.rmtree(root)


def apt_mirror() -> tuple[str, str]:
    """Where apt gets packages from on this machine, and for which release.

    Raises:
        Trouble: apt has no such source.
    """
    try:
        done = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)",
             "Created-By: Packages", "Component: main"],
            capture_output=True, text=True, errors="replace", timeout=30,
        )  # fmt: skip
        found = [line.split() for line in done.stdout.splitlines()]
    except (OSError, subprocess.SubprocessError) as error:
        raise Trouble(
            "apt's sources cannot be asked for", str(error), "build images on Debian or Ubuntu"
        ) from error
    for source in found:
        # Not a release's updates: debootstrap needs a whole one.
        if len(source) == 2 and "-" not in source[1] and source[0].startswith("http"):
            return source[0], source[1]
    raise Trouble(
        "apt has no source of a whole release",
        f"it has: {', '.join(' '.join(s) for s in found) or 'none'}",
        "add one to /etc/apt/sources.list.d and run `apt-get update`",
    )


def _obtained(recipe: Recipe, context: Path, cache: Cache, say: Say) -> None:
    """Jars into ``libs``, programs built with Go into ``bin``, wheels into ``wheel``.

    Python's packages go into ``python``. A recipe is called as its service, or as the Compose file
    of the options that need it.
    """
    for artifact in _artifacts(recipe.name):
        if isinstance(artifact, MavenArtifact):
            place = cache.ensure(artifact, say)
            shutil.copytree(place / "lib", context / "libs", dirs_exist_ok=True)
        elif isinstance(artifact, GoArtifact):
            place = cache.ensure(artifact, say)
            shutil.copytree(place / "bin", context / "bin", dirs_exist_ok=True)
        elif isinstance(artifact, WheelArtifact):
            place = cache.ensure(artifact, say)
            shutil.copytree(place, context / "wheel", dirs_exist_ok=True)
        elif isinstance(artifact, PackagesArtifact):
            place = cache.ensure(artifact, say)
            shutil.copytree(place, context / "python", dirs_exist_ok=True)


def _artifacts(recipe: str) -> Sequence[Artifact]:
    for kind in map(service, service_names()):
        if kind.name == recipe:
            return kind.artifacts()
        if isinstance(kind, NodeService) and recipe in kind.compose_files:
            return kind.artifacts_with(kind.compose_files[recipe])
    return ()
