"""How fast a history is recorded, checked and saved, and how much memory it takes.

    python -m bench.history [OPERATIONS ...]

An operation is a send with its completion, or a reception; half of each. Nothing is
asserted: the figures are for reading. The last column shows linearity: the time
per operation in relation to the smallest size.
"""

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from stackproof.history import CHECKS, Flow, FlowRecords, History, check_flow, load, save

PARTITIONS = 6
FLOW = Flow(
    name="orders become receipts",
    sent_topic="orders",
    sent_label="valid",
    received_topic="receipts",
    exclusive_topics=("dead-letters",),
    content="carried",
    order="offset",
    group_clients=("consumer-0", "consumer-1"),
)


def record(pairs: int, faulty: bool) -> History:
    """Record sends and receptions; faulty: one in a thousand of each kind of fault."""
    history = History("bench")
    send, complete, receive = history.send, history.complete, history.receive
    for i in range(pairs):
        ident = f"order-{i:08d}"
        op = send(
            client="producer", topic="orders", ident=ident, digest=i, carried=i, label="valid",
            at=1e9 + i * 1e-5,
        )  # fmt: skip
        complete(
            op, "ok", partition=i % PARTITIONS, offset=i // PARTITIONS, at=1e9 + i * 1e-5 + 0.002
        )
        kind = i % 1000 if faulty else -1
        if kind == 1:
            continue
        receive(
            client=f"consumer-{i * 2 // pairs}",
            topic="dead-letters" if kind == 2 else "receipts",
            partition=i % PARTITIONS,
            offset=(i + 2 * PARTITIONS if kind == 3 else i) // PARTITIONS,
            ident=ident,
            digest=i + (1 << 40),
            carried=i + (kind == 4),
            at=1e9 + i * 1e-5 + 0.005,
        )
    return history


def best(call: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest time in seconds of a few calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(operations: int, faulty: bool) -> dict[str, float]:
    """Return seconds per measured activity."""
    pairs = operations // 2
    seconds = {"record": best(lambda: record(pairs, faulty), 1)}
    history = record(pairs, faulty)

    def fresh() -> None:
        history._snapshot = None
        history.snapshot()

    seconds["to columns"] = best(fresh)
    snapshot = history.snapshot()

    def books() -> FlowRecords:
        records = FlowRecords(snapshot, FLOW)
        assert records.books
        return records

    seconds["books"] = best(books)
    records = books()
    for name, check in CHECKS.items():
        seconds[name] = best(lambda check=check: check.find(records))  # type: ignore[misc]

    def everything() -> None:
        history._snapshot = None
        check_flow(history, FLOW)

    seconds["all, from rows to verdict"] = best(everything)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        seconds["save"] = best(lambda: save(history, path), 1)
        seconds["load"] = best(lambda: load(path), 1)
    return seconds


def bytes_per_operation(operations: int) -> float:
    """Return the memory that a recorded operation takes, idents included."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    history = record(operations // 2, faulty=False)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del history
    return taken / operations


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [100_000, 1_000_000, 2_000_000]
    for faulty in (False, True):
        print(f"\n{'one in a thousand of each fault' if faulty else 'clean history'}")
        print(f"{'operations':>12}  {'activity':<28}{'ms':>10}{'ops/s':>18}{'ratio':>8}")
        reference: dict[str, float] = {}
        for size in sizes:
            for activity, seconds in measure(size, faulty).items():
                ratio = seconds / size / reference.setdefault(activity, seconds / size)
                print(
                    f"{size:>12,}  {activity:<28}{seconds * 1e3:>10.1f}"
                    f"{size / seconds:>18,.0f}{ratio:>8.2f}"
                )
    print("\nmemory while recording, bytes per operation:")
    for size in sizes:
        print(f"{size:>12,}  {bytes_per_operation(size):.0f}")


if __name__ == "__main__":
    main()
