"""How fast a history is recorded, checked and saved, and how much memory it takes.

    python -m bench history
    python -m bench.history [OPERATIONS ...]

Of the log, an operation is a send with its completion, or a reception. Two shapes: "pipeline",
sends to one topic and receptions from another, half of each; "log", sends in transactions of a
hundred, receptions in polls of a hundred by two consumers that read committed records, and a
final drain, a third of each. Of the other models, one shape each: two clients on a thousand keys
(register, lock, limit), or each message or member once (queue, set). All checks are made that the
shape allows; what is left out is named. Nothing is asserted: the figures are for reading. The
last column shows linearity: the time per operation in relation to the smallest size.
"""

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackproof.history import (
    CHECKS,
    MODELS,
    Expectation,
    Flow,
    FlowRecords,
    History,
    Limit,
    Locks,
    Members,
    Queue,
    Registers,
    Snapshot,
    check,
    load,
    save,
)
from stackproof.history.models.checking import books_of

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


EXPECTED: dict[str, Expectation] = {
    **FLOWS,
    "register": Registers("values", "s"),
    "queue": Queue("messages", "s", ordered=True),
    "set": Members("members", "s"),
    "lock": Locks("locks", "s"),
    "limit": Limit("limits", "s", most=100, window_ms=1000),
}
_DOES = {
    "register": ("write", "read"), "queue": ("put", "take"), "set": ("add", "seen"),
    "lock": ("acquire", "release"), "limit": ("permit", "refuse"),
}  # fmt: skip
_KEYS = 1000


def record(shape: str, operations: int, faulty: bool) -> History:
    """Record a history; faulty: one in a thousand of each of some kinds of fault."""
    if shape in FLOWS:
        return {"pipeline": _pipeline, "log": _log}[shape](operations, faulty)
    return _keyed(shape, operations, faulty)


def _keyed(model: str, operations: int, faulty: bool) -> History:
    """Two operations on each key in turn; of a set, a listing of it after all additions."""
    history = History("bench")
    first, second = _DOES[model]
    once = model in ("queue", "set")
    pairs = operations // 2
    together = (i for pair in range(pairs) for i in (pair, pair + pairs))
    for i in range(2 * pairs) if model == "set" else together:
        again, i = divmod(i, pairs)
        at = 1e9 + i * 1e-3 + again * (pairs * 1e-3 + 2 if model == "set" else 2e-4)
        kind = i % 1000 if faulty else -1
        key = f"key-{i:08d}" if once else f"key-{i % _KEYS:03d}"
        number = i + 1 if model == "lock" else pairs if model == "set" and again else 0
        if model == "set" and (again, i) == (1, 0):
            listing = history.invoke("list", client="b", space="s", key="all", at=at - 1)
            history.answered(listing, "ok", at=at + pairs * 1e-3)
        if again and kind == 1:
            continue
        op = history.invoke(
            second if again else first, client="b" if again and model != "lock" else "a",
            space="s", key=key, value=i - 1 if again and kind == 2 else i, number=number, at=at,
        )  # fmt: skip
        history.answered(op, "ok", at=at + 1e-4)
    return history


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
    expected = EXPECTED[shape]
    seconds = {"record": best(lambda: record(shape, operations, faulty), 1)}
    history = record(shape, operations, faulty)

    def fresh() -> None:
        history._snapshot = None
        history.snapshot()

    seconds["to columns"] = best(fresh)
    snapshot = history.snapshot()

    checks, books = _checks(shape, snapshot)
    seconds["books"] = best(books)
    for name, find in checks.items():
        # What several checks share is made by the first of them, as in a verdict.
        made = books()
        seconds[name] = best(lambda r=made, f=find: f(r), 1)  # type: ignore[misc]

    def everything() -> None:
        history._snapshot = None
        check(history, expected)

    seconds["all, from rows to verdict"] = best(everything)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.npz"
        seconds["save"] = best(lambda: save(history, path), 1)
        seconds["load"] = best(lambda: load(path), 1)
    return seconds


def _checks(
    shape: str, snapshot: Snapshot
) -> tuple[dict[str, Callable[[Any], object]], Callable[[], Any]]:
    """The checks of a shape, and what they are given."""
    expected = EXPECTED[shape]
    if isinstance(expected, Flow):
        flow = expected

        def books() -> FlowRecords:
            records = FlowRecords(snapshot, flow)
            assert records.books
            return records

        return {name: one.find for name, one in CHECKS.items() if one.applies(flow)}, books
    checks = MODELS[expected.model]
    made = {name: one.find for name, one in checks.items() if one.applies(expected)}
    return made, lambda: books_of(snapshot, expected)


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
    for shape, expected in EXPECTED.items():
        known = CHECKS if shape in FLOWS else MODELS[expected.model]
        made, _ = _checks(shape, History().snapshot())
        left_out = [name for name in known if name not in made]
        print(f"\n{shape}: {len(made)} of {len(known)} checks", end="")
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
