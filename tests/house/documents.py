"""Documents and other files: the catalogue of steps, names of places, versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from stackproof.stack.docker.rendering import compose_files
from tests.house.project import Finding, Project
from tests.house.steps import vocabulary

CATALOGUE = "docs/steps.md"

_PLACES = (
    (r"(?<![\w.}~)>*-])/(?:root|work)/\S*", "a path of one machine", "make it relative"),
    (r"(?<![\w.}~)>*-])/(?:home|Users)/[a-z]\w*", "a path of one machine", "make it relative"),
    (
        r"\b(?:(?:repo1?|central)[.]maven(?:[.]apache)?[.]org|repo[.]maven\b|(?:test[.])?pypi"
        r"(?:[.]python)?[.]org|files[.]pythonhosted[.]org|registry[.](?:npmjs[.]org|yarnpkg[.]com)"
        r"|(?:deb|security|snapshot)[.]debian[.]org|archive[.]ubuntu[.]com"
        r"|(?:proxy|sum)[.]golang[.]org)",
        "a registry's host",
        "leave it to the tool's own configuration, which may name a mirror",
    ),
    (
        r"[.][.]/shared/|(?<![\w.-])/?[.]library/|\bissues (?:show|list|comment|close) \d|"
        r"\b(?:DESIGN|RECIPES)[.]md\b",
        "something of one workplace",
        "say it without",
    ),
)
_PINNED = re.compile(r"[\w.-]+(\[[\w.,-]+\])?==[^\s*,;]+(\s*;.+)?")
_INCLUDED = re.compile(r"-r\s+requirements[\w.-]*[.]txt")


def catalogued(project: Project) -> Iterator[Finding]:
    """The first difference between the catalogue and the steps."""
    known = vocabulary(project)
    if known.troubles:
        yield Finding(CATALOGUE, 1, "cannot be compared", "see what is wrong with the steps")
        return
    written = project.text(CATALOGUE) if CATALOGUE in project.files else ""
    pairs = zip_longest(written.splitlines(), known.catalogue.splitlines())
    for number, (line, wanted) in enumerate(pairs, 1):
        if line != wanted:
            told = f"it should read {wanted!r}" if wanted is not None else "it should end here"
            yield Finding(CATALOGUE, number, f"is not as the steps are: {told}", "`make catalogue`")
            return


def composed(project: Project) -> Iterator[Finding]:
    """The first difference between a Compose file and the service that it is made from."""
    for path, wanted in compose_files().items():
        written = project.text(path) if path in project.files else ""
        pairs = zip_longest(written.splitlines(), wanted.splitlines())
        for number, (line, one) in enumerate(pairs, 1):
            if line != one:
                yield Finding(path, number, "is not as the service's nodes are", "`make catalogue`")
                break


def placeless(project: Project) -> Iterator[Finding]:
    """Names of machines, registries and workplaces."""
    patterns = [(re.compile(pattern), what, remedy) for pattern, what, remedy in _PLACES]
    for path in project.files:
        text = project.text(path)
        for pattern, what, remedy in patterns:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                yield Finding(path, line, f"{match.group().strip()!r} is {what}", remedy)


def pinned(project: Project) -> Iterator[Finding]:
    """Requirements that do not say one version."""
    for path in project.under(suffix=".txt"):
        if not re.fullmatch(r"requirements[\w.-]*[.]txt", path):
            continue
        for number, line in enumerate(project.text(path).splitlines(), 1):
            said = re.sub(r"(^|\s)#.*", "", line).strip()
            if said and not _PINNED.fullmatch(said) and not _INCLUDED.fullmatch(said):
                yield Finding(path, number, f"{said!r} is not one version", "pin it: name==version")
