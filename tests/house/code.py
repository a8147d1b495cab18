"""The code: what may wait, and how texts are read. Read, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.project import Finding, Project

POLLING = "stackproof/polling.py"
#: Functions ("": outside of any) that may sleep although they are not the polling helper: why.
MAY_SLEEP = {
    ("reference/churn_pipeline/pipeline.py", "commit"): (
        "tries a commit again; knows nothing of the suite, so nothing of its polling"
    ),
    ("reference/caching/aside.py", "get"): "waits for what others load, as every such cache does",
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
