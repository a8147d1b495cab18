"""Recording polls, assignments, drains and transactions."""

import math

import pytest

from stackproof.history import History, check_flow, load, save
from tests.history.story import DIRECT, Story, delivered

BASIC = {"client": "c", "topic": "t", "ident": "a", "digest": 1}


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf])
def test_a_time_that_orders_nothing_is_refused(at):
    history = History()
    op, poll, number = history.send(**BASIC), history.poll("c"), history.begin("c", "tx")
    history.end(number, "commit")
    for record in (
        lambda: history.send(**BASIC, at=at),
        lambda: history.complete(op, "ok", at=at),
        lambda: history.receive(**BASIC, partition=0, offset=0, at=at),
        lambda: history.event("note", "text", at=at),
        lambda: history.event("note", "text", until=at),
        lambda: history.poll("c", at=at),
        lambda: history.polled(poll, at=at),
        lambda: history.begin("c", "tx", at=at),
        lambda: history.ended(number, "commit", "ok", at=at),
        lambda: history.assignment("c", "assigned", [], at=at),
        lambda: history.drain("c", "t", begins={}, ends={}, at=at),
    ):
        with pytest.raises(ValueError, match="is no time"):
            record()
    snapshot = history.snapshot()
    assert (len(snapshot.sends), len(snapshot.receptions), len(snapshot.polls)) == (1, 0, 1)


def outcome(*steps: tuple[str, str | None]) -> str:
    """What becomes of a transaction, as an operation in it shows."""
    history = History()
    number = history.begin("p", "tx")
    op = history.send(**BASIC, transaction=number)
    history.complete(op, "ok", partition=0, offset=0)
    for how, status in steps:
        history.end(number, how)  # type: ignore[arg-type]
        if status:
            history.ended(number, how, status)  # type: ignore[arg-type]
    return ("ok", "fail", "unknown")[history.snapshot().status[0]]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((), "fail"),
        ([("commit", "ok")], "ok"),
        ([("commit", None)], "unknown"),
        ([("commit", "unknown")], "unknown"),
        ([("commit", "fail")], "fail"),
        ([("abort", "ok")], "fail"),
        ([("abort", "unknown")], "fail"),
        ([("abort", None)], "fail"),
        ([("commit", "unknown"), ("commit", "ok")], "ok"),
        ([("commit", "unknown"), ("abort", "ok")], "fail"),
        ([("commit", "unknown"), ("abort", "unknown")], "unknown"),
        ([("commit", "unknown"), ("abort", "fail")], "unknown"),
        ([("commit", "unknown"), ("abort", None)], "unknown"),
        ([("commit", "fail"), ("abort", "ok")], "fail"),
    ],
)
def test_what_a_transaction_comes_to(steps, expected):
    assert outcome(*steps) == expected


@pytest.mark.parametrize(
    "steps", [[("commit", "ok"), ("abort", "ok")], [("commit", "fail"), ("commit", "ok")]]
)
def test_what_has_ended_does_not_end_again(steps):
    with pytest.raises(ValueError, match="has ended before"):
        outcome(*steps)


def test_misuse_is_told():
    history = History()
    number = history.begin("p", "tx")
    with pytest.raises(ValueError, match="nobody has asked for the end"):
        history.ended(number, "commit", "ok")
    with pytest.raises(ValueError, match="one of commit, abort"):
        history.end(number, "finish")  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="no transaction number 7"):
        history.end(7, "commit")
    with pytest.raises(IndexError, match="no poll number -1"):
        history.polled(-1)
    with pytest.raises(ValueError, match="change is one of assigned"):
        history.assignment("c", "moved", [])  # type: ignore[arg-type]
    history.consumer("c", isolation="read_committed")
    history.consumer("c", isolation="read_committed")
    with pytest.raises(ValueError, match=r"recorded as .* before"):
        history.consumer("c")


def test_an_assignment_holds_from_the_poll_that_goes_on():
    history = History()
    history.assignment("one", "assigned", [("t", 0)])
    first = history.poll("one")
    history.poll("two")
    history.assignment("one", "revoked", [("t", 0)])
    history.polled(first)
    history.assignment("one", "assigned", [("t", 0)])
    assert [one.poll for one in history.snapshot().assignments] == [0, 0, 2]


def whole() -> Story:
    """Something of everything."""
    story = delivered("a").consumer("one", isolation="read_committed", mode="subscribe", group="g")
    number = story.begun()
    story.sent("b", offset=1, transaction=number).ended(number, "commit", "unknown")
    open_one = story.begun("another")
    story.sent("c", offset=2, transaction=open_one)
    story.polled("one", ("a", 0), ("b", 1), assigned=True).drained(("a", 0))
    story.history.poll("one")
    return story


def test_all_of_it_is_read_back(tmp_path):
    story = whole()
    one, other = story.history.snapshot(), load(save(story.history, tmp_path / "h.npz"))
    for name in ("consumers", "assignments", "drains", "transactional_ids"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.sends.transaction.tolist() == other.sends.transaction.tolist() == [-1, 0, 1]
    assert one.receptions.poll.tolist() == other.receptions.poll.tolist()
    assert check_flow(one, DIRECT).explain() == check_flow(other, DIRECT).explain()
