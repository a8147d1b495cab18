"""Closed and open loops: what a stall does to their latencies. Time is the test's own."""

from __future__ import annotations

import threading

import pytest

from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.workloads import ClosedLoop, OpenLoop, Task

RATE, COUNT, STALL = 100.0, 300, 1.0


class OwnTime:
    """Passes only where somebody waits, or works."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def pause(self, task: Task, seconds: float) -> bool:
        self.time += seconds
        return not task.stopping

    def work(self, number: int) -> None:
        """A millisecond each; the tenth stalls."""
        self.time += STALL if number == 10 else 0.001


def test_a_closed_loop_counts_a_stall_once() -> None:
    time = OwnTime()
    loop = ClosedLoop(time.work, clients=1, name="readers", count=COUNT, clock=time)
    loop.wait(within=30)
    assert loop.done == loop.latencies.count == COUNT
    assert loop.latencies.worst == pytest.approx(STALL, rel=0.001)
    assert loop.latencies.percentile(99) == pytest.approx(0.001, rel=0.001)


def test_an_open_loop_counts_all_that_a_stall_holds_up() -> None:
    time = OwnTime()
    loop = OpenLoop(time.work, rate=RATE, clients=1, name="readers", count=COUNT, clock=time)
    loop.wait(within=30)
    assert loop.done == loop.latencies.count == COUNT
    # A hundred were due meanwhile, and each catches up by 9 ms: 110 of 300 are late.
    late = (STALL - 0.001) / (1 / RATE - 0.001)
    assert loop.latencies.percentile(100 * (COUNT - late - 2) / COUNT) < 0.01
    assert loop.latencies.percentile(100 * (COUNT - late + 3) / COUNT) > 0.01
    assert loop.latencies.percentile(99) == pytest.approx(STALL, rel=0.05)
    assert loop.latencies.percentile(75) > 0.2


def test_an_open_loop_keeps_its_rate() -> None:
    time = OwnTime()
    began: list[float] = []

    def operation(number: int) -> None:
        began.append(time.now())

    loop = OpenLoop(operation, rate=RATE, clients=1, name="readers", count=5, clock=time)
    loop.wait(within=30)
    assert began == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.04])


def test_what_was_due_and_never_begun_counts() -> None:
    time = OwnTime()
    stalled, released = threading.Event(), threading.Event()

    def operation(number: int) -> None:
        stalled.set()
        assert released.wait(30)

    loop = OpenLoop(operation, rate=RATE, clients=1, name="readers", clock=time)
    assert stalled.wait(30)
    time.time = 1.0  # it stalls from the first one on
    loop.stop()
    released.set()
    loop.wait(within=30)
    assert loop.done == 1 and loop.unsent == 100
    assert loop.latencies.count == 101
    assert loop.latencies.percentile(50) == pytest.approx(0.5, rel=0.03)
    loop.wait(within=30)
    assert loop.unsent == 100, "counted once"


def test_an_open_loop_by_the_clock_of_the_machine() -> None:
    with OpenLoop(lambda _: None, rate=1000, clients=2, name="readers") as loop:
        loop.await_more(50, within=30, while_="now")
    assert loop.latencies.count == loop.done + loop.unsent >= 50


def test_an_operation_that_raises_ends_all_clients_and_is_told() -> None:
    def operation(number: int) -> None:
        if number == 7:
            raise ConnectionError("gone")

    loop = ClosedLoop(operation, clients=4, name="readers")
    with pytest.raises(ConnectionError):
        loop.await_more(1_000_000_000, within=30, while_="now")
    poll(lambda: not loop.running, within=30, awaiting="the others to end")
    with pytest.raises(ConnectionError):
        loop.end(within=30)


def test_too_few_operations_are_told() -> None:
    loop = ClosedLoop(lambda _: None, clients=2, name="readers", count=5)
    with pytest.raises(Died, match="10 more operations of readers while it is down"):
        loop.await_more(10, within=30, while_="while it is down")
    loop.wait(within=30)
    assert loop.done == 5


def test_each_client_gets_on() -> None:
    hold = threading.Event()

    def operation(number: int) -> None:
        if number == 0:
            hold.wait(30)

    with ClosedLoop(operation, clients=2, name="readers") as loop:
        loop.await_more(100, within=30, while_="now")
        with pytest.raises(DeadlineExceeded):
            loop.await_more(1, within=0.05, while_="now", each=True)
        hold.set()
        loop.await_more(1, within=30, while_="now", each=True)


def test_an_operation_that_does_not_end_is_told() -> None:
    hold = threading.Event()
    loop = ClosedLoop(lambda _: hold.wait(60), clients=2, name="readers")
    with pytest.raises(DeadlineExceeded, match="readers 1 to end"):
        loop.end(within=0.05)
    hold.set()
    loop.end(within=30)
