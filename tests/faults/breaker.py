"""A run that breaks brokers in every way and then waits: ``python -m tests.faults.breaker native``.

Says its ID when everything is broken. To be killed.
"""

from __future__ import annotations

import sys
import threading

from stackproof.actions import CutClients, CutPeers, FillDisk, LosePower, Pause
from stackproof.obtain import Cache
from stackproof.processes import reaper
from stackproof.processes.run import Run
from stackproof.services import service
from stackproof.services.base import Requirement
from stackproof.stack.docker.provider import DockerProvider
from stackproof.stack.native import NativeProvider

OPTIONS = (("brokers", 3), ("disk_mb", 96), ("proxied", True), ("syncs", True))
#: By broker, in this order: what is dead cannot be cut off any more.
ACTIONS = (
    (1, CutPeers()),
    (0, CutClients()),
    (0, Pause()),
    (1, FillDisk()),
    (2, LosePower()),
)


def main(stack: str) -> None:
    """Break everything and wait."""
    run = Run.begin()
    watcher = reaper.Watcher(run)
    kind = NativeProvider if stack == "native" else DockerProvider
    provider = kind(run, run.directory / "logs", Cache(), time_factor=3)
    kafka = service("kafka")
    provider.obtain(kafka, lambda line: None)
    cluster = provider.start(kafka, Requirement("kafka", OPTIONS, dedicated=True), "kafka-1")
    for broker, action in ACTIONS:
        cluster.act(cluster.endpoint.instances[broker], action)
    print(run.id, watcher.pid, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
