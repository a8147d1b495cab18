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
from typing import Any

from tests.house.project import Finding, Project, rules

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
        elif (wanted := tidy(file.text, file.feature)) != file.text:
            yield from _differences(file.path, file.text, wanted)


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
        if background is not None and background.line not in roles and background.steps:
            block(background, depth + 2)
            steps(background.steps, depth + 4)
        for item in holder.run_items:
            if item in rules(holder):
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
            inner = said if said.startswith(closing) else line[margin:].rstrip()
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
    blank = _Line("blank", 0, "")
    for index, line in enumerate(lines):
        if line.kind == "blank":
            around = {kept[-1].kind if kept else "", _next_kind(lines, index)}
            if around == {"words"} and kept[-1] != blank:
                kept.append(blank)
            continue
        opens = line.kind in ("block", "tag", "comment") and _leads_to_block(lines, index)
        led = bool(kept) and kept[-1].kind in ("tag", "comment") and _leads_to_block(kept, -1, line)
        if opens and kept and not led:
            kept.append(blank)
        kept.append(line)
    return kept


def _next_kind(lines: Sequence[_Line], index: int) -> str:
    return next((line.kind for line in lines[index:] if line.kind != "blank"), "")


def _leads_to_block(lines: Sequence[_Line], index: int, line: _Line | None = None) -> bool:
    """Whether nothing but tags and comments stands between here and a block."""
    rest = lines[index:] if line is None else [line]
    kinds = (line.kind for line in rest)
    return next((k for k in kinds if k not in ("tag", "comment", "blank")), "") == "block" or (
        line is not None and line.kind in ("tag", "comment")
    )


def _aligned(lines: Sequence[_Line]) -> Iterator[_Line]:
    """The rows of each table with columns as wide as their widest cell."""
    index = 0
    while index < len(lines):
        end = index
        while end < len(lines) and lines[end].kind in ("row", "comment"):
            end += 1
        cells = {i: _cells(lines[i].said) for i in range(index, end) if lines[i].kind == "row"}
        widths = [max(map(len, column)) for column in zip(*cells.values(), strict=False)]
        for i in range(index, end):
            if i in cells:
                columns = zip(cells[i], widths, strict=False)
                said = "".join(f"| {cell.ljust(width)} " for cell, width in columns) + "|"
                yield replace(lines[i], said=said)
            else:
                yield lines[i]
        if end == index:
            yield lines[index]
            end += 1
        index = end


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in _PIPE.split(row)[1:-1]]


def _differences(path: str, text: str, wanted: str) -> Iterator[Finding]:
    is_now, should = text.split("\n"), wanted.split("\n")
    for change, start, end, first, last in SequenceMatcher(
        None, is_now, should, autojunk=False
    ).get_opcodes():
        if change == "equal":
            continue
        if change == "replace":
            wrong = f"is not laid out as {should[first]!r}"
        elif change == "delete":
            wrong = "has a line too many" if not is_now[start].strip() else "is misplaced"
        else:
            wrong = "lacks a line before" if start < len(is_now) else "lacks the final newline"
        yield Finding(path, min(start + 1, len(is_now)), wrong, REMEDY)
        del end, last
