"""Checks with a comparison inverted must not go unnoticed: mutation testing, by the cases.

Every comparison in the functions below is inverted, one at a time, in a copy of the whole
module; the cases of the check (`tests.history.cases`) must tell the copy from the original.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stackproof.history import CHECKS, Anomaly, FlowRecords
from tests.history.cases import CASES, MORE

OPPOSITE = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
#: Comparisons, by check and number, that choose the words of a summary and nothing else.
WORDS = {("unexpected", 0), ("corrupted", 0), ("corrupted", 1), ("reordered", 3)}


def parts(name: str) -> tuple[str, str, tuple[Any, ...]]:
    """The module and function of a check, and the arguments that make it (of a factory)."""
    check = CHECKS[name].find
    code = inspect.unwrap(check)
    qualified = code.__qualname__.split(".")[0]
    arguments: tuple[Any, ...] = ()
    if "<locals>" in code.__qualname__:
        held = inspect.getclosurevars(code).nonlocals
        arguments = (name, held["within"])
    return code.__module__, qualified, arguments


def comparisons(tree: ast.Module, function: str) -> list[ast.Compare]:
    (body,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function]
    return [node for node in ast.walk(body) if isinstance(node, ast.Compare)]


def mutants() -> Iterator[tuple[str, int]]:
    for name in CHECKS:
        module, function, _ = parts(name)
        tree = ast.parse(inspect.getsource(__import__(module, fromlist=["x"])))
        for number in range(len(comparisons(tree, function))):
            if (name, number) not in WORDS:
                yield name, number


def mutated(name: str, number: int) -> tuple[Callable[[FlowRecords], Anomaly], str]:
    module, function, arguments = parts(name)
    original = __import__(module, fromlist=["x"])
    tree = ast.parse(inspect.getsource(original))
    compare = comparisons(tree, function)[number]
    text = ast.unparse(compare)
    compare.ops[0] = OPPOSITE[type(compare.ops[0])]()
    # A name of its own: classes and registers of the original stay as they are.
    namespace = {"__name__": module}
    exec(compile(ast.fix_missing_locations(tree), f"<mutant of {name}>", "exec"), namespace)
    check = namespace[function]
    return (check(*arguments) if arguments else check), text


def verdicts(name: str, check: Callable[[FlowRecords], Anomaly]) -> list[Any]:
    case = CASES[name]
    told: list[Any] = []
    more = [(make, flow) for make, flow, _ in MORE.get(name, [])]
    for make, flow in [*((make, case.flow) for make in (case.violating, *case.clean)), *more]:
        try:
            found = check(FlowRecords(make().history.snapshot(), flow))
        except Exception as error:  # a mutant that falls over is noticed as well
            told.append(type(error))
            continue
        told.append((found.count, found.count and found.severity, found.count and found.idents))
    return told


@pytest.mark.parametrize("name", CHECKS)
def test_the_original_tells_violating_from_clean(name):
    case = CASES[name]
    told = verdicts(name, CHECKS[name].find)
    assert told[:3] == [(case.count, case.severity, case.idents), (0, 0, 0), (0, 0, 0)]
    assert [one[0] for one in told[3:]] == [count for *_, count in MORE.get(name, [])]


@pytest.mark.parametrize(("name", "number"), list(mutants()))
def test_no_inverted_comparison_goes_unnoticed(name, number):
    check, text = mutated(name, number)
    assert verdicts(name, check) != verdicts(name, CHECKS[name].find), text


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_that_is_blind_or_sees_ghosts_is_noticed(name):
    from stackproof.history.anomaly import found, nothing

    for broken in (lambda _: nothing(name), lambda _: found(name, "violation", 1, "Always.")):
        assert verdicts(name, broken) != verdicts(name, CHECKS[name].find)
