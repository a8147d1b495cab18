"""What is told of this machine, beside what its own kernel tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import psutil

from stackproof.errors import NotSupported
from stackproof.polling import poll
from stackproof.services.exporting import SERVER
from stackproof.services.fixture import Scenario

#: As its metrics are scraped.
JOB = "host"
#: Asks for the value of a query.
Ask = Callable[[str], float | str]


class HostFixture:
    """Compares what somebody says of this machine with what it is."""

    def __init__(self, scenario: Scenario, endpoint: str = "node_exporter"):
        self._scenario = scenario
        self._endpoint = scenario.endpoint(endpoint)

    @property
    def url(self) -> str:
        """Where its metrics are."""
        return f"http://{self._endpoint.at(SERVER)}/metrics"

    def agree(self, ask: Ask, within: float) -> None:
        """Wait until what is told is what the kernel tells: processors, memory, disks, network.

        A counter only grows: what is told must have been reached by now, and had been since the
        last look. A device that is gone meanwhile, or is another one of its name, says nothing.

        Args:
            ask: for the value of a query.
            within: seconds.

        Raises:
            NotSupported: it may be another machine.
        """
        if not self._endpoint.ours:
            raise NotSupported(
                "what this node exporter says cannot be compared",
                "nobody knows which machine it runs on", "ask queries of its metrics instead",
            )  # fmt: skip
        began = _counters()

        def wrong() -> list[str]:
            told = {query: ask(query) for query in began}
            now = _counters()
            return [
                f"{query} is {told[query]}, not from {least:g} to {now[query]:g}"
                for query, least in began.items()
                if now.get(query, 0) >= least and not _within(told[query], least, now[query])
            ]

        poll(wrong, until=lambda left: not left, within=self._scenario.scaled(within),
             awaiting="the exporter and the kernel to agree", describe="; ".join)  # fmt: skip


def _within(told: float | str, least: float, most: float) -> bool:
    return isinstance(told, float) and least * (1 - 1e-6) <= told <= most * (1 + 1e-6)


def _counters() -> Mapping[str, float]:
    return dict(_told())


def _told() -> Iterator[tuple[str, float]]:
    """What psutil, which reads the kernel's own files, says of each query."""
    yield f"count({_of('cpu_seconds_total', mode='idle')})", float(psutil.cpu_count() or 0)
    times = psutil.cpu_times()
    for mode in ("user", "system", "idle"):
        yield f"sum({_of('cpu_seconds_total', mode=mode)})", getattr(times, mode)
    yield _of("memory_MemTotal_bytes"), float(psutil.virtual_memory().total)
    for name, disk in psutil.disk_io_counters(perdisk=True).items():
        if disk.write_bytes and re.search(r"[a-z]$|n\d+$", name):  # no partition
            yield _of("disk_written_bytes_total", device=name), float(disk.write_bytes)
            yield _of("disk_read_bytes_total", device=name), float(disk.read_bytes)
    for name, network in psutil.net_io_counters(pernic=True).items():
        if name == "lo":  # told by some versions alone
            continue
        yield _of("network_receive_bytes_total", device=name), float(network.bytes_recv)
        yield _of("network_transmit_bytes_total", device=name), float(network.bytes_sent)


def _of(metric: str, **labels: str) -> str:
    pairs = ", ".join(f'{name}="{value}"' for name, value in {"job": JOB, **labels}.items())
    return f"node_{metric}{{{pairs}}}"
