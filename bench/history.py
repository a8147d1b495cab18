"""How fast a history is recorded, checked and saved, and how much memory it takes.

    python -m bench history
    python -m bench.history [OPERATIONS ...]

An operation is a send with its completion, or a reception. Two shapes: "pipeline", sends to
one topic and receptions from another, half of each; "log", sends in transactions of a hundred,
receptions in polls of a hundred by two consumers that read committed records, and a final
drain, a third of each. All checks are made that the flow's shape allows; the one that is left
out is named. Nothing is asserted: the figures are for reading. The last column shows
linearity: the time per operation in relation to the smallest size.
"""

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from stackproof.history import CHECKS, Flow, FlowRecords, History, check_flow, load, save

PARTITIONS = 6
BATCH = 100
"""Records of a transaction, and of a poll."""
SIZES = (100_000, 1_000_000, 2_000_000)
FLOWS = {
    "pipeline": Flow(
        name="orders become receipts",
        sent_topic="orders",
        sent_label="valid",
        received_topic="receipts",
        exclusive_topics=("dead-letters",),
        content="carried",
        order="offset",
        group_clients=("consumer-0", "consumer-1"),
        guarantee="exactly-once",
    ),
    "log": Flow(
        name="orders are kept",
        sent_topic="orders",
        received_topic="orders",
        exclusive_topics=("dead-letters",),
        content="bytes",
        order="sequence",
        group_clients=("consumer-0", "consumer-1"),
        guarantee="exactly-once",
        drained=True,
    ),
}


def record(shape: str, operations: int, faulty: bool) -> History:
    """Record a history; faulty: one in a thousand of each of four kinds of fault."""
    return {"pipeline": _pipeline, "log": _log}[shape](operations, faulty)


def _pipeline(operations: int, faulty: bool) -> History:
    history = History("bench")
    send, complete, receive = history.send, history.complete, history.receive
    pairs = operations // 2
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


def _log(operations: int, faulty: bool) -> History:
    history = History("bench")
    send, complete = history.send, history.complete
    messages = operations // 3
    for client in ("consumer-0", "consumer-1", "drain"):
        history.consumer(client, isolation="read_committed")
    number = -1
    for i in range(messages):
        at = 1e9 + i * 1e-5
        if i % BATCH == 0:
            if number >= 0:
                _commit(history, number, at)
            number = history.begin("producer", "tx", at=at)
        op = send(
            client="producer", topic="orders", ident=f"order-{i:08d}", digest=i,
            transaction=number, at=at,
        )  # fmt: skip
        complete(op, "ok", partition=i % PARTITIONS, offset=i // PARTITIONS, at=at + 0.00001)
    end = 1e9 + messages * 1e-5 + 1
    if number >= 0:
        _commit(history, number, end)
    for partitions, client in ((range(3), "consumer-0"), (range(3, 6), "consumer-1")):
        _read(history, client, partitions, messages, end + 1, faulty)
    _read(history, "drain", range(PARTITIONS), messages, end + 100, faulty=False)
    history.drain(
        "drain", "orders", begins=dict.fromkeys(range(PARTITIONS), 0),
        ends=dict.fromkeys(range(PARTITIONS), messages // PARTITIONS), at=end + 99,
    )  # fmt: skip
    return history


def _commit(history: History, number: int, at: float) -> None:
    history.end(number, "commit", at=at)
    history.ended(number, "commit", "ok", at=at)


def _read(
    history: History, client: str, partitions: range, messages: int, at: float, faulty: bool
) -> None:
    receive, handed, poll = history.receive, 0, -1
    for partition in partitions:
        for i in range(partition, messages, PARTITIONS):
            if handed % BATCH == 0:
                if poll >= 0:
                    history.polled(poll, at=at)
                poll = history.poll(client, at=at)
            kind = i % 1000 if faulty else -1
            handed += 1
            if kind in (1, 2):
                continue
            # One that goes back, and one with another content.
            receive(
                client=client, topic="orders", partition=partition,
                offset=i // PARTITIONS - (2 if kind == 30 else 0), ident=f"order-{i:08d}",
                digest=i + (kind == 4), poll=poll, at=at,
            )  # fmt: skip
    if poll >= 0:
        history.polled(poll, at=at)


def best(call: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest processor time in seconds of a few calls: others work here too."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def measure(shape: str, operations: int, faulty: bool) -> dict[str, float]:
    """Return seconds per measured activity."""
    flow = FLOWS[shape]
    seconds = {"record": best(lambda: record(shape, operations, faulty), 1)}
    history = record(shape, operations, faulty)

    def fresh() -> None:
        history._snapshot = None
        history.snapshot()

    seconds["to columns"] = best(fresh)
    snapshot = history.snapshot()

    def books() -> FlowRecords:
        records = FlowRecords(snapshot, flow)
        assert records.books
        return records

    seconds["books"] = best(books)
    for name, check in CHECKS.items():
        # What several checks share is made by the first of them, as in a verdict.
        if check.applies(flow):
            records = books()
            seconds[name] = best(lambda r=records, c=check: c.find(r), 1)  # type: ignore[misc]

    def everything() -> None:
        history._snapshot = None
        check_flow(history, flow)

    seconds["all, from rows to verdict"] = best(everything)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        seconds["save"] = best(lambda: save(history, path), 1)
        seconds["load"] = best(lambda: load(path), 1)
    return seconds


def bytes_per_operation(shape: str, operations: int) -> float:
    """Return the memory that a recorded operation takes, idents included."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    history = record(shape, operations, faulty=False)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del history
    return taken / operations


def main(sizes: tuple[int, ...] = SIZES) -> None:
    for shape, flow in FLOWS.items():
        left_out = [name for name, check in CHECKS.items() if not check.applies(flow)]
        print(f"\n{shape}: {len(CHECKS) - len(left_out)} of {len(CHECKS)} checks", end="")
        print(f", without {', '.join(left_out)}" if left_out else "")
        for faulty in (False, True):
            print(f"\n{'one in a thousand of each fault' if faulty else 'clean history'}")
            print(f"{'operations':>12}  {'activity':<28}{'ms':>10}{'ops/s':>18}{'ratio':>8}")
            reference: dict[str, float] = {}
            for size in sizes:
                for activity, seconds in measure(shape, size, faulty).items():
                    ratio = seconds / size / reference.setdefault(activity, seconds / size)
                    print(
                        f"{size:>12,}  {activity:<28}{seconds * 1e3:>10.1f}"
                        f"{size / seconds:>18,.0f}{ratio:>8.2f}"
                    )
        print("\nmemory while recording, bytes per operation:")
        for size in sizes:
            print(f"{size:>12,}  {bytes_per_operation(shape, size):.0f}")


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
