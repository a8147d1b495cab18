"""The scenarios of a run: all that were asked for, cut down to what runs here."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackproof.errors import Trouble
from stackproof.session.plan import Plan, ScenarioPlan
from stackproof.session.selection import quarantine, shards
from stackproof.session.selection.last import RESULTS, LastRun
from stackproof.session.selection.shards import Shard
from stackproof.session.selection.suites import SuiteFilter
from stackproof.settings import Settings
from stackproof.texts import counted


class Selector:
    """Reads what was asked for, then cuts a plan down to it.

    Args:
        settings: of the run.
        config: behave's configuration, with ``-D shard=``, ``durations=``, ``rerun_failed=``,
            ``endpoint_only=`` (a service).
        features: parsed features.

    Attributes:
        suite: decides which scenarios are planned at all.
        nothing_failed: says that there is nothing to run again; empty when there is.

    Raises:
        Trouble: what was asked for is not understood, or there is no last run.
    """

    def __init__(self, settings: Settings, config: Any, features: Sequence[Any]):
        self._config = config
        self._file = (settings.file.parent if settings.file else Path.cwd()) / quarantine.FILE
        self._entries = quarantine.read(self._file)
        shard, again = config.userdata.get("shard"), config.userdata.getbool("rerun_failed", False)
        self._shard = Shard.parse(shard) if shard else None
        self._durations = config.userdata.get("durations", "")
        self._reports = Path(settings["run.reports"])
        self._last = LastRun.read(self._reports) if again else None
        self._endpoint_only = config.userdata.get("endpoint_only", "")
        if self._shard and self._last:
            raise Trouble(
                "--shard and --rerun-failed exclude each other",
                "what failed in a shard is run again whole",
                "leave --shard out",
            )
        self.nothing_failed = ""
        if self._last is not None and not self._last.failures:
            self.nothing_failed = f"nothing to run again: all passed in run {self._last.run}"
        self.suite = SuiteFilter(
            settings["run.suite"], config, features, selected_otherwise=self._last is not None
        )

    def cut(self, plan: Plan) -> None:
        """Leave in the plan what runs here; say in it what was left out, and from what.

        Raises:
            Trouble: nothing is left.
        """
        plan.notes += [self.suite.note] if self.suite.note else []
        if self._durations:
            plan.durations = shards.durations(Path(self._durations))
        else:
            with contextlib.suppress(Trouble):  # they decide over the order only
                plan.durations = shards.durations(self._reports / RESULTS)
        if self._endpoint_only:
            self._only_on_endpoint(plan, self._endpoint_only)
        self._quarantine(plan)
        keys = [plan.identity(planned).key for planned in plan.scenarios]
        plan.selection = {
            "suite": self.suite.suite,
            "tags": [str(tag) for tag in self._config.tags or []],
            "names": [str(name) for name in self._config.name or []],
            "scenarios": keys,
            "digest": shards.digest(sorted(map(_content, plan.scenarios))),
            "commit": commit(),
            "shard": None,
            "rerun_of": None,
        }
        if self._last is not None:
            self._only_failures(plan, self._last)
        if self._shard is not None:
            self._only_shard(plan, self._shard)

    def _quarantine(self, plan: Plan) -> None:
        base = Path(self._config.base_dir or Path.cwd())
        plan.problems += quarantine.stale(self._entries, plan.features, plan.catalogue, base)
        for planned in plan.scenarios:
            issue = quarantine.issue_of(self._entries, plan.identity(planned), self._file)
            if issue is None:
                continue
            plan.known_issues[planned.id] = issue
            if issue.expired():
                plan.problems.append(
                    f"the quarantine of {planned.scenario.name!r} expired on {issue.expires}: "
                    f"{issue.issue}"
                )

    def _only_on_endpoint(self, plan: Plan, name: str) -> None:
        """What needs nothing but an endpoint of one service, and does it no harm."""
        plan.scenarios = [
            planned
            for planned in plan.scenarios
            if planned.requirements
            and not planned.destructive
            and all(r.service == name and not r.dedicated for r in planned.requirements.values())
        ]
        if not plan.scenarios:
            raise Trouble(
                f"no scenario needs an endpoint of {name} alone",
                f"paths: {', '.join(map(str, self._config.paths))}",
                "name other features",
            )

    def _only_failures(self, plan: Plan, last: LastRun) -> None:
        keys = {planned.id: plan.identity(planned).key for planned in plan.scenarios}
        plan.scenarios = [p for p in plan.scenarios if keys[p.id] in last.failures]
        present = {keys[planned.id] for planned in plan.scenarios}
        lost = [entry for key, entry in last.failures.items() if key not in present]
        if not plan.scenarios:
            raise Trouble(
                f"nothing of what failed in the last run ({last.run}) was selected",
                "\n".join(str(entry["name"]) for entry in lost[:10]),
                "check paths and tags, or run all: stackproof run",
            )
        for planned in plan.scenarios:
            plan.earlier[planned.id] = last.earlier(keys[planned.id])
        plan.selection["rerun_of"] = last.run
        plan.notes.append(
            f"run again: {len(plan.scenarios)} that did not pass in run {last.run}; "
            f"nothing is proved of {last.others} others"
        )
        if lost:
            plan.notes.append(
                f"not run again, because not found or not selected: "
                f"{'; '.join(str(entry['name']) for entry in lost[:3])}"
                + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
            )

    def _only_shard(self, plan: Plan, shard: Shard) -> None:
        # By path, so that the order of paths on the command line does not matter.
        ordered = sorted(plan.scenarios, key=lambda p: (plan.identity(p).path, p.index))
        if len(ordered) < shard.of:
            raise Trouble(
                f"{counted(len(ordered), 'scenario')} cannot be cut into {shard.of} shards",
                "one of them would be empty",
                "use fewer shards",
            )
        known = plan.durations if self._durations else {}  # else machines would differ
        keys = [plan.identity(planned).key for planned in ordered]
        places = shards.partition(shards.weights_of(keys, known), shard.of)
        own = {p.id for p, at in zip(ordered, places, strict=True) if at == shard.index - 1}
        total = len(plan.scenarios)
        plan.scenarios = [planned for planned in plan.scenarios if planned.id in own]
        plan.selection["shard"] = {
            "index": shard.index,
            "of": shard.of,
            "durations": shards.digest(known) if known else "",
        }
        plan.notes.append(f"shard {shard}: {len(own)} of {counted(total, 'scenario')}")


def commit() -> str:
    """The commit that is checked out; empty where git does not know."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, errors="replace",
            timeout=10, stdin=subprocess.DEVNULL, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _content(planned: ScenarioPlan) -> list[str]:
    """What a scenario says: two shards must have cut the same."""
    scenario = planned.scenario
    told = [str(scenario.name), *sorted(map(str, scenario.effective_tags))]
    for step in planned.steps:
        told += [f"{step.keyword} {step.name}", str(step.text or "")]
        if step.table is not None:
            told += [*step.table.headings, *(cell for row in step.table for cell in row)]
    return told
