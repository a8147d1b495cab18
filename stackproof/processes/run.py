"""The identity and the directory of one run.

Everything a run starts carries its ID in the environment variable
``STACKPROOF_RUN``; everything it writes besides reports lies in its directory.
These two marks are how the reaper finds what is left of a run.

Beside the directory lies a lock file that the owner holds while it lives. It is
held before the directory exists, so that a run which is just beginning is never
taken for one that was left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from stackproof.errors import Trouble
from stackproof.paths import absolute
from stackproof.processes import liveness

RUN_VARIABLE = "STACKPROOF_RUN"
WORKER_VARIABLE = "STACKPROOF_WORKER"

_ID = re.compile(r"r[0-9a-f]{8}")
#: The locks of the runs that this process owns.
_held: dict[str, IO[bytes]] = {}


def runs_directory() -> Path:
    """Where the directories of all runs of this user lie."""
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    base = absolute(os.environ.get("STACKPROOF_RUNS") or tempfile.gettempdir())
    # Resolved, because working directories of processes are seen resolved.
    return base.resolve() / f"stackproof-{user}"


@dataclass(frozen=True)
class Run:
    """One run: its ID, its directory, and who owns it."""

    id: str
    directory: Path

    @classmethod
    def begin(cls) -> Run:
        """Create a new run's directory and mark this process's environment with its ID.

        Raises:
            Trouble: the directory cannot be made.
        """
        # Letters and digits only, starting with a letter: the ID becomes part of topic
        # names, container names and labels.
        run_id = f"r{secrets.token_hex(4)}"
        run = cls(run_id, runs_directory() / run_id)
        try:
            _make_private(run.directory.parent)
            _held[run_id] = liveness.hold(run.lock_file)
            run.directory.mkdir(mode=0o700)
            run.write_state(
                owner=os.getpid(),
                owner_birth=liveness.birth(os.getpid()),
                owner_started=psutil.Process().create_time(),
            )
        except OSError as error:
            run.end()
            raise Trouble(
                "the run's directory cannot be made",
                f"{run.directory}: {error.strerror or error}",
                "free some space, or choose another place by STACKPROOF_RUNS",
            ) from error
        os.environ[RUN_VARIABLE] = run_id
        return run

    @property
    def state_file(self) -> Path:
        """JSON file that tells who owns the run, whether it is kept, and its endpoints."""
        return self.directory / "run.json"

    @property
    def lock_file(self) -> Path:
        """Held by the owner while it lives; beside the directory."""
        return self.directory.with_name(f"{self.id}.lock")

    def read_state(self) -> dict[str, Any]:
        """What is known about the run; empty when it never came to write anything."""
        try:
            state = json.loads(self.state_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def write_state(self, **changes: object) -> None:
        """Merge ``changes`` into the state file, atomically."""
        state = {"id": self.id, "begun": time.time(), **self.read_state(), **changes}
        beside = self.state_file.with_suffix(".new")
        beside.write_text(json.dumps(state, indent=1), encoding="utf-8")
        beside.replace(self.state_file)

    def owner(self) -> int | None:
        """The ID of the process that began the run, if it is still there."""
        state = self.read_state()
        process_id = state.get("owner")
        if not isinstance(process_id, int) or not self.owner_lives():
            return None
        return process_id

    def owner_lives(self) -> bool:
        """Whether the process that began the run is still there (and not another with its ID)."""
        held = liveness.is_held(self.lock_file)
        if held is not None:
            return held
        # No lock, or none is possible on this file system.
        state = self.read_state()
        try:
            process = psutil.Process(state["owner"])
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if state.get("owner_birth"):
                return liveness.birth(process.pid) == state["owner_birth"]
            return abs(process.create_time() - state["owner_started"]) < 1
        except (KeyError, TypeError, ValueError, psutil.Error):
            return False

    @property
    def kept(self) -> bool:
        """Whether the run was left up on purpose."""
        return bool(self.read_state().get("kept"))

    def end(self) -> None:
        """Give up the lock; the run's directory is gone."""
        if stream := _held.pop(self.id, None):
            stream.close()
        with contextlib.suppress(OSError):
            self.lock_file.unlink()


def known_runs() -> list[Run]:
    """All runs of this user that have a directory, oldest first."""
    found = []
    with contextlib.suppress(OSError):
        for place in runs_directory().iterdir():
            with contextlib.suppress(OSError):  # another run may just be removing it
                if _ID.fullmatch(place.name) and place.is_dir() and not place.is_symlink():
                    found.append((place.stat().st_mtime, place))
    return [Run(place.name, place) for _, place in sorted(found)]


def _make_private(base: Path) -> None:
    base.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        base.mkdir(mode=0o700)
    # In a directory shared by all users somebody else may have been first.
    if hasattr(os, "getuid") and base.lstat().st_uid != os.getuid():
        raise PermissionError(1, f"{base} belongs to another user")
