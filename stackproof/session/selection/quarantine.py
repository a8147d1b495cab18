"""Known issues: scenarios that may fail until a day, for a reason that is written down."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from stackproof import texts, values
from stackproof.errors import Trouble
from stackproof.reporting.evidence import KnownIssue
from stackproof.reporting.naming import Catalogue, Identity

FILE = "quarantine.toml"
_KEYS = ("feature", "scenario", "row", "issue", "expires", "reason", "fails_with")
_REQUIRED = ("feature", "scenario", "issue", "expires", "reason")
_EXAMPLE = (
    'feature = "messaging/publishing.feature", scenario = "its name", '
    'issue = "https://...", expires = 2026-12-31, reason = "..."'
)


@dataclass(frozen=True)
class Entry:
    """One ``[[quarantine]]`` of the file: which scenarios, and what is known of them.

    Attributes:
        feature: path below ``features/``.
        scenario: its name, as written in the feature.
        row: cells of an outline's row; empty for a scenario, or for all rows.
        issue: what is known.
    """

    feature: str
    scenario: str
    row: dict[str, str]
    issue: KnownIssue

    def means(self, identity: Identity) -> bool:
        """Whether this is its scenario, or a row of it."""
        return (
            (identity.path, identity.template) == (self.feature, self.scenario)
        ) and self.row.items() <= identity.cells.items()

    def __str__(self) -> str:
        row = ", ".join(f"{name}={value}" for name, value in self.row.items())
        return f"{self.feature}: {self.scenario}" + (f" [{row}]" if row else "")


def read(file: Path) -> list[Entry]:
    """The entries of a quarantine file; none when it does not exist.

    Raises:
        Trouble: it cannot be understood.
    """
    try:
        content = tomllib.loads(texts.read(file)) if os.path.lexists(file) else {}
    except ValueError as error:
        raise Trouble(f"{file} cannot be read", str(error), "correct the file") from error
    for section in content:
        if section != "quarantine":
            raise values.unknown_key(section, ["quarantine"], str(file))
    entries = content.get("quarantine", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Trouble(f"{file} is not understood", "", f"write [[quarantine]] with {_EXAMPLE}")
    return [_entry(entry, f"entry {n} of {file}") for n, entry in enumerate(entries, 1)]


def _entry(table: dict[str, Any], where: str) -> Entry:
    for key in table:
        if key not in _KEYS:
            raise values.unknown_key(key, _KEYS, where)

    def wrong(why: str) -> Trouble:
        return Trouble(f"the {where} is not understood", why, f"e.g. {_EXAMPLE}")

    for key in _REQUIRED:
        if key not in table:
            raise wrong(f"it lacks {key}")
    for key in ("feature", "scenario", "issue", "reason", "fails_with"):
        if key in table and (not isinstance(table[key], str) or not table[key].strip()):
            raise wrong(f"{key} must be a text, and not empty")
    if not table["issue"].startswith(("https://", "http://")):
        raise wrong(f"issue must be a link, not {table['issue']!r}")
    expires = table["expires"]
    if not isinstance(expires, date) or isinstance(expires, datetime):
        raise wrong(f"expires must be a day without quotes, not {expires!r}")
    row = table.get("row", {})
    if not isinstance(row, dict):
        raise wrong("row must name cells: row = { column = \"value\" }")  # fmt: skip
    return Entry(
        table["feature"].replace("\\", "/").removeprefix("features/"),
        table["scenario"],
        {str(name): values.text(value) for name, value in row.items()},
        KnownIssue(
            table["issue"], expires.isoformat(), table["reason"], table.get("fails_with", "")
        ),
    )


def stale(
    entries: Sequence[Entry], features: Sequence[Any], catalogue: Catalogue, base: Path
) -> list[str]:
    """Entries whose scenario does not exist (any more), each in a sentence.

    Features that this run has not read are only looked for as files.
    """
    read_here = {catalogue.path(feature): feature for feature in features}
    found = []
    for entry in entries:
        feature = read_here.get(entry.feature)
        if feature is None:
            there = any((place / entry.feature).is_file() for place in (base / "features", base))
        else:
            there = any(entry.means(catalogue.identity(s)) for s in feature.walk_scenarios())
        if not there:
            found.append(f"quarantined, but there is no such scenario: {entry}")
    return found


def issue_of(entries: Sequence[Entry], identity: Identity, where: Path) -> KnownIssue | None:
    """What is known of a scenario; None when it is not quarantined.

    Raises:
        Trouble: two entries are about it.
    """
    found = [entry for entry in entries if entry.means(identity)]
    if len(found) > 1:
        raise Trouble(
            f"{len(found)} entries quarantine the same scenario", str(found[1]), f"correct {where}"
        )
    return found[0].issue if found else None
