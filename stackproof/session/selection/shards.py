"""A selection cut into shards: every scenario in exactly one, the same on every machine.

Scenarios are cut apart in their written order, so that a shard has neighbours: a feature is
mostly kept whole, and a shard needs few services. A feature may be cut in two, because its
scenarios share nothing but hooks (behave repeats the Background for each), and because
shards of whole features would be as uneven as features are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackproof import texts
from stackproof.errors import Trouble

_SHARD = re.compile(r"(\d{1,4})/(\d{1,4})")


@dataclass(frozen=True)
class Shard:
    """One of ``of`` shards; ``index`` counts from 1."""

    index: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "2/5".

        Raises:
            Trouble: it is no shard.
        """
        found = _SHARD.fullmatch(text.strip())
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise Trouble(
                f"--shard {text} is not understood",
                "a shard's number and how many there are is expected",
                "e.g. --shard 2/5, the second of five",
            )
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


def partition(weights: Sequence[float], shards: int) -> list[int]:
    """The shard (from 0 on) of each scenario: stretches of about equal weight, none empty.

    Args:
        weights: of the scenarios in their order, each above 0; at least one for each shard.
        shards: how many.
    """
    total = sum(weights)
    places: list[int] = []
    before, last = 0.0, -1
    for index, weight in enumerate(weights):
        middle = int((before + weight / 2) / total * shards)
        left = len(weights) - index  # a scenario must be left for each shard to come
        last = min(max(middle, last, shards - left), last + 1, shards - 1)
        places.append(last)
        before += weight
    return places


def durations(file: Path) -> dict[str, float]:
    """Seconds by scenario key, from a results.json.

    Raises:
        Trouble: it cannot be read, or holds none.
    """
    try:
        scenarios = json.loads(texts.read(file))["scenarios"]
        found = {s["key"]: max(float(s["seconds"]), 0.001) for s in scenarios}
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble(
            f"{file} has no durations", str(error), "name the results.json of an earlier run"
        ) from error
    return found


def weights_of(keys: Sequence[str], known: Mapping[str, float]) -> list[float]:
    """Each scenario's duration; the mean of the known ones for those without."""
    of_these = [known[key] for key in keys if key in known]
    mean = sum(of_these) / len(of_these) if of_these else 1.0
    return [known.get(key, mean) for key in keys]


def digest(value: Any) -> str:
    """A short fingerprint of plain data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
