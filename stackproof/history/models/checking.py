"""Checking a history against what is expected of it, whatever the model."""

from collections.abc import Mapping
from typing import Any

from stackproof.history.anomaly import number
from stackproof.history.columns import Snapshot
from stackproof.history.expectation import Expectation
from stackproof.history.flow import Flow
from stackproof.history.flow_verdict import check_flow
from stackproof.history.looked_for import Check, asked
from stackproof.history.models import expectations, limit, lock, queue, register, sets
from stackproof.history.models.view import ModelBooks, View
from stackproof.history.record import History
from stackproof.history.verdict import Verdict, events_around, judged

#: By model: its module, with `CHECKS`, `Books` and `told`; and what is expected of it.
_MODULES: Mapping[str, tuple[Any, type[Expectation]]] = {
    "register": (register, expectations.Registers),
    "queue": (queue, expectations.Queue),
    "set": (sets, expectations.Members),
    "lock": (lock, expectations.Locks),
    "limit": (limit, expectations.Limit),
}
MODELS: Mapping[str, Mapping[str, Check[Any, Any]]] = {
    name: module.CHECKS for name, (module, _) in _MODULES.items()
}
"""The checks by model, by the name of the anomaly."""


def check(history: History | Snapshot, expectation: Expectation) -> Verdict:
    """Check a history against what is expected of it.

    Raises:
        ValueError: see `asked`.
    """
    if isinstance(expectation, Flow):
        return check_flow(history, expectation)
    checks = asked(MODELS[expectation.model], expectation)
    snapshot = history.snapshot() if isinstance(history, History) else history
    books = books_of(snapshot, expectation)
    found = judged((check.find(books) for check in checks), expectation)
    lines, unproved = _MODULES[expectation.model][0].told(books)
    tried = number(books.operations, "operation")
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


def tells_apart(history: History, expectation: Expectation) -> bool:
    """Return whether a model's premise holds that values of one key differ; True: it has none."""
    if not isinstance(expectation, expectations.Registers):
        return True
    books = books_of(history.snapshot(), expectation)
    return not (isinstance(books, register.Books) and books.repeated)


def books_of(snapshot: Snapshot, expectation: Any) -> ModelBooks:
    """Return what the checks of an expectation's model are given."""
    module, _ = _MODULES[expectation.model]
    books: ModelBooks = module.Books(View.of(snapshot, (expectation.space,)), expectation)
    return books


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
