"""The store of figures: many writers, percentiles that were measured, plain refusals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stackproof.commands.figures import figures
from stackproof.errors import Trouble
from stackproof.figures import Series, keep, read

_WRITER = """
import sys
from pathlib import Path
from stackproof.figures import keep
for number in range(50):
    keep(Path(sys.argv[1]), "gap", number, unit="s", labels={"role": "leader"},
         run=sys.argv[2], scenario="s001")
"""


def put(file: Path, *values: float, **labels: str) -> None:
    for at, value in enumerate(values):
        keep(file, "gap", value, unit="s", labels=labels, run="r1", scenario="s1", at=at)


def test_values_with_other_circumstances_are_kept_apart(tmp_path):
    file = tmp_path / "deep" / "figures.sqlite"
    put(file, 3.0, 1.0, role="leader", ends="crashes")
    put(file, 2.0, ends="crashes", role="leader")
    put(file, 9.0, role="follower", ends="crashes")
    follower, leader = read(file)
    assert leader.values == (3.0, 2.0, 1.0)  # by time
    assert follower.values == (9.0,)
    assert leader.title == "gap, crashes, leader"


@pytest.mark.parametrize(("q", "expected"), [(50, 5), (90, 9), (99, 10), (100, 10)])
def test_percentiles_are_values_that_were_measured(q, expected):
    assert Series("gap", {}, "s", tuple(map(float, range(1, 11)))).percentile(q) == expected


def test_many_processes_write_at_once(tmp_path):
    file = tmp_path / "figures.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(file), f"r{n}"]) for n in range(3)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    (series,) = read(file)
    assert len(series.values) == 150


def test_what_cannot_be_kept_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nan"):
        put(tmp_path / "figures.sqlite", float("nan"))
    broken = tmp_path / "broken.sqlite"
    broken.write_text("this is no database, and long enough not to be taken for an empty one")
    for use in (lambda: read(broken), lambda: put(broken, 1.0)):
        with pytest.raises(Trouble, match=r"broken\.sqlite cannot be used"):
            use()


def test_the_command_shows_what_was_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STACKPROOF_CONFIG", raising=False)
    monkeypatch.setenv("STACKPROOF_FIGURES", "own.sqlite")
    assert figures([]) == 1
    put(tmp_path / "own.sqlite", 1.5, 4.0, 2.5, role="leader")
    put(tmp_path / "own.sqlite", 7.0, role="follower")
    assert figures(["LEADER", "gap"]) == 0
    title, row = capsys.readouterr().out.splitlines()[-2:]
    assert title.split()[:3] == ["figure", "values", "median"]
    assert row.split() == ["gap,", "leader", "3", "2.5", "s", "4", "s", "4", "s", "4", "s",
                           "2.5", "s"]  # fmt: skip
    assert figures(["nothing"]) == 1
