"""The suite with a broken client or a blind check: failover and guarantees must not pass.

The control and each broken client are run against the scenario that must catch it; the outcome
goes to ``docs/clients.md``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.mutants.alone import Kind
from tests.mutants.mutant import ROOT

PLACE = ROOT / "reports" / "clients"
_WITHIN = Path(__file__).parent / "within"
VARIABLE = "STACKPROOF_BROKEN_CLIENT"


def _reports_success_early() -> None:
    """Every hundredth message is said to be acknowledged, and never sent."""
    from kafka import KafkaProducer

    send, numbers = KafkaProducer.send, itertools.count(1)

    def sending(self: Any, topic: str, value: Any = None, **how: Any) -> Any:
        future = send(self, topic, value, **how) if next(numbers) % 100 else None
        return future or _Early()

    KafkaProducer.send = sending


class _Early:
    """A future that has been told of a success."""

    partition, offset = 0, -1

    def add_callback(self, function: Callable[..., None], *arguments: Any) -> None:
        function(*arguments, self)

    def add_errback(self, function: Callable[..., None]) -> None:
        pass


def _sends_again() -> None:
    """Every hundredth message is sent twice, as by a client that repeats under a new number."""
    from kafka import KafkaProducer

    send, numbers = KafkaProducer.send, itertools.count(1)

    def sending(self: Any, topic: str, value: Any = None, **how: Any) -> Any:
        if next(numbers) % 100 == 0:
            send(self, topic, value, **how)
        return send(self, topic, value, **how)

    KafkaProducer.send = sending


def _skips() -> None:
    """What a member of a group is handed loses every hundredth record; its offset is committed."""
    from stackproof.services.kafka.client import consuming

    take, numbers = consuming._Recorder._take, itertools.count(1)

    def taking(self: Any, batches: Any, number: int) -> Any:
        if self.name.startswith("consumer"):
            batches = {
                place: [record for record in records if next(numbers) % 100]
                for place, records in batches.items()
            }
        return take(self, batches, number)

    consuming._Recorder._take = taking  # type: ignore[method-assign]


def _commits_early() -> None:
    """Each commit is of 20 records more than were handed over: the next member skips them."""
    from kafka import KafkaConsumer, OffsetAndMetadata

    commit = KafkaConsumer.commit

    def committing(self: Any, *arguments: Any, **how: Any) -> None:
        offsets = {}
        ends = self.end_offsets(list(self.assignment()))
        for place, end in ends.items():
            offsets[place] = OffsetAndMetadata(min(self.position(place) + 20, end), "", -1)
        commit(self, offsets)

    KafkaConsumer.commit = committing


def _rewinds() -> None:
    """In the middle of its work the transformer's consumer goes back by ten records."""
    from stackproof.services.kafka.client import GroupConsumer

    poll, numbers = GroupConsumer.poll, itertools.count(1)

    def polling(self: Any, **limits: Any) -> Any:
        if next(numbers) == 15:
            for place in self._consumer.assignment():
                back = max(0, self._consumer.position(place) - 10)
                self._consumer.seek(place, back)
        return poll(self, **limits)

    GroupConsumer.poll = polling  # type: ignore[method-assign]


def _reads_uncommitted() -> None:
    """Consumers read uncommitted records whatever they are asked for."""
    from kafka import KafkaConsumer

    begin = KafkaConsumer.__init__

    def beginning(self: Any, *topics: str, **how: Any) -> None:
        begin(self, *topics, **{**how, "isolation_level": "read_uncommitted"})

    KafkaConsumer.__init__ = beginning


def _nothing_is_lost() -> None:
    """What should have been lost is published once more, safely: there is no loss to be found."""
    from stackproof.faults.promises.losing import Losing

    check = Losing.check

    def checking(self: Any, count: int) -> Any:
        producer = self._kafka.new_publisher("again")._producer
        for message in self.last:
            producer.send(self._real, message.value, key=message.key)
        producer.flush(timeout=30)
        return check(self, count)

    Losing.check = checking  # type: ignore[method-assign]


def _blind() -> None:
    """The check for what is lost finds nothing, whatever there is."""
    from stackproof.history.anomaly import nothing
    from stackproof.history.checks import CHECKS

    CHECKS["lost"] = replace(CHECKS["lost"], find=lambda records: nothing("lost"))


@dataclass(frozen=True)
class Broken:
    """A broken client, or a broken check.

    Attributes:
        apply: breaks this process; its docstring says what, for people.
        scenario: name of the scenario that must catch it.
        anomaly: what that must call it.
    """

    apply: Callable[[], None]
    scenario: str
    anomaly: str

    @property
    def told(self) -> str:
        """What is broken, for people."""
        return self.apply.__doc__ or ""


_FAILOVER = 'Nothing of an idempotent producer is lost while a follower of "orders" crashes once'
_HANGS = "At most once, acks=0: what a crashed broker took with it is lost"
_NOT_FOUND = "inconclusive, expected, but not found: lost"
MUTANTS = {
    "producer_reports_success_early": Broken(_reports_success_early, _FAILOVER, "lost"),
    "producer_sends_again": Broken(_sends_again, _FAILOVER, "stored-twice"),
    "consumer_skips": Broken(_skips, _FAILOVER, "poll-skip"),
    "consumer_commits_early": Broken(_commits_early, _FAILOVER, "gap-at-resume"),
    "consumer_rewinds": Broken(
        _rewinds,
        "Exactly once: copied in transactions while a leader crashes",
        "stored-twice",
    ),
    "consumer_reads_uncommitted": Broken(
        _reads_uncommitted,
        "What was aborted is invisible to readers of committed messages",
        "aborted-read",
    ),
    "nothing_is_lost": Broken(_nothing_is_lost, _HANGS, _NOT_FOUND),
    "check_is_blind": Broken(_blind, _HANGS, _NOT_FOUND),
}


KIND = Kind(
    plural="broken clients",
    mutants=MUTANTS,
    place=PLACE,
    document=(
        "docs/clients.md",
        "# Broken clients\n\nWritten by `make mutants`. A client of the suite's own, or a "
        "check, is broken; the scenario must fail\nand say so. With nothing broken "
        "{passed} of these {wanted} scenarios passed.\n\n"
        "| broken | what happens | must be caught by | named as | caught |\n"
        "|---|---|---|---|---|\n",
    ),
    arguments=lambda place: [
        "-m", "stackproof", "run", "features/messaging/failover.feature",
        "features/messaging/guarantees.feature",
        "--set", f"run.figures={place / 'figures.sqlite'}",
    ],
    environment=lambda name: {
        VARIABLE: name or "none",
        "PYTHONPATH": os.pathsep.join([str(_WITHIN), str(ROOT)]),
    },
)  # fmt: skip
