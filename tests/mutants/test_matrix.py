"""The page of the mutants: a section for each group, of its last run."""

from __future__ import annotations

from tests.mutants.groups import Group
from tests.mutants.matrix import as_markdown
from tests.mutants.mutant import Mutant


def group(name: str, verdict: str = "") -> tuple[Group, Mutant]:
    """One with a control and a mutant, run or not."""

    def of(name: str, verdict: str) -> Mutant:
        scenarios = {"a scenario": {"verdict": verdict, "reason": "1 lost", "trace": ""}}
        return Mutant(name, "it", ["a scenario"], "lost", scenarios=scenarios if verdict else {})

    control, mutant = of(f"none of {name}", verdict and "passed"), of(f"loses_{name}", verdict)
    mutant.group = name
    return Group(name, [control], running=None), mutant  # type: ignore[arg-type]


def page(*found: tuple[Group, Mutant], before: str = "") -> str:
    groups, mutants = zip(*found, strict=True)
    return as_markdown(groups, mutants, before)


def test_a_group_that_was_not_run_again_keeps_its_section():
    both = page(group("first", "failed"), group("second", "failed"))
    assert both.count("| `loses_first` | it | **a scenario** | lost | yes |") == 1
    again = page(group("first"), group("second", "passed"), before=both)
    assert "| `loses_first` | it | **a scenario** | lost | yes |" in again
    assert "| loses_first | **x** |" in again
    assert "| `loses_second` | it | **a scenario** | lost | **no** |" in again
    assert page(group("first"), group("second"), before=again) == again


def test_a_group_that_was_never_run_says_so():
    assert "### first\n\nNot run yet.\n" in page(group("first"))
