"""Lines that were meant as steps or scenarios, and that Gherkin takes for a description.

Below ``Scenario:``, everything before the first step is prose; so a misspelt first keyword
makes a step disappear, and the scenario passes without it.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from behave.i18n import languages

#: A description ends at the first of these; ``And`` and ``But`` cannot come first.
_STEPS = ("given", "when", "then")
_BLOCKS = ("background", "scenario", "scenario outline", "examples", "rule", "feature")
_KINDS = ("background", "scenario", "scenario_outline", "examples", "rule", "feature")
#: English words, one letter from a keyword, or as good as one.
_WORDS = re.compile(
    "give[rs]?|givens|liven|riven|hen|whens|whe[twy]|wren|ten|than|thee?|the[mnwy]s?|thin|teen|"
    "[cs]hen|role|rule[rds]|ru[dns]e|rue|rile|[my]ule|features|featured|creature|samples|"
    "backgrounds|scenarists?|scenario outlines"
)
_BLOCK = re.compile(r"([A-Za-z]+(?: [A-Za-z]+)?):")
#: What stands before a line that was copied from a list or a quotation.
_BULLET = re.compile(r"(?:[^\w\s]+|\d+[.)])\s*")
_LONG, _NEAR = 7, 0.8
_NONSENSE = "no step function says this \N{REPLACEMENT CHARACTER}"


def misread(
    feature: Any, is_step: Callable[[str], bool], text: str = ""
) -> Iterator[tuple[int, str]]:
    """Such lines of a feature: their number, and what they say.

    Args:
        feature: a parsed feature.
        is_step: whether a step function matches this wording, keyword left out.
        text: of the feature; without it, the number is that of the block with the line.
    """
    if is_step(_NONSENSE):  # one that matches anything tells nothing

        def is_step(wording: str) -> bool:
            return False

    lines = text.splitlines()
    keywords = languages[feature.language]
    for holder in [feature, *feature.iter_rules()]:
        yield from _of(holder, keywords, is_step, lines, steps=False)
        if holder.background is not None:
            yield from _of(holder.background, keywords, is_step, lines, steps=True)
        for item in holder.run_items:
            if item.type in ("scenario", "scenario_outline"):
                yield from _of(item, keywords, is_step, lines, steps=True)


def _of(
    block: Any,
    keywords: dict[str, list[str]],
    is_step: Callable[[str], bool],
    lines: list[str],
    *,
    steps: bool,
) -> Iterator[tuple[int, str]]:
    at = block.line
    for said in getattr(block, "description", None) or ():
        line = str(said).strip()
        at = next((n for n, text in enumerate(lines[at:], at + 1) if text.strip() == line), at)
        seen = _as_seen(line)
        if any(_like_block(text, keywords) for text in seen) or (
            steps and any(_like_step(text, keywords, is_step) for text in seen)
        ):
            yield at, line


def _as_seen(line: str) -> set[str]:
    """What a reader may take a line for: blanks and what is invisible look all the same."""
    line = unicodedata.normalize("NFC", line)
    hidden = [c for c in line if unicodedata.category(c) == "Cf"]
    texts = [line.translate({ord(c): by for c in hidden}) for by in ("", " ")]
    return {" ".join(text.split()) for text in texts}


def _like_block(line: str, keywords: dict[str, list[str]]) -> bool:
    word = _BLOCK.match(line)
    if word is not None and _misspelt(word[1], _BLOCKS):
        return True
    # Gherkin knows no blank before a colon, no wide colon, no other blanks within a keyword.
    named = re.split(" ?[:\N{FULLWIDTH COLON}]", line, maxsplit=1)
    return len(named) > 1 and any(named[0] in keywords[block] for block in _KINDS)


def _like_step(line: str, keywords: dict[str, list[str]], is_step: Callable[[str], bool]) -> bool:
    first, _, rest = line.partition(" ")
    if rest and (is_step(rest) or _misspelt(first, _STEPS)):
        return True
    bare = _BULLET.sub("", line, count=1) if _BULLET.match(line) else line
    for keyword in (k for kind in _STEPS for k in keywords[kind] if k != "* "):
        # As it stands now, Gherkin would have read it.
        if keyword.endswith(" ") and line.lower().startswith(keyword.lower()):
            return True
        said = bare[len(keyword.strip()) :].strip(" *_`")
        if bare.lower().startswith(keyword.strip().lower()) and is_step(said):
            return True
    return False


def _misspelt(word: str, keywords: tuple[str, ...]) -> bool:
    """Whether it is a typing error rather than another word: prose may begin with any."""
    word = word.rstrip(",.;:").lower()
    if word in keywords:
        return word.startswith("scenario")  # but for its case, which Gherkin minds
    alike = [k for k in keywords if (" " in k) == (" " in word)]
    return not _WORDS.fullmatch(word) and any(
        difflib.SequenceMatcher(None, word, keyword).ratio() >= _NEAR
        if len(keyword) >= _LONG
        else _one_off(word, keyword)
        for keyword in alike
    )


def _one_off(word: str, keyword: str) -> bool:
    """Whether a letter is missing, too much, another one, or two are swapped."""
    if abs(len(word) - len(keyword)) > 1:
        return False
    shorter = min(len(word), len(keyword))
    at = next((n for n in range(shorter) if word[n] != keyword[n]), shorter)
    rest, wanted = word[at:], keyword[at:]
    swapped = rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:]
    return swapped or rest[1:] == wanted or rest == wanted[1:] or rest[1:] == wanted[1:]
