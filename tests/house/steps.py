"""The words of the features: each defined, used, matched once; each step thin and explained."""

from __future__ import annotations

import ast
import io
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from behave.runner import the_step_registry as registry

from stackproof.commands.steps import as_markdown, catalogue, registered
from tests.house.project import Finding, Project

#: Packages that a step module imports from; what else it needs goes to stackproof/.
_IMPORTED = {"__future__", "behave", "hamcrest", "stackproof"}
_DECORATORS = {"given", "when", "then", "step"}


@dataclass
class Vocabulary:
    """What ``steps/`` registers with behave: matchers by step type, and the catalogue."""

    matchers: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    catalogue: str = ""
    troubles: list[Finding] = field(default_factory=list)

    def candidates(self, step_type: str) -> list[Any]:
        """The matchers that behave tries for a step of that type."""
        return self.matchers[step_type] + self.matchers["step"]


@cache
def vocabulary(project: Project) -> Vocabulary:
    """The project's steps, loaded as behave loads them, apart from any loaded before."""
    found = Vocabulary()
    steps, handler = registry.steps, registry.error_handler
    registry.steps = {kind: [] for kind in steps}
    registry.error_handler = type(handler)(file=io.StringIO())
    try:
        for keyword, matcher in registered(project.root / "steps"):
            found.matchers[keyword].append(matcher)
        found.catalogue = as_markdown(catalogue(project.root))
        for matcher in registry.error_handler.bad_step_definitions:
            wrong = f"{matcher.pattern!r} is no pattern"
            found.troubles.append(_at(project, matcher, wrong, "correct it"))
    except Exception as error:
        cause = error.__cause__ or error  # what a module raised comes wrapped in advice for users
        told = " ".join(str(cause).split())
        wrong = f"steps cannot be loaded: {type(cause).__name__}: {told}"
        found.troubles.append(Finding(*_origin(project, cause), wrong, "correct it"))
    finally:
        registry.steps, registry.error_handler = steps, handler
    return found


def _origin(project: Project, error: BaseException) -> tuple[str, int]:
    """The place in ``steps/`` that raised, or that cannot be parsed."""
    places = [(f.filename, f.lineno or 1) for f in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno or 1))
    folder = (project.root / "steps").resolve()
    for file, line in reversed(places):
        if Path(file).resolve().parent == folder:
            return f"steps/{Path(file).name}", line
    return "steps", 1


def worded(project: Project) -> Iterator[Finding]:
    """Steps of features that have no definition or several, and definitions without steps.

    One wording of a definition is enough: others may be those of users' older features.
    """
    known = vocabulary(project)
    yield from known.troubles
    if known.troubles:
        return
    used: set[int] = set()
    findings: set[Finding] = set()  # rows of an outline share their findings
    for path, feature in project.features:
        for scenario in feature.walk_scenarios():
            for step in scenario.all_steps:
                found = [m for m in known.candidates(step.step_type) if m.match(step.name)]
                used.update(id(m.func) for m in found)
                if wrong := _matching(project, step, found):
                    findings.add(Finding(path, step.line, *wrong))
    used |= {
        id(matcher.func)
        for _, feature in project.examples
        for scenario in feature.walk_scenarios()
        for step in scenario.all_steps
        for matcher in known.candidates(step.step_type)
        if matcher.match(step.name)
    }
    yield from sorted(findings)
    for keyword, matchers in known.matchers.items():
        for matcher in matchers:
            if id(matcher.func) not in used:
                wording = f"{keyword.capitalize()} {matcher.pattern}"
                yield _at(project, matcher, f"no feature says `{wording}`", "use it or remove it")


def _matching(project: Project, step: Any, found: list[Any]) -> tuple[str, str] | None:
    says = f"`{step.step_type.capitalize()} {step.name}`"
    if not found:
        return f"{says} is undefined", "`python -m stackproof steps WORD` finds what there is"
    if len(found) > 1:
        places = ", ".join("{}:{}".format(*_place(project, m)) for m in found)
        return f"{says} is matched by {len(found)} steps ({places})", "reword one of them"
    error = getattr(found[0].match(step.name), "stored_error", None)
    if error is not None:
        return f"{says} has a value that its step cannot read: {error}", "correct the value"
    return None


def _at(project: Project, matcher: Any, wrong: str, remedy: str) -> Finding:
    return Finding(*_place(project, matcher), wrong, remedy)


def _place(project: Project, matcher: Any) -> tuple[str, int]:
    file = Path(matcher.location.filename).resolve()  # behave tells it from where we are
    return file.relative_to(project.root.resolve()).as_posix(), matcher.location.line


def thin(project: Project) -> Iterator[Finding]:
    """Step modules that do more than a call and an assertion, and steps without a docstring."""
    for path in project.under("steps"):
        tree = project.tree(path)
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        steps = {f.name for f in functions if _is_step(f)}
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt | ast.expr) and (wrong := _too_thick(node, steps)):
                yield Finding(path, node.lineno, wrong, "move it to stackproof/")
        for function in functions:
            if function.name in steps and not ast.get_docstring(function):
                wrong = f"{function.name} has no docstring"
                yield Finding(path, function.lineno, wrong, "say what holds after it, in a line")


def _is_step(function: ast.FunctionDef) -> bool:
    called = (d.func for d in function.decorator_list if isinstance(d, ast.Call))
    return any(getattr(f, "id", getattr(f, "attr", "")).lower() in _DECORATORS for f in called)


def _too_thick(node: ast.AST, steps: set[str]) -> str | None:
    if isinstance(node, ast.For | ast.AsyncFor | ast.While):
        return "a loop in a step module"
    if isinstance(node, ast.Try | ast.TryStar):
        return "a try in a step module"
    if isinstance(node, ast.ImportFrom) and node.module == "stackproof.polling":
        return "a step module waits by itself"
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = [alias.name for alias in node.names]
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else modules
        others = [name for name in modules if name.partition(".")[0] not in _IMPORTED]
        return f"imports {', '.join(others)}" if others else None
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name == "execute_steps" or (isinstance(node.func, ast.Name) and name in steps):
            return "a step calls another step"
    return None
