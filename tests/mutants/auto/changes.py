"""Small changes in Python code: mutmut's operators, but for what cannot matter outside."""

from __future__ import annotations

import difflib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

_LOGGERS = m.OneOf(m.Name("log"), m.Name("logger"), m.Name("logging"), m.Name("_log"),
                   m.Name("LOG"), m.Name("LOGGER"), m.Name("warnings"),
                   m.Attribute(attr=m.OneOf(m.Name("log"), m.Name("logger"))))  # fmt: skip
#: What no outsider sees: texts for people, and what only tools read.
_INVISIBLE = m.OneOf(
    m.Annotation(),
    m.Import(),
    m.ImportFrom(),
    m.Decorator(),
    m.Expr(value=m.OneOf(m.SimpleString(), m.ConcatenatedString())),
    m.Call(func=m.Attribute(value=_LOGGERS)),
    m.Call(func=m.Name("print")),
    m.Arg(keyword=m.OneOf(*map(m.Name, ("help", "metavar", "description", "epilog", "prog")))),
    m.FunctionDef(name=m.OneOf(m.Name("__repr__"), m.Name("__str__"))),
    m.Assign(targets=[m.AssignTarget(m.OneOf(m.Name("__version__"), m.Name("__all__")))]),
    m.If(test=m.OneOf(m.Name("TYPE_CHECKING"), m.Attribute(attr=m.Name("TYPE_CHECKING")))),
    m.If(test=m.Comparison(left=m.Name("__name__"))),
)
_CALL_ALONE = m.SimpleStatementLine(body=[m.Expr(value=m.Call())])


@dataclass(frozen=True)
class Change:
    """One change of one file.

    Attributes:
        file: which.
        line: where it begins, from 1 on.
        before: the file as it is.
        after: as it is changed.
    """

    file: Path
    line: int
    before: str
    after: str

    def diff(self, name: str) -> str:
        """The change for people; ``name`` stands for the file."""
        lines = difflib.unified_diff(
            self.before.splitlines(), self.after.splitlines(), name, name, n=2, lineterm=""
        )
        return "\n".join(lines)


class _Candidates(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        #: What stands where, and what may stand there instead, by line.
        self.found: dict[int, list[tuple[cst.CSTNode, cst.CSTNode]]] = {}

    def on_visit(self, node: cst.CSTNode) -> bool:
        if m.matches(node, _INVISIBLE):
            return False
        new = [n for kind, make in mutation_operators if isinstance(node, kind) for n in make(node)]
        if isinstance(node, cst.Call):
            new = [n for n in new if _seen(n) != _seen(node)]
        if m.matches(node, _CALL_ALONE) and not m.findall(node, _INVISIBLE):
            new.append(node.with_changes(body=[cst.Expr(cst.Ellipsis())]))
        if new:
            line = self.get_metadata(PositionProvider, node).start.line
            self.found.setdefault(line, []).extend((node, one) for one in new)
        return True


def _seen(call: cst.CSTNode) -> tuple[object, ...]:
    """What a call hands over that may matter; nodes are compared by identity."""
    assert isinstance(call, cst.Call)
    return (call.func, *(arg for arg in call.args if not m.matches(arg, _INVISIBLE)))


def choose(files: Sequence[Path], count: int, seed: int) -> list[Change]:
    """So many changes that compile, no two on one line; the same for the same seed and files."""
    dice = random.Random(seed)
    modules, places = {}, []
    for file in sorted(files):
        before = file.read_text(encoding="utf-8")
        candidates = _Candidates()
        modules[file] = wrapper = MetadataWrapper(cst.parse_module(before))
        wrapper.visit(candidates)
        places += [(file, before, line, found) for line, found in candidates.found.items()]
    dice.shuffle(places)
    chosen: list[Change] = []
    for file, before, line, found in places:
        if len(chosen) == count:
            break
        node, new = dice.choice(found)
        changed = modules[file].module.deep_replace(node, new)
        assert isinstance(changed, cst.Module)
        if changed.code != before and _compiles(changed.code):
            chosen.append(Change(file, line, before, changed.code))
    return chosen


def _compiles(code: str) -> bool:
    try:
        compile(code, "<changed>", "exec")
    except SyntaxError:
        return False
    return True
