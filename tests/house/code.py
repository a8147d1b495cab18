"""The code: what may wait, what may know what, how big a part may grow. Read, never run."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.house.project import Finding, Project

#: The house rule is "some 400 lines"; above this it is no longer some.
MOST_LINES = 500
MOST_FILES = 14
_SIZED = ("stackproof", "reference", "steps")

POLLING = "stackproof/polling.py"
#: Functions ("": outside of any) that may sleep although they are not the polling helper: why.
MAY_SLEEP = {
    ("reference/churn_pipeline/pipeline.py", "commit"): (
        "tries a commit again; knows nothing of the suite, so nothing of its polling"
    ),
    ("tests/stack/programs/sleeper.py", ""): "lives until it is ended: that is what it is for",
    ("tests/stack/programs/mvn.py", ""): "stands in for a Maven that hangs",
}


def sleeping(project: Project) -> Iterator[Finding]:
    """Sleeps outside the polling helper, and permissions that nobody needs."""
    used: set[tuple[str, str]] = set()
    for path in project.under():
        if path == POLLING:
            continue
        for line, function in _sleeps(project.tree(path)):
            if (path, function) in MAY_SLEEP:
                used.add((path, function))
            else:
                yield Finding(path, line, "sleeps", f"wait by poll() of {POLLING}, or for an event")
    for path, function in sorted(MAY_SLEEP.keys() - used):
        if path in project.files:
            yield Finding(
                path, 1, f"{function or 'the module'} does not sleep", f"take it out of {__name__}"
            )


def _sleeps(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and function of everything called sleep that is imported, called or handed on."""

    def visit(node: ast.AST, function: str) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        imported = isinstance(node, ast.ImportFrom) and any(a.name == "sleep" for a in node.names)
        if imported or (isinstance(node, ast.Attribute) and node.attr == "sleep"):
            yield node.lineno, function  # type: ignore[attr-defined]
        for child in ast.iter_child_nodes(node):
            yield from visit(child, function)

    return visit(tree, "")


def encoded(project: Project) -> Iterator[Finding]:
    """Texts that are read or written in whatever encoding a machine happens to have."""
    for path in project.under("stackproof", "steps"):
        for node in ast.walk(project.tree(path)):
            if not isinstance(node, ast.Call):
                continue
            given = {keyword.arg for keyword in node.keywords}
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name in ("read_text", "write_text") and not given & {"encoding", None}:
                yield Finding(path, node.lineno, f"{name} without encoding", 'say encoding="utf-8"')
            if "text" in given and not given & {"errors", None} and name in ("run", "Popen"):
                yield Finding(path, node.lineno, "text=True without errors", 'say errors="replace"')


@dataclass(frozen=True)
class Boundary:
    """What the files below ``where`` must not import, or the only things they may."""

    where: str
    why: str
    never: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


_SUITE_PARTS = ("steps", "tests", "bench", "environment")
_NETWORK = ("socket", "ssl", "http", "urllib", "subprocess", "asyncio")
_STACK = ("stackproof.stack", "stackproof.obtain", "stackproof.processes")
_RUNNING = ("stackproof.session", "stackproof.reporting", "stackproof.commands", "stackproof.cli")
BOUNDARIES = (
    Boundary("reference/", "a system under test knows nothing of the suite",
             never=("stackproof", *_SUITE_PARTS)),
    Boundary("stackproof/", "the suite knows no system under test, and steps call it",
             never=("reference", *_SUITE_PARTS)),
    Boundary("stackproof/history/", "histories are checked offline, without clients",
             only=("stackproof.history", "numpy", "lazy_loader", *sys.stdlib_module_names),
             never=_NETWORK),
    Boundary("stackproof/reporting/", "a report is made from evidence alone",
             never=("stackproof.session", *_STACK, "stackproof.systems", "stackproof.clients",
                    "stackproof.services", "stackproof.commands", "stackproof.cli")),
    Boundary("stackproof/processes/", "processes know nothing of what they run",
             never=(*_RUNNING, "stackproof.obtain", "stackproof.services", "stackproof.stack")),
    Boundary("stackproof/obtain/", "obtaining knows no service",
             never=(*_RUNNING, "stackproof.services", "stackproof.stack")),
    Boundary("stackproof/services/", "a service is described, not run",
             never=(*_RUNNING, "stackproof.stack")),
    Boundary("stackproof/stack/", "a stack runs for whoever asks", never=_RUNNING),
    Boundary("stackproof/faults/", "the run breaks things; faults ask it to, and prove it",
             never=(*_STACK, "stackproof.reporting", "stackproof.commands", "stackproof.cli")),
    Boundary("stackproof/clients/", "clients serve sessions",
             never=(*_RUNNING, *_STACK, "stackproof.systems", "stackproof.services")),
    Boundary("steps/", "a step is a call and an assertion",
             only=("behave", "hamcrest", "stackproof", "__future__")),
    Boundary("environment.py", "hooks hand over to the session", only=("stackproof",)),
)  # fmt: skip


def bounded(project: Project) -> Iterator[Finding]:
    """Imports against the one direction of dependencies."""
    for boundary in BOUNDARIES:
        for path in project.under():
            if not path.startswith(boundary.where):
                continue
            for line, module in sorted(set(_imports(path, project.tree(path)))):
                refused = _within(module, boundary.never) or (
                    boundary.only and not _within(module, boundary.only)
                )
                if refused:
                    yield Finding(path, line, f"imports {module}", f"{boundary.why}: move it")


def _imports(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    package = PurePosixPath(path).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            # `from stackproof import session` names a module only together with its name.
            names = [name.name for name in node.names] if module == "stackproof" else [""]
            yield from ((node.lineno, f"{module}.{name}".rstrip(".")) for name in names)


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def sized(project: Project) -> Iterator[Finding]:
    """Modules and folders that have grown beyond what one takes in."""
    folders: Counter[str] = Counter()
    for path in project.under(*_SIZED):
        lines = len(project.text(path).splitlines())
        if lines > MOST_LINES:
            yield Finding(path, lines, f"{lines} lines, more than {MOST_LINES}",
                          "split it where its subject divides")  # fmt: skip
    for path in project.under(*_SIZED, suffix=""):
        if not path.endswith(("/__init__.py", "/__init__.pyi")):
            folders[PurePosixPath(path).parent.as_posix()] += 1
    for folder, count in sorted(folders.items()):
        if count > MOST_FILES:
            yield Finding(folder, 1, f"{count} files, more than {MOST_FILES}",
                          "make a folder of those that belong together")  # fmt: skip
