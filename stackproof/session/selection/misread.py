"""Lines that were meant as steps or scenarios, and that Gherkin takes for a description.

Below ``Scenario:``, everything before the first step is prose; so a misspelt first keyword
makes a step disappear, and the scenario passes without it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any

_STEPS = ("Given", "When", "Then", "And", "But")
_BLOCKS = ("Background", "Scenario", "Scenario Outline", "Examples", "Rule", "Feature")
#: English words that sentences begin with, and that are near to a keyword.
_PROSE = {"the", "an", "any", "they", "then,", "both", "where", "what", "even"}
_BLOCK = re.compile(r"([A-Za-z]+(?: [A-Za-z]+)?):")
_NEAR = 0.75


def misread(feature: Any, is_step: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """Such lines of a feature: the line of the block that they stand in, and what they say.

    Args:
        feature: a parsed feature.
        is_step: whether a step function matches this wording, keyword left out.
    """
    yield from _of(feature, is_step, steps=False)
    for rule in feature.iter_rules():
        yield from _of(rule, is_step, steps=False)
    for holder in [feature, *feature.iter_rules()]:
        if holder.background is not None:
            yield from _of(holder.background, is_step, steps=True)
        for item in holder.run_items:
            if item.type in ("scenario", "scenario_outline"):
                yield from _of(item, is_step, steps=True)


def _of(block: Any, is_step: Callable[[str], bool], *, steps: bool) -> Iterator[tuple[int, str]]:
    for said in getattr(block, "description", None) or ():
        line = str(said).strip()
        first, _, rest = line.partition(" ")
        word = _BLOCK.match(line)
        like_block = word is not None and _near(word[1], _BLOCKS)
        like_step = steps and rest and (is_step(rest.strip()) or _near(first, _STEPS))
        if like_block or like_step:
            yield block.line, line


def _near(word: str, keywords: tuple[str, ...]) -> bool:
    if word.lower() in _PROSE:
        return False
    lowered = [keyword.lower() for keyword in keywords]
    return bool(difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=_NEAR))
