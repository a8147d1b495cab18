"""What the checks look at: the files of one tree, read and parsed once."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from behave.parser import ParserError, parse_feature


@dataclass(frozen=True, order=True)
class Finding:
    """Something that is not as the house wants it."""

    file: str
    line: int
    wrong: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.wrong}; {self.remedy}"


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """A feature file, and its parsed feature or why it has none."""

    path: str
    text: str
    feature: Any
    trouble: Finding | None = None


class Project:
    """A tree to be checked; every path is relative to ``root``, with slashes."""

    def __init__(self, root: Path):
        self.root = root

    @cached_property
    def files(self) -> list[str]:
        """What git keeps, or would keep if asked now; without git, every file."""
        if (self.root / ".git").exists():
            command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
            listed = subprocess.run(command, cwd=self.root, capture_output=True, check=True)
            names = set(listed.stdout.decode().split("\0")) - {""}
            return sorted(name for name in names if (self.root / name).is_file())
        found = (p.relative_to(self.root) for p in self.root.rglob("*") if p.is_file())
        return sorted(p.as_posix() for p in found if "__pycache__" not in p.parts)

    def under(self, *folders: str, suffix: str = ".py") -> list[str]:
        """Files below ``folders`` (all files without any) with that suffix."""
        starts = tuple(f"{folder}/" for folder in folders) or ("",)
        return [f for f in self.files if f.startswith(starts) and f.endswith(suffix)]

    def text(self, path: str) -> str:
        """The file's text; empty when it is not text."""
        try:
            return (self.root / path).read_bytes().decode()
        except UnicodeDecodeError:
            return ""

    def tree(self, path: str) -> ast.Module:
        """The syntax tree of a Python file."""
        return _syntax(self.text(path), path)

    @cached_property
    def feature_files(self) -> list[FeatureFile]:
        """Every file of ``features/``, parsed by behave itself."""
        return [self._parsed(path) for path in self.under("features", suffix=".feature")]

    @property
    def examples(self) -> Iterator[tuple[str, Any]]:
        """The same of examples: they may use words that no other feature does."""
        parsed = (self._parsed(path) for path in self.under("examples", suffix=".feature"))
        return ((f.path, f.feature) for f in parsed if f.feature is not None)

    @property
    def features(self) -> Iterator[tuple[str, Any]]:
        """Path and feature, of those that can be parsed."""
        return ((f.path, f.feature) for f in self.feature_files if f.feature is not None)

    def _parsed(self, path: str) -> FeatureFile:
        text = self.text(path)
        try:
            feature = parse_feature(text, filename=path)
        except ParserError as error:
            told = str(error).splitlines()[-1].strip()
            trouble = Finding(path, error.line or 1, f"cannot be parsed: {told}", "correct it")
            return FeatureFile(path, text, None, trouble)
        if feature is None:
            trouble = Finding(path, 1, "holds no feature", "write one or remove the file")
            return FeatureFile(path, text, None, trouble)
        return FeatureFile(path, text, feature)


@cache
def _syntax(source: str, path: str) -> ast.Module:
    return ast.parse(source, path)


def bodies(container: Any) -> Iterator[Any]:
    """Scenarios and outlines (as written, not expanded) of a feature, also those in Rules."""
    for item in container.run_items:
        if is_rule(item):
            yield from bodies(item)
        else:
            yield item


def rules(feature: Any) -> list[Any]:
    """The Rules of a feature."""
    return [item for item in feature.run_items if is_rule(item)]


def is_rule(item: Any) -> bool:
    """Whether a part of a feature is a Rule, not a scenario or an outline."""
    return hasattr(item, "run_items")
