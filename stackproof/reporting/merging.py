"""Joining the results of shards. Whatever is missing, twice or of another selection fails.

A shard tells in its results.json which scenarios all shards have together, so that the
whole is known even where only one of them is left.
"""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof import texts
from stackproof.errors import EXIT_FAILED, EXIT_PASSED, Trouble, reason_of
from stackproof.reporting.evidence import DID_NOT_RUN

RESULTS = "results.json"
JUNIT = Path("junit") / "stackproof.xml"
ALLURE = "allure-results"
#: What must be equal in all shards, and what it is called.
_COMMON = {
    "digest": "selections (other features, tags or suite)",
    "commit": "commits",
    "suite": "suites",
    "tags": "tags",
    "names": "names",
}
_MOST_NAMES = 5


@dataclass
class Merged:
    """What the shards come to together.

    Attributes:
        directory: the joined results.
        shards: how many were there.
        scenarios: how many of the selection have a result.
        counts: scenarios by verdict; quarantined ones that failed as known apart.
        failures: names of those that did not pass.
        problems: what is wrong with the shards themselves, or what they report as such.
        exit_code: 0 only if every shard is there and has passed.
    """

    directory: Path
    shards: int = 0
    scenarios: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    exit_code: int = EXIT_FAILED

    @property
    def quarantined(self) -> int:
        """How many failed as known."""
        return self.counts["quarantined"]


@dataclass
class _Part:
    place: Path
    results: dict[str, Any]

    @property
    def selection(self) -> dict[str, Any]:
        return self.results["selection"]

    @property
    def index(self) -> int:
        return int(self.selection["shard"]["index"])

    @property
    def of(self) -> int:
        return int(self.selection["shard"]["of"])

    @property
    def name(self) -> str:
        return f"shard {self.index}/{self.of} ({self.place})"


def merge_shards(places: Sequence[Path], target: Path) -> Merged:
    """Join the reports directories of all shards of one selection.

    Args:
        places: one directory for each shard.
        target: a directory that does not exist yet, or an empty one.

    Raises:
        Trouble: nothing can be joined, or it cannot be written.
    """
    merged = Merged(target)
    parts: list[_Part] = []
    for place in places:
        try:
            parts.append(_read(place))
        except Trouble as trouble:
            merged.problems.append(f"{trouble.what}: {trouble.why}")
    if not parts:
        raise Trouble(
            "there is nothing to merge",
            "\n".join(merged.problems),
            "name the reports directory of each shard",
        )
    parts.sort(key=lambda part: part.index)
    merged.shards = len(parts)
    _check_whole(parts, merged)
    _judge(parts, merged)
    try:
        _write(parts, merged)
    except OSError as error:
        raise Trouble("the reports could not be joined", reason_of(error, target), "") from error
    return merged


def _read(place: Path) -> _Part:
    file = place / RESULTS
    try:
        results = json.loads(texts.read(file))
        part = _Part(place, results)
        selection = results["selection"]
        if selection["rerun_of"]:
            raise Trouble(f"{place} is no shard", "only what had failed was run again there")
        if selection["shard"] is None:
            selection["shard"] = {"index": 1, "of": 1, "durations": ""}
        keys = [str(scenario["key"]) for scenario in results["scenarios"]]
        well_formed = (
            1 <= part.index <= part.of
            and keys
            and isinstance(results["exit_code"], int)
            and isinstance(results["suite_problems"], list)
            and all(key in selection for key in (*_COMMON, "scenarios"))
            and all({"verdict", "name", "feature"} <= s.keys() for s in results["scenarios"])
        )
    except OSError as error:
        raise Trouble(f"{place} has no results", reason_of(error, file)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble(f"{file} cannot be read", repr(error)) from error
    if not well_formed:
        raise Trouble(f"{file} cannot be read", "it is not as a run writes it")
    return part


def _check_whole(parts: list[_Part], merged: Merged) -> None:
    """Every shard once, of the same selection, and every scenario of it once."""
    say = merged.problems.append
    counts = sorted({part.of for part in parts})
    if len(counts) > 1:
        told = ", ".join(part.name for part in parts)
        say(f"the shards are of different partitions: {told}")
    present = Counter(part.index for part in parts)
    absent = [index for index in range(1, counts[-1] + 1) if index not in present]
    if absent:
        say(f"missing: shard {', '.join(f'{index}/{counts[-1]}' for index in absent)}")
    for index, times in present.items():
        if times > 1:
            twice = ", ".join(str(part.place) for part in parts if part.index == index)
            say(f"shard {index} is there {times} times: {twice}")
    for key, called in _COMMON.items():
        if len({json.dumps(part.selection[key]) for part in parts}) > 1:
            told = "; ".join(f"{part.name}: {part.selection[key] or 'unknown'}" for part in parts)
            say(f"the shards are of different {called}: {told}")
    if len({part.selection["shard"].get("durations") for part in parts}) > 1:
        say("the shards were cut by different --durations")
    names = {s["key"]: s["name"] for part in parts for s in part.results["scenarios"]}
    ran = Counter(s["key"] for part in parts for s in part.results["scenarios"])
    wanted = Counter(key for key in parts[0].selection["scenarios"])
    merged.scenarios = len(ran)
    if more := [key for key in ran if ran[key] > wanted[key]]:
        say(f"more often than selected: {_some([names[key] for key in more])}")
    if left := sum((wanted - ran).values()):
        say(f"{left} of {wanted.total()} selected scenarios have no result")


def _judge(parts: list[_Part], merged: Merged) -> None:
    passed = True
    for part in parts:
        failed = False
        for scenario in part.results["scenarios"]:
            tolerated = (scenario.get("quarantine") or {}).get("state") == "tolerated"
            verdict = "quarantined" if tolerated else scenario["verdict"]
            merged.counts[verdict] += 1
            if verdict not in ("passed", "quarantined"):
                merged.failures.append(f"{scenario['feature']}: {scenario['name']} ({verdict})")
                # What did not run is the shard's exit code to judge: --allow-skipped.
                failed |= verdict not in DID_NOT_RUN - {"unknown"}
        problems = part.results["suite_problems"]
        merged.problems += [f"{part.name}: {_first(problem)}" for problem in problems]
        code = part.results["exit_code"]
        passed &= code == EXIT_PASSED and not failed
        if code > EXIT_FAILED:
            merged.problems.append(f"{part.name} ended with exit code {code}")
    if passed and not merged.problems:
        merged.exit_code = EXIT_PASSED


def _write(parts: list[_Part], merged: Merged) -> None:
    target = merged.directory
    if target.exists() and any(target.iterdir()):
        raise Trouble(
            f"{target} is not empty",
            "what lies there could pass for a result of this merge",
            "remove it, or choose another place by --to",
        )
    (target / ALLURE).mkdir(parents=True, exist_ok=True)
    (target / JUNIT.parent).mkdir(exist_ok=True)
    root = ET.Element("testsuites", name="stackproof")
    totals: Counter[str] = Counter()
    seconds = 0.0
    for part in parts:
        expected = len(part.results["scenarios"])
        try:
            suites = ET.parse(part.place / JUNIT).getroot()
        except (OSError, ET.ParseError) as error:
            merged.problems.append(f"{part.name} has no JUnit XML: {error}")
        else:
            cases = sum(1 for _ in suites.iter("testcase"))
            if cases < expected:
                merged.problems.append(f"{part.name}: JUnit has {cases} of {expected} scenarios")
            root.extend(suites)
            totals.update({n: int(suites.get(n, "0")) for n in ("tests", "failures", "errors")})
            seconds += float(suites.get("time", "0"))
        # Names are random and unique, but for what is of the run as a whole.
        files = [file for file in (part.place / ALLURE).glob("*") if file.is_file()]
        results = sum(file.name.endswith("-result.json") for file in files)
        if results < expected:
            merged.problems.append(f"{part.name}: Allure has {results} of {expected} scenarios")
        for file in files:
            shutil.copy(file, target / ALLURE)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(totals[name]))
    root.set("time", f"{seconds:.3f}")
    ET.indent(root, " ")
    if merged.problems:
        merged.exit_code = EXIT_FAILED
        _tell_problems(root, merged)
    ET.ElementTree(root).write(target / JUNIT, encoding="utf-8", xml_declaration=True)
    (target / RESULTS).write_text(json.dumps(_results(parts, merged), indent=1), encoding="utf-8")


def _tell_problems(root: ET.Element, merged: Merged) -> None:
    """JUnit and Allure must not look green when a shard is missing."""
    suite = ET.SubElement(
        root, "testsuite", name="merge of shards", tests="1", failures="0", errors="1", skipped="0"
    )
    case = ET.SubElement(suite, "testcase", name="all shards", classname="merge", time="0")
    ET.SubElement(case, "error", message=merged.problems[0], type="suite").text = "\n".join(
        merged.problems
    )
    for name in ("tests", "errors"):
        root.set(name, str(int(root.get(name, "0")) + 1))
    broken = {
        "uuid": "00000000-0000-4000-8000-000000000001",
        "name": "All shards are there and have passed",
        "fullName": "merge of shards",
        "testCaseId": "merge-of-shards",
        "historyId": "merge-of-shards",
        "status": "broken",
        "statusDetails": {"message": "\n".join(merged.problems)},
        "stage": "finished",
        "labels": [{"name": "category", "value": "suite"}],
    }
    file = merged.directory / ALLURE / f"{broken['uuid']}-result.json"
    file.write_text(json.dumps(broken), encoding="utf-8")


def _results(parts: list[_Part], merged: Merged) -> dict[str, Any]:
    began = min(float(part.results["began"]) for part in parts)
    return {
        "run": "+".join(str(part.results["run"]) for part in parts),
        "began": began,
        "elapsed": max(p.results["began"] + p.results["elapsed"] for p in parts) - began,
        "seed": parts[0].results["seed"],
        "exit_code": merged.exit_code,
        "suite_problems": merged.problems,
        "selection": {**parts[0].selection, "shard": None},
        "merged": [str(part.place) for part in parts],
        "scenarios": [s for part in parts for s in part.results["scenarios"]],
    }


def _first(text: str) -> str:
    return str(text).strip().partition("\n")[0]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
