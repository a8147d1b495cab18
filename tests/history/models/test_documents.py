"""docs/histories.md: every anomaly is in it, and its example runs."""

import re
from pathlib import Path

from stackproof.history import MODELS

TEXT = (Path(__file__).parents[3] / "docs" / "histories.md").read_text(encoding="utf-8")


def test_every_anomaly_is_told_with_its_model_and_its_meaning() -> None:
    sections = dict(re.findall(r"^### (\w+):.*\n((?:(?!##).*\n)*)", TEXT, re.MULTILINE))
    told = {model: re.findall(r"^\| ([a-z-]+) \| (.+) \|$", text, re.MULTILINE)[1:]
            for model, text in sections.items()}  # fmt: skip
    assert told == {
        model: [(name, check.meaning) for name, check in checks.items()]
        for model, checks in MODELS.items()
    }


def test_the_example_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict = {}
    exec(code, names)
    names["test_readers_see_the_last_balance"]()
