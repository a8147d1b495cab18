"""The identity and the directory of one run.

Everything a run starts carries its ID in the environment variable
``STACKPROOF_RUN``; everything it writes besides reports lies in its directory.
These two marks are how the reaper finds what is left of a run.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

RUN_VARIABLE = "STACKPROOF_RUN"
WORKER_VARIABLE = "STACKPROOF_WORKER"


def runs_directory() -> Path:
    """Where the directories of all runs of this user lie."""
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(os.environ.get("STACKPROOF_RUNS") or tempfile.gettempdir()) / f"stackproof-{user}"


@dataclass(frozen=True)
class Run:
    """One run: its ID, its directory, and who owns it."""

    id: str
    directory: Path

    @classmethod
    def begin(cls) -> Run:
        """Create a new run's directory and mark this process's environment with its ID."""
        # Letters and digits only, starting with a letter: the ID becomes part of topic
        # names, container names and labels.
        run_id = f"r{secrets.token_hex(4)}"
        directory = runs_directory() / run_id
        directory.mkdir(parents=True, mode=0o700)
        run = cls(run_id, directory)
        run.write_state(owner=os.getpid(), owner_started=psutil.Process().create_time())
        os.environ[RUN_VARIABLE] = run_id
        return run

    @property
    def state_file(self) -> Path:
        """JSON file that tells who owns the run, whether it is kept, and its endpoints."""
        return self.directory / "run.json"

    def read_state(self) -> dict:
        """What is known about the run; empty when it never came to write anything."""
        try:
            return json.loads(self.state_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def write_state(self, **changes: object) -> None:
        """Merge ``changes`` into the state file, atomically."""
        state = {"id": self.id, "begun": time.time(), **self.read_state(), **changes}
        beside = self.state_file.with_suffix(".new")
        beside.write_text(json.dumps(state, indent=1))
        beside.replace(self.state_file)

    def owner_lives(self) -> bool:
        """Whether the process that began the run is still there (and not another with its ID)."""
        state = self.read_state()
        try:
            return abs(psutil.Process(state["owner"]).create_time() - state["owner_started"]) < 1
        except (KeyError, psutil.NoSuchProcess):
            return False

    @property
    def kept(self) -> bool:
        """Whether the run was left up on purpose."""
        return bool(self.read_state().get("kept"))


def known_runs() -> list[Run]:
    """All runs of this user that have a directory, oldest first."""
    base = runs_directory()
    if not base.is_dir():
        return []
    directories = [d for d in base.iterdir() if d.is_dir()]
    return [Run(d.name, d) for d in sorted(directories, key=lambda d: d.stat().st_mtime)]
