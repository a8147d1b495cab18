"""Closed and open loops: what an operation costs beside itself, and what they see of a stall."""

import threading
import time

from stackproof.workloads import ClosedLoop, OpenLoop

OPERATIONS = 20_000
RATE = 500.0
STALL = 0.5


def stalling(number: int) -> None:
    """Takes no time; the hundredth takes half a second."""
    if number == 100:
        threading.Event().wait(STALL)


def main() -> None:
    began = time.perf_counter()
    ClosedLoop(lambda _: None, clients=1, name="clients", count=OPERATIONS).wait(within=60)
    cost = (time.perf_counter() - began) / OPERATIONS
    print(f"an operation costs {cost * 1e6:.1f} us beside itself")
    paced = OpenLoop(lambda _: None, clients=1, rate=RATE, name="clients", count=500)
    paced.wait(within=60)
    print(f"begun after it was due, {RATE:g} a second: {paced.latencies.told()}")
    for title, loop in (
        ("closed loop", ClosedLoop(stalling, clients=1, name="clients", count=1000)),
        ("open loop", OpenLoop(stalling, clients=1, name="clients", count=1000, rate=RATE)),
    ):
        loop.wait(within=60)
        print(f"one of 1000 stalls for {STALL:g} s, {title}: {loop.latencies.told()}")


if __name__ == "__main__":
    main()
