"""A broken database, or a broken way to break one: the features about replicas must not pass.

The control and each broken one are run against the scenario that must catch it; the outcome goes
to ``docs/databases.md``.
"""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.mutants.alone import Kind
from tests.mutants.clients import Broken
from tests.mutants.mutant import ROOT

PLACE = ROOT / "reports" / "databases"
_WITHIN = Path(__file__).parent / "within"
VARIABLE = "STACKPROOF_BROKEN_DATABASE"


def _health_hides_lag() -> None:
    """The primary says of every replica that it is not behind."""
    from stackproof.services.postgresql.probe import PostgreSQLProbe

    health = PostgreSQLProbe.health

    def lying(self: Any, *node: str, **how: Any) -> Any:
        found = health(self, *node, **how)
        prompt = {n: replace(one, behind=0, lag=0.0) for n, one in found.replicas.items()}
        return replace(found, replicas=prompt)

    PostgreSQLProbe.health = lying  # type: ignore[method-assign]


def _lag_is_what_was_last_said() -> None:
    """The lag is the last one that the replica was heard of with, however long ago."""
    from stackproof.services.postgresql import probe

    before = probe._HEALTH
    probe._HEALTH = before.replace("greatest(replay_lag, clock_timestamp() - reply_time)",
                                   "coalesce(replay_lag, '0'::interval)")  # fmt: skip
    assert before != probe._HEALTH


def _replicas_are_late() -> None:
    """Replicas apply 1.2 seconds later what they receive at once."""
    _set("recovery_min_apply_delay = 1200ms")


def _set(line: str) -> None:
    from stackproof.services.postgresql import server

    server._SETTINGS += f"{line}\n"


def _synchronous_in_name_only() -> None:
    """No commit waits for a replica, whatever was asked for."""
    from stackproof.services.postgresql.server import PostgreSQL

    form = PostgreSQL.form

    def forming(self: Any, endpoint: Any, *, within: float) -> None:
        form(self, replace(endpoint, options={**endpoint.options, "synchronous": 0}), within=within)

    PostgreSQL.form = forming  # type: ignore[method-assign]


def _keeps_everything() -> None:
    """For a replica that is away everything is kept, until the disk is full."""
    _set("max_slot_wal_keep_size = -1")


def _rolls_back() -> None:
    """Every fiftieth row is confirmed, and gone."""
    from stackproof.services.postgresql.replication import Replication

    insert, numbers = Replication._insert, itertools.count(1)

    def inserting(self: Any, writer: Any, *size: int) -> int:
        number = insert(self, writer, *size)
        if next(numbers) % 50 == 0:
            with writer.cursor() as cursor:
                cursor.execute("DELETE FROM written WHERE number = %s", [number])
        return number

    Replication._insert = inserting  # type: ignore[method-assign]


def _pause_holds_one_process() -> None:
    """Of a server that is paused the first process stands still, and the others go on."""
    from stackproof.processes.process import ManagedProcess

    ManagedProcess.pause = lambda self: self.send(signal.SIGSTOP)  # type: ignore[method-assign]


_PROMPT = "A row is read on both replicas within a second"
_WAITS = "A commit waits while the synchronous replica is paused"
_STALLS = "A replica that stalls is noticed"
_AWAY = "A replica that is away for too long does not fill the primary's disk"
MUTANTS = {
    "health_hides_lag": Broken(_health_hides_lag, _STALLS, "'behind' was <0>"),
    "lag_is_what_was_last_said": Broken(_lag_is_what_was_last_said, _STALLS, "'lag' was"),
    "replicas_are_late": Broken(_replicas_are_late, _PROMPT, "from a commit to the last replica"),
    "synchronous_in_name_only": Broken(_synchronous_in_name_only, _WAITS, "waits for a replica"),
    "keeps_everything": Broken(_keeps_everything, _AWAY, "'lost'"),
    "rolls_back": Broken(_rolls_back, "What is committed is read on both replicas", "lacks row"),
    "pause_holds_one_process": Broken(_pause_holds_one_process, _WAITS, "waits for a replica"),
}


KIND = Kind(
    plural="broken databases",
    mutants=MUTANTS,
    place=PLACE,
    document=(
        "docs/databases.md",
        "# Broken databases\n\nWritten by `make mutants`. A database, or the way to break one, "
        "is broken; the scenario must fail and\nsay so. With nothing broken {passed} of these "
        "{wanted} scenarios passed.\n\n"
        "| broken | what happens | must be caught by | named as | caught |\n"
        "|---|---|---|---|---|\n",
    ),
    arguments=lambda place: ["-m", "stackproof", "run", "features/database"],
    environment=lambda name: {
        VARIABLE: name or "none",
        "PYTHONPATH": os.pathsep.join([str(_WITHIN), str(ROOT)]),
        # A machine that does other things excuses the control, but none that is broken.
        **({"STACKPROOF_QUIET_BELOW": "1000"} if name else {}),
    },
)  # fmt: skip
