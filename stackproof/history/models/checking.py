"""Checking a history against what is expected of it, whatever the model."""

from collections.abc import Callable, Mapping
from typing import Any

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import Snapshot
from stackproof.history.expectation import Expectation
from stackproof.history.flow import Flow
from stackproof.history.flow_verdict import check_flow
from stackproof.history.models import expectations, limit, lock, queue, register, sets
from stackproof.history.record import History
from stackproof.history.verdict import Verdict, events_around, judged

Find = Callable[[Any, Any], Anomaly]
Applies = Callable[[Any], bool]

#: By model: its module, with `CHECKS`, `books_of` and `told`; and what is expected of it.
_MODULES: Mapping[str, tuple[Any, type[Expectation]]] = {
    "register": (register, expectations.Registers),
    "queue": (queue, expectations.Queue),
    "set": (sets, expectations.Members),
    "lock": (lock, expectations.Locks),
    "limit": (limit, expectations.Limit),
}
MODELS: Mapping[str, Mapping[str, tuple[Find, Applies]]] = {
    name: module.CHECKS for name, (module, _) in _MODULES.items()
}
"""By model, by the name of the anomaly: the check, and whether an expectation asks for it."""


def check(history: History | Snapshot, expectation: Expectation) -> Verdict:
    """Check a history against what is expected of it.

    Raises:
        ValueError: it allows or expects an anomaly that its model does not know, or expects one
            that is not looked for.
    """
    if isinstance(expectation, Flow):
        return check_flow(history, expectation)
    checks = MODELS[expectation.model]
    for name in (*expectation.names("allowed"), *expectation.names("expected")):
        if name not in checks:
            raise ValueError(f"unknown anomaly: {name}; known: {', '.join(checks)}")
        if name in expectation.names("expected") and not checks[name][1](expectation):
            raise ValueError(f"expected, but not looked for: {name}")
    snapshot = history.snapshot() if isinstance(history, History) else history
    module, _ = _MODULES[expectation.model]
    books = books_of(snapshot, expectation)
    made = (find(books, expectation) for find, applies in checks.values() if applies(expectation))
    found = judged(made, expectation)
    count, lines, unproved = module.told(books, expectation)
    tried = number(count, "operation")
    return Verdict(
        expectation,
        found,
        tuple(lines),
        tried,
        f"{tried} checked",
        unproved,
        events_around(snapshot, found),
        str(snapshot.meta.get("prefix", "")),
    )


def books_of(snapshot: Snapshot, expectation: Expectation) -> Any:
    """Return what the checks of an expectation's model are given."""
    return _MODULES[expectation.model][0].books_of(snapshot, expectation)


def expectation_from(data: Mapping[str, Any]) -> Expectation:
    """Return the expectation of any model from what `Expectation.as_dict` gave.

    Raises:
        ValueError: the model is not known, or a field has no meaning in it.
    """
    known: dict[str, type[Expectation]] = {
        Flow.model: Flow,
        **{name: kind for name, (_, kind) in _MODULES.items()},
    }
    if data.get("model") not in known:
        raise ValueError(f"unknown model: {data.get('model')!r}; known: {', '.join(known)}")
    return known[data["model"]].from_dict(data)
