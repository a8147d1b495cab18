"""How a feature file is laid out: `tidy` is the only accepted spelling of its lines.

Own code, because no formatter on PyPI can be trusted with behave's dialect (looked at in
November 2026): behave-format 1.2.1, the only one kept up, deletes comments and writes files
that no longer parse after a text in ``'''``, and moves comments of Examples to the next
scenario; reformat-gherkin 3.0.1 is of 2022, needs libraries of that time and changes texts;
gherlint 0.5.0 and behave-lint 2.6.0 know neither indentation nor tables, and the latter takes
``@PIPE-01`` for a bad tag. behave's own parser says what each line is; only the indentation,
blank lines, spaces and table columns are settled here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from tests.house.project import Finding, Project, is_rule

REMEDY = "`python -m tests.house --tidy` lays features out"
_QUOTES = ('"""', "'''")
_PIPE = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class _Line:
    """One line of the file: what it is, how deep it stands, what it says."""

    kind: str  # block, step, row, words, text, tag, comment, blank
    depth: int
    said: str


def laid_out(project: Project) -> Iterator[Finding]:
    """Findings where a feature differs from its tidy form."""
    for file in project.feature_files:
        if file.trouble is not None:
            yield file.trouble
            continue
        if "\r" in file.text:
            yield Finding(file.path, 1, "has line ends of another system", REMEDY)
        text = file.text.replace("\r\n", "\n")
        yield from _differences(file.path, text, tidy(text, file.feature))


def tidy(text: str, feature: Any) -> str:
    """``text`` as it should be laid out; ``feature`` is what behave has parsed from it."""
    lines = _blank_lines(_placed(_classified(text.splitlines(), _roles(feature))))
    return "".join(f"{' ' * line.depth}{line.said}".rstrip() + "\n" for line in _aligned(lines))


def _roles(feature: Any) -> dict[int, _Line]:
    """What behave knows of each line: blocks, steps, tables."""
    roles: dict[int, _Line] = {}

    def block(element: Any, depth: int) -> None:
        roles[element.line] = _Line("block", depth, f"{element.keyword}: {element.name}".rstrip())

    def table(rows: Any, depth: int) -> None:
        for number in [rows.line, *(row.line for row in rows)] if rows is not None else []:
            roles[number] = _Line("row", depth, "")

    def steps(found: Sequence[Any], depth: int) -> None:
        for step in found:
            roles[step.line] = _Line("step", depth, f"{step.keyword} {step.name}")
            table(step.table, depth + 2)

    def container(holder: Any, depth: int) -> None:
        block(holder, depth)
        background = holder.background
        if background is not None and background.line not in roles:
            block(background, depth + 2)
            steps(background.steps, depth + 4)
        for item in holder.run_items:
            if is_rule(item):
                container(item, depth + 2)
                continue
            block(item, depth + 2)
            steps(item.steps, depth + 4)
            for examples in getattr(item, "examples", ()):
                block(examples, depth + 4)
                table(examples.table, depth + 6)

    container(feature, 0)
    return roles


def _classified(lines: Sequence[str], roles: dict[int, _Line]) -> list[_Line]:
    """Every line with its kind; the depth of words, tags and comments is still open."""
    found: list[_Line] = []
    closing, margin, depth = "", 0, 0
    for number, line in enumerate(lines, 1):
        said = line.strip()
        role = roles.get(number)
        if closing:
            inner = said if said.startswith(closing) else line[margin:]
            found.append(_Line("text", depth + 2, inner))
            closing = "" if said.startswith(closing) else closing
        elif role is not None:
            depth = role.depth if role.kind != "row" else depth
            found.append(role if role.kind != "row" else replace(role, said=said))
        elif said.startswith(_QUOTES):
            closing, margin = said[:3], line.index(said[0])
            found.append(_Line("text", depth + 2, said))
        elif not said:
            found.append(_Line("blank", 0, ""))
        elif said.startswith("#"):
            found.append(_Line("comment", depth, said))
        elif said.startswith("@"):
            found.append(_Line("tag", depth, said if "#" in said else " ".join(said.split())))
        else:
            found.append(_Line("words", depth + 2, said))
    return found


def _placed(lines: Sequence[_Line]) -> list[_Line]:
    """Tags and comments stand as deep as what follows them."""
    placed: list[_Line] = []
    following: int | None = None
    for line in reversed(lines):
        if line.kind in ("tag", "comment"):
            line = line if following is None else replace(line, depth=following)
        elif line.kind != "blank":
            following = line.depth
        placed.append(line)
    return placed[::-1]


def _blank_lines(lines: Sequence[_Line]) -> list[_Line]:
    """One blank line before each block and between paragraphs of a description; no others."""
    kept: list[_Line] = []
    leading: list[_Line] = []  # tags and comments: they stay with what follows them
    gap = False
    for line in lines:
        if line.kind == "blank":
            gap = True
        elif line.kind in ("tag", "comment"):
            leading.append(line)
        else:
            paragraph = gap and line.kind == "words" == (kept[-1].kind if kept else "")
            if kept and (line.kind == "block" or paragraph):
                kept.append(_Line("blank", 0, ""))
            kept += [*leading, line]
            leading, gap = [], False
    return kept + leading


def _aligned(lines: Sequence[_Line]) -> Iterator[_Line]:
    """The rows of each table with columns as wide as their widest cell."""
    for in_table, group in groupby(lines, key=lambda line: line.kind in ("row", "comment")):
        table = list(group)
        rows = [_cells(line.said) for line in table if line.kind == "row"]
        if not in_table or not rows:
            yield from table
            continue
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        padded = iter([[*map(str.ljust, row, widths)] for row in rows])
        for line in table:
            said = f"| {' | '.join(next(padded))} |" if line.kind == "row" else line.said
            yield replace(line, said=said)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in _PIPE.split(row.removesuffix("|"))[1:]]


def _differences(path: str, text: str, wanted: str) -> Iterator[Finding]:
    present, proper = text.split("\n"), wanted.split("\n")
    changes = SequenceMatcher(None, present, proper, autojunk=False).get_opcodes()
    for change, start, end, first, _ in changes:
        if change == "replace":
            wrong = f"should read {proper[first]!r}"
        elif change == "insert":
            wrong = "a blank line is missing here" if end < len(present) else "no final newline"
        else:
            wrong = "this line is too many"
        if change != "equal":
            yield Finding(path, min(start + 1, len(present)), wrong, REMEDY)
