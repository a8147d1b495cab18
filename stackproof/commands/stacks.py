"""``stackproof up`` and ``stackproof down``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from stackproof import settings as settings_module
from stackproof.errors import EXIT_FAILED, EXIT_PASSED, Trouble
from stackproof.processes import reaper
from stackproof.processes.run import Run, known_runs
from stackproof.services import service
from stackproof.services.base import Requirement
from stackproof.session.running.progress import Progress
from stackproof.stack.choosing import Providers
from stackproof.stack.stack import Stack


def up(names: Sequence[str]) -> int:
    """Start one cluster of each named service and leave them running.

    Args:
        names: of services; ``kafka:9092`` has it on that port of loopback.

    Raises:
        Trouble: one could not be started; nothing of the others is left.
    """
    requirements = {r.service: r for r in map(_requirement, names)}
    names = list(requirements)
    settings = settings_module.load()
    progress = Progress(sys.stderr)
    reaper.reap_stale_runs(progress.say)
    run = Run.begin()
    watcher = reaper.Watcher(run)
    providers = Providers(run, run.directory / "logs", settings)
    stack = Stack(run, providers, progress.say)
    keep = False
    try:
        for line in providers.explain(names):
            progress.say(line)
        stack.obtain(names)
        with progress.doing(f"starting {', '.join(names)}"):
            stack.start_shared(requirements.values())
        run.write_state(kept=True, endpoints=stack.describe())
        keep = True
    finally:
        if not keep:
            stack.stop_all()
        for left in watcher.dismiss(keep=keep):
            progress.say(f"could not be removed: {left}")
    print(f"run {run.id}")
    for name, known in stack.describe().items():
        print(f"  {name}: {known['reach']}")
    used = " ".join(f"{name}={shlex.quote(text)}" for name, text in stack.variables().items())
    print(f"run features on it by: STACK=external {used} stackproof run")
    print(f"logs: {run.directory / 'logs'}\nend it by: stackproof down {run.id}")
    return EXIT_PASSED


def _requirement(text: str) -> Requirement:
    name, _, port = text.partition(":")
    service(name)  # an unknown name is told before anything starts
    if not port:
        return Requirement(name)
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise Trouble(
            f"{port!r} is not a port", f"it stands in {text!r}", "e.g. `stackproof up kafka:9092`"
        )
    return Requirement(name, (("port", int(port)),))


def down(ids: Sequence[str]) -> int:
    """End the named runs, or all that were kept or left behind.

    Raises:
        Trouble: there is no such run, or it is still at work.
    """
    runs = known_runs()
    unknown = sorted(set(ids) - {run.id for run in runs})
    if unknown:
        raise Trouble(
            f"there is no run {unknown[0]}",
            f"the runs are: {', '.join(run.id for run in runs) or 'none'}",
            "`stackproof down` without an ID ends all that were left up",
        )
    chosen = [r for r in runs if r.id in ids] if ids else [r for r in runs if not r.owner_lives()]
    for run in chosen:
        if run.owner_lives():
            raise Trouble(
                f"run {run.id} is still at work",
                f"process {run.owner()} runs it",
                "end that process (Ctrl-C); nothing of the run will be left",
            )
    if not chosen:
        print("nothing is left running")
    left_over = []
    for run in chosen:
        left = reaper.reap(run)
        left_over += left
        print(f"run {run.id}: " + ("ended" if not left else f"left: {', '.join(left)}"))
    return EXIT_FAILED if left_over else EXIT_PASSED
