"""How a value differs from what is expected, member by member (deepdiff)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stackproof.matching.payloads import is_number, same, told
from stackproof.matching.wanted import ABSENT, Absent, Wanted

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Without these deepdiff passes over members that begin with "__", tells of two objects that have
#: little in common no more than that they differ, and finds its own pairs in lists.
_HOW: dict[str, Any] = {
    "ignore_private_variables": False,
    "threshold_to_diff_deeper": 0,
    "zip_ordered_iterables": True,
    "view": "tree",
    "verbose_level": 2,
}
_NOT_EXPECTED = "no such member"


@dataclass(frozen=True)
class Difference:
    """One place where a value differs.

    Attributes:
        path: where, as JSONPath, or "key", "header trace".
        expected: what was expected, for people.
        found: what was found there.
    """

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}"


def differences(expected: Any, found: Any, path: str = "$") -> list[Difference]:
    """Every place where ``found`` is not as expected; empty: it is.

    Args:
        expected: plain data, with a `Wanted` wherever several values will do.
        found: plain data; `ABSENT` where there is none.
        path: where the value is.
    """
    if not (_alike(expected, found, dict) or _alike(expected, found, list)):
        return [] if _accepts(expected, found) else [_differs(path, expected, found)]
    from deepdiff import DeepDiff

    leaves = _Leaves(path)
    diff = DeepDiff(expected, found, custom_operators=[leaves], **_HOW)
    for kind, levels in diff.items():
        for level in levels if kind not in _OWN else ():
            one, other = level.t1, level.t2
            leaves.note(level, one if kind.endswith("removed") else _NOTHING,
                        other if kind.endswith("added") else ABSENT)  # fmt: skip
    return leaves.differences


_OWN = ("differs",)


class _Nothing:
    def __repr__(self) -> str:
        return _NOT_EXPECTED


_NOTHING = _Nothing()


class _Leaves:
    """Compares what has no members; deepdiff asks it at every level."""

    def __init__(self, root: str):
        self._root = root
        self.differences: list[Difference] = []

    def match(self, level: Any) -> bool:
        """Whether this level is no pair of objects or lists."""
        return not (_alike(level.t1, level.t2, dict) or _alike(level.t1, level.t2, list))

    def give_up_diffing(self, level: Any, diff_instance: Any) -> bool:
        """Compare them; deepdiff has nothing more to do here."""
        if not _accepts(level.t1, level.t2):
            self.note(level, level.t1, level.t2)
        return True

    def note(self, level: Any, expected: Any, found: Any) -> None:
        """Enter a difference; a member that must be missing may be."""
        if isinstance(expected, Wanted) and expected.accepts(found):
            return
        steps = level.path(output_format="list")
        self.differences.append(_differs(self._root + as_path(steps), expected, found))


def _alike(one: Any, other: Any, kind: type) -> bool:
    return isinstance(one, kind) and isinstance(other, kind)


def _accepts(expected: Any, found: Any) -> bool:
    if isinstance(expected, Wanted):
        return expected.accepts(found)
    return same(expected, found)


def _differs(path: str, expected: Any, found: Any) -> Difference:
    return Difference(path, _shown(expected), _shown(found) + _hint(expected, found))


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, Wanted | Absent | _Nothing) else told(value)


def _hint(expected: Any, found: Any) -> str:
    """What kind each is, where they look alike."""
    if (
        isinstance(found, str)
        and not isinstance(expected, str | Wanted)
        and told(expected) == found
    ):
        return f' (a text: write "{found}" for that)'
    if (
        isinstance(expected, str)
        and not isinstance(found, str | Absent)
        and told(found) == expected
    ):
        return f" ({kind_of(found)}, and no text)"
    return ""


def kind_of(value: Any) -> str:
    """What JSON calls such a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if is_number(value):
        return "a number"
    names: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "no JSON")


def as_path(steps: Sequence[Any]) -> str:
    """Names and numbers as the rest of a JSONPath."""
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if _PLAIN.fullmatch(step)
        else f"[{step!r}]" for step in steps
    )  # fmt: skip


def remembered(expected: Any, found: Any, remember: Callable[[str, Any], Any]) -> None:
    """Remember what was found wherever a `Wanted` says by which name."""
    if isinstance(expected, Wanted):
        if expected.remember:
            remember(expected.remember, found)
    elif isinstance(expected, dict):
        for name, member in expected.items():
            remembered(member, found.get(name, ABSENT), remember)
    elif isinstance(expected, list):
        for one, other in zip(expected, found, strict=True):
            remembered(one, other, remember)
