"""Many against many: the nearest candidate, messages in or out of order, rows by their keys."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stackproof.matching.comparing import Difference, differences
from stackproof.matching.fields import Fields, Seen
from stackproof.matching.payloads import exact, is_number, told
from stackproof.matching.wanted import ABSENT
from stackproof.texts import counted

_NEAREST = 3
_SHOWN = 10


@dataclass(frozen=True)
class Found:
    """What comparing many with many has shown.

    Attributes:
        problems: what is not as expected, a few lines each; empty: all is.
        pairs: which of those that were found each expected one is.
    """

    problems: Sequence[str] = ()
    pairs: Mapping[int, int] = field(default_factory=dict)

    def told(self) -> str:
        """The problems for people."""
        left = len(self.problems) - _SHOWN
        return "\n".join([*self.problems[:_SHOWN], *([f"and {left} more"] if left > 0 else [])])


def indented(lines: Sequence[object]) -> str:
    """Lines below a heading."""
    return "".join(f"\n    {line}" for line in lines)


def nearest(fields: Fields, seen: Sequence[Seen], what: str = "message") -> str:
    """The candidates that come nearest, and how each differs; for people."""
    if not seen:
        return f"no {what} at all"
    judged = sorted(
        ((fields.differences(one), -number) for number, one in enumerate(seen)),
        key=lambda pair: (fields.weight(pair[0]), pair[1]),
    )
    lines = [
        f"{'nearest: ' if not place else ''}{seen[-number]}{indented(differs)}"
        for place, (differs, number) in enumerate(judged[:_NEAREST])
    ]
    left = len(seen) - _NEAREST
    further = [f"and {left} more that differ further"] if left > 0 else []
    return "\n  ".join([f"{counted(len(seen), what)}, none of them so", *lines, *further])


def compare(expected: Sequence[Fields], seen: Sequence[Seen], *, ordered: bool) -> Found:
    """Whether there is exactly what is expected: nothing missing, nothing more, in order.

    Where messages lie in several lanes, such as partitions, there is an order within each alone.

    Args:
        expected: one for each message.
        seen: in the order of each lane.
        ordered: whether the order counts.
    """
    fits = [[not one.differences(other) for other in seen] for one in expected]
    pairs = _in_order(fits, seen) if ordered else None
    if pairs is not None:
        return Found(pairs=pairs)
    pairs = _any_order(fits, len(seen))
    problems = [
        f"missing: {expected[number]}\n  " + nearest(
            expected[number], [s for n, s in enumerate(seen) if n not in pairs.values()] or seen)
        for number in range(len(expected)) if number not in pairs
    ]  # fmt: skip
    for number, one in enumerate(seen):
        if number in pairs.values():
            continue
        twin = next((n for n in pairs.values() if _twins(one, seen[n])), None)
        problems.append(f"too many: {one}" if twin is None
                        else f"a second time: {one}\n    the first: {seen[twin]}")  # fmt: skip
    if not problems and ordered:
        problems = _out_of_order(expected, seen, pairs)
    return Found(problems, pairs)


def _twins(one: Seen, other: Seen) -> bool:
    return (one.key, one.body, dict(one.headers)) == (other.key, other.body, dict(other.headers))


def _in_order(fits: Sequence[Sequence[bool]], seen: Sequence[Seen]) -> dict[int, int] | None:
    """Which message is which, where they can be read off their lanes in the expected order."""
    if len(fits) != len(seen):
        return None
    lanes: dict[str, list[int]] = {}
    for number, one in enumerate(seen):
        lanes.setdefault(one.lane, []).append(number)
    order = list(lanes.values())
    dead: set[tuple[int, ...]] = set()
    at = [0] * len(order)
    chosen: list[int] = []
    tried = [0]
    while len(chosen) < len(fits):  # depth first; a state that has failed is not tried again
        number = len(chosen)
        for lane in range(tried[-1], len(order)):
            if at[lane] < len(order[lane]) and fits[number][order[lane][at[lane]]]:
                at[lane] += 1
                if tuple(at) in dead:
                    at[lane] -= 1
                    continue
                tried[-1] = lane + 1
                tried.append(0)
                chosen.append(lane)
                break
        else:
            if not chosen:
                return None
            dead.add(tuple(at))
            tried.pop()
            at[chosen.pop()] -= 1
    places = [0] * len(order)
    pairs = {}
    for number, lane in enumerate(chosen):
        pairs[number] = order[lane][places[lane]]
        places[lane] += 1
    return pairs


def _any_order(fits: Sequence[Sequence[bool]], count: int) -> dict[int, int]:
    """As many pairs as there can be: a greatest matching, by augmenting paths."""
    of_seen: dict[int, int] = {}

    def augment(number: int, visited: set[int]) -> bool:
        for other in range(count):
            if fits[number][other] and other not in visited:
                visited.add(other)
                if other not in of_seen or augment(of_seen[other], visited):
                    of_seen[other] = number
                    return True
        return False

    for number in range(len(fits)):
        augment(number, set())
    return {number: other for other, number in of_seen.items()}


def _out_of_order(
    expected: Sequence[Fields], seen: Sequence[Seen], pairs: Mapping[int, int]
) -> list[str]:
    lasts: dict[str, int] = {}
    problems = []
    by_place = {other: number for number, other in pairs.items()}
    for place, one in enumerate(seen):
        last = lasts.get(one.lane)
        if last is not None and by_place[place] < by_place[last]:
            problems.append(f"out of order: {one}\n    came after: {seen[last]}")
        else:
            lasts[one.lane] = place
    return problems or ["in another order than expected"]


def rows(
    expected: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]], by: Sequence[str]
) -> Found:
    """Whether there are exactly these rows, each recognised by its values in some columns.

    Args:
        expected: columns and what each must be; others are not looked at.
        found: all that there are.
        by: the columns that rows are recognised by; what is expected there is a value.
    """
    there: dict[Hashable, list[int]] = {}
    for number, row in enumerate(found):
        there.setdefault(_identity(row, by), []).append(number)
    wanted: dict[Hashable, list[int]] = {}
    for number, row in enumerate(expected):
        wanted.setdefault(_identity(row, by), []).append(number)
    problems: list[str] = []
    pairs: dict[int, int] = {}
    for key, numbers in wanted.items():
        # Several rows may have one key: then each is expected once.
        places = there.get(key, [])
        fits = [[not _differences(expected[n], found[place]) for place in places] for n in numbers]
        chosen = _any_order(fits, len(places))
        pairs |= {numbers[one]: places[other] for one, other in chosen.items()}
        left = [place for n, place in enumerate(places) if n not in chosen.values()]
        name = _named(expected[numbers[0]], by)
        for one, number in enumerate(numbers):
            if one in chosen:
                continue
            if not left:
                problems.append(f"missing: the row with {name}{_again(one)}")
                continue
            differs = _differences(expected[number], found[left.pop(0)])
            problems.append(f"the row with {name}{_again(one)}:{indented(differs)}")
        problems += [f"too many with {name}: {told(dict(found[place]))}" for place in left]
    problems += [
        f"too many: {told(dict(found[place]))}"
        for key, places in there.items() if key not in wanted for place in places
    ]  # fmt: skip
    return Found(problems, {} if problems else pairs)


def _again(number: int) -> str:
    return f", no. {number + 1} of these" if number else ""


def _differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    return [one for column, value in expected.items()
            for one in differences(value, found.get(column, ABSENT), column)]  # fmt: skip


def _identity(row: Mapping[str, Any], by: Sequence[str]) -> Hashable:
    return tuple(_hashable(row.get(column, ABSENT)) for column in by)


def _hashable(value: Any) -> Hashable:
    if is_number(value):
        return ("number", exact(value))
    return (type(value).__name__, told(value) if isinstance(value, list | dict) else value)


def _named(row: Mapping[str, Any], by: Sequence[str]) -> str:
    return ", ".join(f"{column} {told(row[column])}" for column in by)


__all__ = ["Found", "compare", "indented", "nearest", "rows"]
