"""Work in the background: its errors are raised where it is awaited, and it has an end."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from stackproof.errors import PremiseNotMet
from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.workloads import Task


class Owner:
    """A scenario that ends."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
        self.cleanups: list[Callable[[], None]] = []

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        self.cleanups.append(cleanup)

    def scaled(self, seconds: float) -> float:
        return seconds * self.factor

    def end(self) -> None:
        for cleanup in reversed(self.cleanups):
            cleanup()


def until_stopped(task: Task) -> None:
    while task.pause(60):
        pass


def fail(task: Task) -> None:
    raise ConnectionError("the broker has gone")


def ended(task: Task) -> Task:
    poll(lambda: not task.running, within=10, awaiting="the task to end")
    return task


def test_an_error_is_raised_where_it_is_awaited() -> None:
    task = Task(fail, name="traffic")
    with pytest.raises(ConnectionError, match="the broker has gone"):
        task.await_(lambda: False, within=10, awaiting="more messages")
    with pytest.raises(ConnectionError):
        task.end(within=10)


@pytest.mark.parametrize("waiting", ["check", "wait", "end"])
def test_an_error_is_raised_wherever_one_may_be_told(waiting: str) -> None:
    task = ended(Task(fail, name="traffic"))
    with pytest.raises(ConnectionError):
        getattr(task, waiting)(**({} if waiting == "check" else {"within": 10}))
    assert task.death() == "traffic has ended: ConnectionError('the broker has gone')"


def test_what_has_come_about_before_the_end_counts() -> None:
    task = ended(Task(fail, name="traffic"))
    assert task.await_(lambda: 5, within=10, awaiting="more messages") == 5


def test_who_has_ended_without_an_error_is_told() -> None:
    with pytest.raises(Died, match="traffic has ended"):
        Task(lambda _: None, name="traffic").await_(lambda: False, within=10, awaiting="more")


def test_a_task_that_goes_on_is_awaited_no_longer_than_its_time() -> None:
    with (
        Task(until_stopped, name="traffic") as task,
        pytest.raises(DeadlineExceeded, match="for more messages"),
    ):
        task.await_(lambda: False, within=0.05, awaiting="more messages")
    assert not task.running


def test_a_task_that_does_not_end_is_told_with_its_place() -> None:
    released = threading.Event()
    task = Task(lambda _: released.wait(60), name="traffic")
    with pytest.raises(DeadlineExceeded, match=r"0\.05 s for traffic to end\n.* it is in wait \("):
        task.end(within=0.05)
    released.set()
    task.end(within=10)


def test_it_ends_with_its_scenario() -> None:
    owner = Owner()
    task = Task(until_stopped, name="traffic", owner=owner)
    assert task.running
    owner.end()
    assert not task.running and task.stopping


def test_a_scenario_hears_of_an_error_that_nobody_was_told() -> None:
    owner = Owner()
    ended(Task(fail, name="traffic", owner=owner))
    with pytest.raises(ConnectionError):
        owner.end()


def test_a_scenario_hears_of_an_error_once() -> None:
    owner = Owner()
    task = Task(fail, name="traffic", owner=owner)
    with pytest.raises(ConnectionError):
        task.end(within=10)
    owner.end()


def test_a_scenario_hears_of_a_task_that_goes_on() -> None:
    owner, released = Owner(factor=0.01), threading.Event()
    task = Task(lambda _: released.wait(60), name="traffic", owner=owner)
    with pytest.raises(PremiseNotMet, match="traffic goes on after the scenario"):
        owner.end()
    released.set()
    task.wait(within=10)


def test_the_error_of_a_block_is_kept_and_the_other_noted() -> None:
    with pytest.raises(AssertionError, match="a step has failed") as caught, Task(fail, name="t"):
        raise AssertionError("a step has failed")
    assert caught.value.__notes__ == ["and then: ConnectionError: the broker has gone"]


def test_a_block_that_ends_well_tells_the_error() -> None:
    with pytest.raises(ConnectionError), Task(fail, name="t"):
        pass
