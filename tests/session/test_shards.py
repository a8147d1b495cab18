"""Shards: together exactly the selection, and joined never greener than they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.cli import main
from stackproof.session.selection.shards import partition, weights_of
from tests.session.conftest import Project

ROWS = "".join(f"          | {n} |\n" for n in range(5))
FEATURE = f"""
    Feature: A
      Scenario Outline: row
        Given it works
        Examples:
          | n |
{ROWS}
"""
OTHER = """
    Feature: B
      Scenario: one
        Given it works
      @slow
      Scenario: two
        Given it works
    """
WEIGHTS = st.lists(st.floats(0.001, 1e4), min_size=1, max_size=40)


@given(WEIGHTS, st.integers(1, 40))
def test_every_scenario_is_in_one_shard_and_no_shard_is_empty(
    weights: list[float], shards: int
) -> None:
    shards = min(shards, len(weights))
    places = partition(weights, shards)
    assert len(places) == len(weights)
    assert set(places) == set(range(shards))
    assert places == sorted(places)


@given(st.integers(1, 200), st.integers(1, 20))
def test_equal_weights_are_cut_evenly(count: int, shards: int) -> None:
    shards = min(shards, count)
    places = partition([1.0] * count, shards)
    sizes = [places.count(shard) for shard in range(shards)]
    assert max(sizes) - min(sizes) <= 1


@given(WEIGHTS, st.integers(1, 10))
def test_no_shard_is_heavier_than_its_share_by_more_than_two_scenarios(
    weights: list[float], shards: int
) -> None:
    shards = min(shards, len(weights))
    places = partition(weights, shards)
    for shard in range(shards):
        own = [w for w, place in zip(weights, places, strict=True) if place == shard]
        assert sum(own) <= sum(weights) / shards + 2 * max(weights) + 1e-6


def test_unknown_durations_are_the_mean() -> None:
    assert weights_of(["a", "b", "c"], {"a": 1.0, "b": 3.0, "z": 9.0}) == [1.0, 3.0, 2.0]
    assert weights_of(["a"], {}) == [1.0]


def make(project: Project) -> None:
    project.feature("a", FEATURE)
    project.feature("b", OTHER)


def shard(project: Project, index: int, of: int, *more: str) -> Path:
    place = project.root / f"shard-{index}-{of}-{len(list(project.root.glob('shard-*')))}"
    arguments = ["--shard", f"{index}/{of}", "--reports", str(place), "--no-report", *more]
    outcome = project.run("run", *arguments, program="stackproof")
    assert outcome.code in (0, 1), outcome.text
    assert f"shard {index}/{of}: " in outcome.out
    return place


def results(place: Path) -> dict:
    return json.loads((place / "results.json").read_text())


@pytest.fixture(scope="module")
def three(shared_project: Project) -> list[Path]:
    make(shared_project)
    return [shard(shared_project, index, 3) for index in (1, 2, 3)]


Merge = Callable[..., tuple[int, str]]


@pytest.fixture
def merge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Merge:
    def run(*places: Path) -> tuple[int, str]:
        to = str(tmp_path / "merged")
        code = main(["merge", *map(str, places), "--to", to, "--no-report"])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def copies(three: list[Path], place: Path) -> list[Path]:
    return [Path(shutil.copytree(one, place / one.name)) for one in three]


def test_together_they_are_the_selection_and_pass(
    three: list[Path], merge: Merge, tmp_path: Path
) -> None:
    keys = [s["key"] for place in three for s in results(place)["scenarios"]]
    assert sorted(keys) == sorted(results(three[0])["selection"]["scenarios"])
    assert [len(results(place)["scenarios"]) for place in three] == [2, 3, 2]
    code, said = merge(*reversed(three))
    assert code == 0, said
    assert "3 shards, 7 scenarios: 7 passed" in said
    merged = tmp_path / "merged"
    assert len(list((merged / "allure-results").glob("*-result.json"))) == 7
    assert 'tests="7"' in (merged / "junit" / "stackproof.xml").read_text().partition("\n")[2]
    assert [s["key"] for s in results(merged)["scenarios"]] == keys


def change(place: Path, alter: Callable[[dict], object]) -> None:
    content = results(place)
    alter(content)
    (place / "results.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: shutil.rmtree(p[1]), "missing: shard 2/3"),
        (lambda p: (p[1] / "results.json").unlink(), "missing: shard 2/3"),
        (lambda p: (p[1] / "results.json").write_text("{"), "results.json cannot be read"),
        (lambda p: shutil.copytree(p[0], p[1], dirs_exist_ok=True), "shard 1 is there 2 times"),
        (lambda p: change(p[1], lambda r: r["selection"].update(commit="x")), "different commits"),
        (lambda p: change(p[1], lambda r: r["selection"].update(digest="x")), "different selec"),
        (lambda p: change(p[1], lambda r: r["selection"]["shard"].update(of=4)), "partitions"),
        (lambda p: change(p[1], lambda r: r["selection"]["shard"].update(durations="x")),
         "different --durations"),
        (lambda p: change(p[1], lambda r: r["selection"].update(rerun_of="r1")), "is no shard"),
        (lambda p: change(p[1], lambda r: r["scenarios"].pop()), "1 of 7 selected scenarios"),
        (lambda p: change(p[1], lambda r: r["scenarios"].append(r["scenarios"][0])), "more often"),
        (lambda p: change(p[1], lambda r: r["suite_problems"].append("a hook")), "a hook"),
        (lambda p: change(p[1], lambda r: r.update(exit_code=130)), "ended with exit code 130"),
        (lambda p: (p[1] / "junit" / "stackproof.xml").unlink(), "has no JUnit XML"),
        (lambda p: next((p[1] / "allure-results").glob("*-result.json")).unlink(),
         "Allure has 2 of 3 scenarios"),
    ],
)  # fmt: skip
def test_nothing_that_is_not_whole_is_green(
    three: list[Path], merge: Merge, tmp_path: Path, spoil: Callable, said: str
) -> None:
    places = copies(three, tmp_path)
    spoil(places)
    code, told = merge(*places)
    assert code == 1, told
    assert said in told
    merged = tmp_path / "merged"
    assert results(merged)["exit_code"] == 1
    assert 'errors="1"' in (merged / "junit" / "stackproof.xml").read_text()
    assert '"broken"' in "".join(
        file.read_text() for file in (merged / "allure-results").glob("*-result.json")
    )


def test_a_scenario_that_is_named_twice_is_in_one_shard(project: Project, merge: Merge) -> None:
    make(project)
    twice = ("features", "features/b.feature", "features/../features/a.feature")
    parts = [shard(project, index, 2, *twice) for index in (1, 2)]
    keys = [s["key"] for place in parts for s in results(place)["scenarios"]]
    assert len(keys) == len(set(keys)) == 7
    code, said = merge(*parts)
    assert (code, "2 shards, 7 scenarios: 7 passed" in said) == (0, True), said


def test_a_shard_that_is_not_named_is_missing(three: list[Path], merge: Merge) -> None:
    code, said = merge(three[0], three[2])
    assert (code, "missing: shard 2/3" in said) == (1, True), said
    assert "3 of 7 selected scenarios have no result" in said


@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_failure_in_one_shard_fails_the_whole(
    three: list[Path], merge: Merge, tmp_path: Path, exit_code: int
) -> None:
    places = copies(three, tmp_path)
    change(places[2], lambda r: r.update(exit_code=exit_code))
    change(places[2], lambda r: r["scenarios"][0].update(verdict="failed"))
    code, said = merge(*places)
    assert (code, "6 passed, 1 failed" in said) == (1, True), said
    assert "did not pass: features/b.feature: " in said


def test_a_place_that_holds_something_is_not_written_to(
    three: list[Path], merge: Merge, tmp_path: Path
) -> None:
    assert merge(*three)[0] == 0
    code, said = merge(*three)
    assert (code, "is not empty" in said) == (2, True), said


def test_nothing_to_merge(merge: Merge, tmp_path: Path) -> None:
    code, said = merge(tmp_path / "nowhere")
    assert (code, "there is nothing to merge" in said) == (2, True), said


def test_different_tags_do_not_go_together(
    shared_project: Project, three: list[Path], merge: Merge
) -> None:
    other = shard(shared_project, 2, 3, "--tags", "not @slow")
    code, said = merge(three[0], other, three[2])
    assert (code, "different tags" in said) == (1, True), said


def test_durations_move_the_cut(project: Project) -> None:
    make(project)
    whole = project.run("run", "--no-report", program="stackproof")
    assert whole.code == 0
    content = whole.results
    for scenario in content["scenarios"]:
        scenario["seconds"] = 60.0 if scenario["name"] == "two" else 1.0
    file = project.write("before.json", json.dumps(content))
    place = shard(project, 2, 2, "--durations", str(file))
    assert [s["name"] for s in results(place)["scenarios"]] == ["two"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shard", "0/3"], "--shard 0/3 is not understood"),
        (["--shard", "4/3"], "is not understood"),
        (["--shard", "one"], "is not understood"),
        (["--shard", "1/8"], "7 scenarios cannot be cut into 8 shards"),
        (["--shard", "1/2", "--durations", "nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_shards_that_cannot_be(project: Project, arguments: list[str], said: str) -> None:
    make(project)
    outcome = project.run("run", *arguments, program="stackproof")
    assert (outcome.code, said in outcome.err) == (2, True), outcome.text


@pytest.mark.parametrize("exit_code", [0, 1])
def test_what_did_not_run_is_judged_by_its_shard(
    three: list[Path], merge: Merge, tmp_path: Path, exit_code: int
) -> None:
    """Its exit code says whether --allow-skipped was given."""
    places = copies(three, tmp_path)
    change(places[0], lambda r: r.update(exit_code=exit_code))
    change(places[0], lambda r: r["scenarios"][0].update(verdict="skipped"))
    assert merge(*places)[0] == exit_code
