"""Whether the operations on one key can be put into an order of single moments: a search.

After Wing and Gong ("Testing and verifying concurrent objects", 1993) with the cache of Lowe
("Testing for linearizability", 2017), as Porcupine does it. Exponential at worst, hence a budget.
"""

from stackproof.history.columns import ACTIONS, FAIL, OK, Array
from stackproof.history.digests import digest_of
from stackproof.history.models.view import NEVER, View

_WRITE, _READ, _SWAP = (ACTIONS.index(name) for name in ("write", "read", "compare-and-set"))
_ABSENT = digest_of(None)

Operation = tuple[int, int, int, int, int, bool]
"""Began, ended, action, value, expected, and whether it certainly took effect."""


def linearizable(view: View, places: Array, *, steps: int) -> bool | None:
    """Whether these operations, all of one key, can be put into order; None: given up.

    Args:
        view: where they stand.
        places: of the operations.
        steps: how many states may be looked at.
    """
    operations: list[Operation] = []
    for place in places.tolist():
        action, status = int(view.action[place]), int(view.status[place])
        if action not in (_WRITE, _READ, _SWAP) or (action != _SWAP and status == FAIL):
            continue
        if status != OK and action == _READ:
            continue
        if action == _SWAP and status == FAIL:
            # It was refused: it saw another value than the one it expected.
            operations.append((int(view.began[place]), int(view.ended[place]), -1, 0,
                               int(view.expected[place]), True))  # fmt: skip
            continue
        operations.append((
            int(view.began[place]), int(view.ended[place]), action, int(view.value[place]),
            int(view.expected[place]), status == OK,
        ))  # fmt: skip
    operations.sort()
    return _search(operations, steps)


def _after(operation: Operation, value: int) -> int | None:
    """The value after an operation; None: it cannot have happened with that value."""
    _, _, action, written, expected, _ = operation
    if action == _READ:
        return value if value == written else None
    if action == _WRITE:
        return written
    if action == _SWAP:
        return written if value == expected else None
    return value if value != expected else None


def _search(operations: list[Operation], steps: int) -> bool | None:
    must = sum(1 << i for i, operation in enumerate(operations) if operation[5])
    seen: set[tuple[int, int]] = set()
    # Depth first; a state is what has happened so far, and the value it left.
    waiting = [(0, _ABSENT)]
    while waiting:
        done, value = waiting.pop()
        if done & must == must:
            return True
        if (done, value) in seen:
            continue
        seen.add((done, value))
        if len(seen) > steps:
            return None
        # Nothing may come before what ended before it began.
        soonest = int(NEVER)
        chosen = []
        undone = (~done & (done + 1)).bit_length() - 1
        for i in range(undone, len(operations)):
            if done >> i & 1:
                continue
            operation = operations[i]
            if operation[0] > soonest:
                break
            chosen.append(i)
            soonest = min(soonest, operation[1])
        for i in reversed(chosen):
            if operations[i][0] <= soonest:
                left = _after(operations[i], value)
                if left is not None:
                    waiting.append((done | 1 << i, left))
    return False
