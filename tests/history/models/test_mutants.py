"""Models with a comparison inverted must not go unnoticed: mutation testing, by the cases.

Every comparison of a model's module is inverted, one at a time, in a copy of it; the cases of the
model must tell the copy from the original.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from stackproof.history.models import limit, lock, queue, register, search, sets
from stackproof.history.models.view import View
from tests.history.models.cases import CASES, history
from tests.history.test_mutants import OPPOSITE

MODULES = {"register": register, "queue": queue, "set": sets, "lock": lock, "limit": limit}
#: Functions whose comparisons choose words, or what is shown beside the counterexample.
WORDS = {
    "told",
    "_of_key",
    "example",
    "until_visible",
    "__post_init__",
    "undecided",
    "repeated",
    "_strict",
    "_current",
}


def comparisons(tree: ast.Module) -> list[ast.Compare]:
    found: list[ast.Compare] = []

    class Visitor(ast.NodeVisitor):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            if node.name not in WORDS:
                self.generic_visit(node)

        def visit_Lambda(self, node: ast.Lambda) -> None:
            """What is shown."""

        def visit_Compare(self, node: ast.Compare) -> None:
            found.append(node)
            self.generic_visit(node)

    Visitor().visit(tree)
    return found


def mutants() -> Iterator[tuple[str, int]]:
    for model, module in MODULES.items():
        for number in range(len(comparisons(ast.parse(inspect.getsource(module))))):
            yield model, number


def outcomes(model: str, module: ModuleType) -> list[Any]:
    told = []
    for name, case in CASES[model].items():
        find = module.CHECKS[name].find
        for rows in (case.violating, *case.also, *case.clean):
            of = case.of
            try:
                view = View.of(history(rows).snapshot(), (of.space,))
                found = find(module.Books(view, of))
                told.append((found.count, found.idents))
            except Exception as error:
                told.append(type(error))
    return told


@pytest.mark.parametrize(("model", "number"), list(mutants()))
def test_an_inverted_comparison_is_noticed(model: str, number: int) -> None:
    original = MODULES[model]
    tree = ast.parse(inspect.getsource(original))
    compare = comparisons(tree)[number]
    text = f"line {compare.lineno}: {ast.unparse(compare)}"
    compare.ops[0] = OPPOSITE[type(compare.ops[0])]()
    mutated = ModuleType(f"mutated_{model}")
    sys.modules[mutated.__name__] = mutated  # dataclasses look their module up
    try:
        exec(compile(tree, text, "exec"), mutated.__dict__)
        assert outcomes(model, mutated) != outcomes(model, original), text
    finally:
        del sys.modules[mutated.__name__]


def test_the_original_gives_what_the_cases_say() -> None:
    for model, module in MODULES.items():
        found = [told[0] > 0 for told in outcomes(model, module)]
        assert found == [
            wrong for case in CASES[model].values()
            for wrong in (True, *(True for _ in case.also), *(False for _ in case.clean))
        ]  # fmt: skip
    assert search.linearizable  # tried against every order in test_against_slow
