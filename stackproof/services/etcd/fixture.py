"""One scenario's work with its etcd: keys of its own, each operation recorded."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from etcd3gw.exceptions import Etcd3Exception
from etcd3gw.lease import Lease

from stackproof.errors import step_missing
from stackproof.history import Answer, Queue, Registers
from stackproof.polling import DeadlineExceeded, poll, watch_life
from stackproof.services.etcd.client import EtcdKeeper
from stackproof.services.etcd.watching import Change, Watch
from stackproof.services.fixture import Scenario
from stackproof.texts import counted
from stackproof.workloads import ClosedLoop, Task

T = TypeVar("T")
_PATIENCE = 10.0
_SPACE, _CHANGES, _TOTALS = "etcd", "changes", "totals"
#: Seconds of silence after which a watch is begun anew.
_SILENCE = 2.0
_SERVED_WITHIN = 60.0
_OPENING = 100
#: Seconds between two changes of those that go on: many come while a watch begins anew.
_BETWEEN = 0.005


@dataclass
class _Leased:
    """A key that lives as long as its lease."""

    lease: Lease
    seconds: int
    kept_alive: list[float] = field(default_factory=list)


class EtcdFixture:
    """Keys of the scenario's own; they are deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "etcd"):
        self._scenario = scenario
        self._endpoint = scenario.endpoint(endpoint)
        self._prefix = scenario.own("")
        self.keeper = self._opened(_PATIENCE)
        scenario.add_cleanup(lambda: self.keeper.drop_all(self._prefix))
        self._leased: dict[str, _Leased] = {}
        self._watch: Watch | None = None
        self._told: list[Change] = []
        self._first_revision = self._tried = 0
        self._changing = ""
        self._there: dict[str, bytes] = {}
        self._acknowledged: list[str] = []
        self.transfers = 0

    @cached_property
    def changer(self) -> EtcdKeeper:
        """Gives up sooner than the other one."""
        return self._opened(_SILENCE)

    def _opened(self, timeout: float) -> EtcdKeeper:
        keeper = EtcdKeeper(self._endpoint, timeout=self._scenario.scaled(timeout))
        self._scenario.add_cleanup(keeper.close)
        return keeper

    def urls(self) -> str:
        """Of all members, comma-separated."""
        scheme = "https" if self._endpoint.access.tls else "http"
        return ",".join(f"{scheme}://{address}" for address in self._endpoint.addresses.values())

    def own(self, key: str) -> str:
        """The scenario's own key for a name in its text."""
        return self._scenario.own(key)

    def _doing(self, action: str, key: str, **more: Any) -> AbstractContextManager[Answer]:
        return self._scenario.history.doing(
            action, client="client", space=_SPACE, key=self.own(key), **more
        )

    # -- keys --------------------------------------------------------------------
    def put(self, key: str, content: bytes) -> None:
        """Put a key."""
        with self._doing("write", key, value=content):
            self.keeper.put(self.own(key), content)

    def put_many(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Put a key for each row, in this order; its columns are key and value."""
        for row in rows:
            self.put(row["key"], row["value"].encode())

    def get(self, key: str) -> bytes | None:
        """Get a key; None: it is not there."""
        with self._doing("read", key) as answer:
            answer.value = found = self.keeper.read(self.own(key))
        return found

    def range(self, first: str, end: str | None = None) -> dict[str, str]:
        """Keys and values from ``first`` up to before ``end``; None: all that begin so."""
        found = self.keeper.range(self.own(first), None if end is None else self.own(end))
        return {key.removeprefix(self._prefix): value.decode() for key, value, _ in found}

    def delete(self, prefix: str) -> None:
        """Delete the keys that begin so."""
        self.keeper.drop_all(self.own(prefix))

    def expected(self) -> Registers:
        """Every reading tells the last value."""
        return Registers("keys in etcd", _SPACE)

    # -- leases ------------------------------------------------------------------
    def put_leased(self, key: str, seconds: int) -> None:
        """Put a key with a lease of its own, of so many seconds."""
        content = f"with a lease of {seconds} s"
        with self._doing("write", key, value=content, number=seconds * 1000):
            lease = self.keeper.ask(lambda client: client.lease(seconds))
            self.keeper.put(self.own(key), content, lease)
        self._leased[key] = _Leased(lease, seconds)

    def _lease(self, key: str) -> _Leased:
        if key not in self._leased:
            raise step_missing(f'a lease of "{key}"', f'"{key}" is put with a lease of 2 seconds')
        return self._leased[key]

    def _asked(self, leased: _Leased, operation: Callable[[Lease], T]) -> T:
        """Ask whichever member serves; the lease itself knows the one alone that has granted it."""
        ident = leased.lease.id
        return self.keeper.ask(lambda client: operation(Lease(ident, client=client)))

    def keep_alive(self, key: str, seconds: float) -> None:
        """Keep a key's lease alive for so long; the key is read meanwhile, and recorded."""
        leased = self._lease(key)
        until = time.monotonic() + seconds

        def go_on() -> bool:
            with self._doing("expire", key, number=leased.seconds * 1000) as answer:
                if self._asked(leased, Lease.refresh) <= 0:
                    answer.fail("the lease has expired")
            return self.get(key) is None or time.monotonic() > until

        pause = leased.seconds / 5
        poll(go_on, within=seconds + self._scenario.scaled(_PATIENCE), first_pause=pause,
             longest_pause=pause, awaiting="the lease to be kept alive long enough")  # fmt: skip

    def revoke(self, key: str) -> None:
        """Revoke a key's lease."""
        leased = self._lease(key)
        with self._doing("write", key, value=None):
            self._asked(leased, Lease.revoke)

    def watch_life(self, key: str, late: float) -> Registers:
        """Read a key until it is gone, or has been there for too long; what is expected of it."""
        watch_life(lambda: self.get(key) is not None, self._lease(key).seconds, late=late)
        return replace(self.expected(), late_ms=round(late * 1000))

    # -- watches -------------------------------------------------------------------
    def watch(self, prefix: str) -> None:
        """Be told of all changes from now on of keys that begin so."""
        self._begin_watch(prefix, self.keeper.revision() + 1)

    def _begin_watch(self, prefix: str, revision: int) -> None:
        self._watch = Watch(self._opened(_SILENCE), self.own(prefix), revision, self._take)
        Task(self._watch.run, name="the watch", owner=self._scenario)

    def watch_from_first(self, prefix: str) -> None:
        """Be told of all changes from the first one on that the scenario has made."""
        if not self._first_revision:
            raise step_missing("changes", f'50 changes are made to keys that begin with "{prefix}"')
        self._begin_watch(prefix, self._first_revision)

    def _take(self, change: Change) -> None:
        self._told.append(change)
        for action in ("take", "acknowledge"):
            with self._scenario.history.doing(
                action, client="watcher", space=_CHANGES, key=_ident(change)
            ) as answer:  # fmt: skip
                answer.value = _content(change)

    def change(self, prefix: str, count: int) -> None:
        """Put and delete keys that begin so, until so many changes are acknowledged."""
        before = len(self._acknowledged)
        with self.changing(prefix, count, pause=0.0):
            self.await_changes(count, before)

    def changing(self, prefix: str, count: int | None = None, pause: float = _BETWEEN) -> Task:
        """Put and delete keys that begin so, one after the other.

        Args:
            prefix: what they begin with.
            count: how many changes are to be acknowledged; None: until the task is ended.
            pause: seconds between two changes.
        """
        if not self._first_revision:
            self._first_revision = self.keeper.revision() + 1
        self._scenario.parameters["seed"] = str(self._scenario.seed)
        self._changing = prefix
        wanted = math.inf if count is None else len(self._acknowledged) + count

        def work(task: Task) -> None:
            while not task.stopping and len(self._acknowledged) < wanted:
                with suppress(Etcd3Exception, OSError):
                    self._change_one(prefix)
                task.pause(pause)

        return Task(work, name="changes", owner=self._scenario)

    def await_changes(self, count: int, before: int | None = None) -> None:
        """Wait until so many more changes are acknowledged than ``before``; None: than now."""
        wanted = (len(self._acknowledged) if before is None else before) + count
        poll(lambda: len(self._acknowledged), until=lambda there: there >= wanted,
             within=self._scenario.scaled(_SERVED_WITHIN),
             awaiting=f"{count} changes to be acknowledged")  # fmt: skip

    def _change_one(self, prefix: str) -> None:
        self._tried += 1
        choice = random.Random(f"{self._scenario.seed} {self._tried}")
        key = self.own(f"{prefix}{choice.randrange(5)}")
        # What is there is not known after a change without an answer: then something is put.
        before = self._there.pop(key, None)
        deletes = before is not None and choice.random() < 0.3
        value = None if deletes else f"content {self._tried}".encode()
        change = Change(key, value, before)
        with self._scenario.history.doing(
            "put", client="client", space=_CHANGES, key=_ident(change), value=_content(change)
        ):
            if value is None:
                self.changer.delete(key)
            else:
                self.changer.put(key, value)
        self._acknowledged.append(_ident(change))
        if value is not None:
            self._there[key] = value

    def await_told(self, within: float) -> Queue:
        """Wait until the watcher was told of each change; what is expected of it."""
        if self._watch is None:
            raise step_missing("a watch", 'the keys that begin with "jobs/" are watched')
        expected = Queue("changes that a watcher is told of", _CHANGES, ordered=True, settled=False)
        wanted = set(self._acknowledged)
        try:
            self._await_told(wanted, within)
        except DeadlineExceeded as late:
            # Once a later change was told, whatever is missing before it will not come.
            with suppress(Etcd3Exception, OSError, DeadlineExceeded):
                self._change_one(self._changing)
                self._await_told({self._acknowledged[-1]}, within)
                expected = replace(expected, settled=True)
            self._scenario.check_after(late, expected)
        self._scenario.figure("the watch was begun anew", counted(self._watch.resumed, "time"))
        return replace(expected, settled=True)

    def _await_told(self, wanted: set[str], within: float) -> None:
        poll(
            lambda: wanted - set(map(_ident, list(self._told))), until=lambda left: not left,
            within=self._scenario.scaled(within), awaiting="the watcher to be told",
            describe=lambda left: f"of {len(left)} changes it was not, e.g. {min(left)}",
        )  # fmt: skip

    # -- transactions --------------------------------------------------------------
    def open_accounts(self, count: int) -> None:
        """Put so many accounts with the same amount each."""
        for number in range(count):
            self.keeper.put(self.own(f"account/{number}"), str(_OPENING).encode())
        total, history = str(count * _OPENING), self._scenario.history
        with history.doing("write", client="clients", space=_TOTALS, key="total", value=total):
            """Transfers leave it as it is."""

    def transfer(self, clients: int, each: int) -> None:
        """Have clients move amounts between accounts, while another one reads all of them at once.

        A transfer compares the revisions that it has read, and puts both accounts or none; it is
        done anew where somebody else was quicker.
        """
        seed, within = self._scenario.seed, self._scenario.scaled(60)
        keepers = [self._opened(_PATIENCE) for _ in range(clients + 1)]
        accounts = self.own("account/")

        def read(keeper: EtcdKeeper) -> Mapping[str, tuple[int, int]]:
            return {key: (int(value), rev) for key, value, rev in keeper.range(accounts, None)}

        def one(number: int) -> None:
            choice, keeper = random.Random(f"{seed} {number}"), keepers[number % clients]

            def moved() -> bool:
                found = read(keeper)
                giver, taker = choice.sample(sorted(found), 2)
                amount = choice.randrange(1, 10)
                return keeper.put_all(
                    {giver: found[giver][1], taker: found[taker][1]},
                    {giver: str(found[giver][0] - amount).encode(),
                     taker: str(found[taker][0] + amount).encode()},
                )  # fmt: skip

            poll(moved, within=within, first_pause=0.001, longest_pause=0.02,
                 awaiting="a transfer that nobody overtakes")  # fmt: skip

        def look(_: int) -> None:
            with (
                suppress(Etcd3Exception, OSError),
                self._scenario.history.doing("read", client="reader", space=_TOTALS,
                                             key="total") as answer,
            ):  # fmt: skip
                answer.value = str(sum(amount for amount, _ in read(keepers[-1]).values()))

        reader = ClosedLoop(look, clients=1, name="reader", owner=self._scenario)
        writers = ClosedLoop(one, clients=clients, name="clients", owner=self._scenario,
                             count=clients * each)  # fmt: skip
        writers.wait(within=within)
        reader.await_more(1, within=within, while_="after the last transfer")
        reader.end(within=within)
        self.transfers = clients * each

    def same_total(self) -> Registers:
        """Nobody reads another total than that of the beginning."""
        if not self.transfers:
            raise step_missing("transfers", "4 clients each make 10 transfers between 5 accounts")
        return Registers("the total of all accounts", _TOTALS)


def _ident(change: Change) -> str:
    """What tells it from others: contents are unique."""
    done = "put" if change.value is not None else "deleted"
    content = change.before if change.value is None else change.value
    return f"{change.key}: {content.decode(errors='replace') if content else 'nothing'}, {done}"


def _content(change: Change) -> bytes | str:
    return "deleted" if change.value is None else change.value
