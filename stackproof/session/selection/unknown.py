"""Steps that are not defined because no system is called so, or has such messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import parse
from behave.matchers import ParseMatcher

from stackproof import vocabulary
from stackproof.settings import SystemSettings

_TYPED = re.compile(r"\{(\w+):(System|Inputs?|Outputs?)\}")
_MEANT = {
    "System": "no system is called",
    "Input": "no system calls its inputs",
    "Inputs": "no system calls its inputs",
    "Output": "no system calls its outputs",
    "Outputs": "no system calls its outputs",
}


@parse.with_pattern(r"\w[\w-]*(?: \w[\w-]*){0,3}")
def _words(text: str) -> str:
    return text


def unknown(
    wording: str, matchers: Iterable[Any], systems: Mapping[str, SystemSettings]
) -> Iterator[str]:
    """What of a step no system has, each with what there is; nothing where that is not why.

    Args:
        wording: the step's, keyword left out.
        matchers: behave's, of the steps that it could be.
        systems: those of ``stackproof.toml``, by name.
    """
    types = vocabulary.types_of_systems(systems)
    found = [list(_unknown(wording, matcher, types)) for matcher in matchers]
    for kind, word in min(filter(None, found), key=len, default=[]):
        yield f'{_MEANT[kind]} "{word}"; known: {", ".join(_known(kind, systems)) or "none"}'


def _unknown(
    wording: str, matcher: Any, types: Mapping[str, vocabulary.Type]
) -> Iterator[tuple[str, str]]:
    # A project may have types of its own, and patterns of another kind.
    if not (typed := _TYPED.findall(matcher.pattern)) or not isinstance(matcher, ParseMatcher):
        return
    known = {**matcher.TYPE_REGISTRY, "Words": _words}
    read = parse.parse(_TYPED.sub(r"{\1:Words}", matcher.pattern), wording, known)
    for name, kind in typed if read else ():
        if not re.fullmatch(types[kind].pattern, read[name], re.IGNORECASE):  # type: ignore[attr-defined]
            yield kind, read[name]


def _known(kind: str, systems: Mapping[str, SystemSettings]) -> list[str]:
    programs = [system for system in systems.values() if not system.component]
    if kind == "System":
        return sorted(system.called for system in programs)
    role, count = kind.removesuffix("s").lower(), 1 + kind.endswith("s")
    return sorted({system.noun(role, count) for system in programs})
