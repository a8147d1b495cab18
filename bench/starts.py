"""What each service's servers cost: seconds until they are ready, and the memory they then have.

As plain processes, with the options that they have by default, and as clusters of three. Seconds
count from the start of the first process until the service's health check has succeeded; what is
obtained is in the cache by then. Memory is resident, of all processes, in MiB; "declared" is what
a run sets aside for it. The median of several starts counts.
"""

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache
from stackproof.processes import reaper
from stackproof.processes.run import Run
from stackproof.services import service, service_names
from stackproof.services.base import Requirement
from stackproof.stack.native import NativeProvider

STARTS = 3
THREE = {
    "etcd": {"nodes": 3},
    "kafka": {"brokers": 3},
    "postgresql": {"replicas": 2},
    "rabbitmq": {"nodes": 3},
    "zookeeper": {"nodes": 3},
}


def measured(name: str, options: Mapping[str, Any], place: Path) -> tuple[float, int, int]:
    """Median of seconds until it is ready, the greatest memory, and the declared one."""
    kind, cache = service(name), Cache()
    asked = Requirement(name, tuple(options.items()), dedicated=True)
    seconds, memory = [], []
    for _ in range(STARTS):
        run = Run.begin()
        try:
            provider = NativeProvider(run, place, cache, time_factor=3)
            provider.obtain(kind, lambda _: None)
            began = time.perf_counter()
            cluster = provider.start(kind, asked, f"{name}-1")
            seconds.append(time.perf_counter() - began)
            memory.append(sum(cluster.memory().values()))
            cluster.stop()
        finally:
            reaper.reap(run)
    return statistics.median(seconds), max(memory), kind.memory_mb(cluster.endpoint.options)


def main() -> None:
    load = psutil.getloadavg()[0] / (psutil.cpu_count() or 1)
    print(f"median of {STARTS} starts; {load:.1f} processes for each processor at the beginning\n")
    print("| service | nodes | seconds until ready | MiB resident | MiB declared |")
    print("|---|---:|---:|---:|---:|")
    rows = [(name, {}, 1) for name in service_names()]
    rows += [(name, options, 3) for name, options in THREE.items()]
    with tempfile.TemporaryDirectory() as place:
        for name, options, nodes in sorted(rows, key=lambda row: (row[0], row[2])):
            try:
                took, used, declared = measured(name, options, Path(place))
            except (NotSupported, Trouble) as trouble:
                print(f"| {name} | {nodes} | {trouble.what} | | |", flush=True)
                continue
            print(f"| {name} | {nodes} | {took:.2f} | {used} | {declared} |", flush=True)


if __name__ == "__main__":
    main()
