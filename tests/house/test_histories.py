"""What a run has not recorded is told, unless it is listed; what is listed is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackproof.history import History, save
from tests.house import histories
from tests.house.project import Project, bodies

ROOT = Path(__file__).parents[2]
HERE = "features/stores.feature"


def test_what_is_listed_is_there() -> None:
    there = {path: {scenario.name for scenario in bodies(feature)}
             for path, feature in Project(ROOT).features}  # fmt: skip
    for entry in histories.WITHOUT:
        path, _, name = entry.partition(": ")
        assert path in there and (not name or name in there[path]), entry


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A run whose first scenario has written, and whose second has noted an event alone."""
    scenarios = [{"id": f"s{n}", "feature": HERE, "name": name, "verdict": verdict}
                 for n, (name, verdict) in enumerate(
                     (("Kept", "passed"), ("Noted", "passed"), ("Nothing", "passed"),
                      ("Broken", "failed")))]  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps({"scenarios": scenarios}))
    written, noted = History(), History()
    with written.doing("write", client="c", space="s", key="k", value=1):
        pass
    noted.event("note", "something")
    for scenario, history in (("s0", written), ("s1", noted)):
        place = tmp_path / "evidence" / scenario
        place.mkdir(parents=True)
        save(history, place / "history.npz")
    return tmp_path


def test_whoever_recorded_nothing_is_told(reports: Path, capsys: pytest.CaptureFixture) -> None:
    assert histories.main([str(reports)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(" has ")[0] for line in told] == [f"{HERE}: Noted", f"{HERE}: Nothing"]


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ([HERE], 0),
        ([f"{HERE}: Noted", f"{HERE}: Nothing"], 0),
        ([f"{HERE}: Noted", f"{HERE}: Nothing", f"{HERE}: Kept"], 1),
    ],
)
def test_what_is_listed_is_not_told_but_must_be_silent(
    reports: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str], told: int
) -> None:
    monkeypatch.setattr(histories, "WITHOUT", dict.fromkeys(listed, "why"))
    assert histories.main([str(reports)]) == told
