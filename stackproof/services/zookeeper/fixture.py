"""One scenario's work with its ZooKeeper: znodes of its own, each operation recorded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from stackproof.errors import step_missing
from stackproof.history import Answer, Members, Registers
from stackproof.polling import poll
from stackproof.services.fixture import Scenario
from stackproof.services.zookeeper.client import ZooKeeperKeeper
from stackproof.workloads import ClosedLoop, Task

_PATIENCE, _SESSION = 10.0, 4.0
_SPACE, _SEQUENCE = "znodes", "sequence"
_WATCHES = 'the znode "/config" is watched'


class ZooKeeperFixture:
    """Znodes below one of the scenario's own; that is deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "zookeeper"):
        self._scenario = scenario
        self._endpoint = scenario.endpoint(endpoint)
        self._root = scenario.own("znodes")
        self.keeper = self._opened(_PATIENCE)
        scenario.add_cleanup(lambda: self.keeper.drop([self._root]))
        self._sessions: dict[str, ZooKeeperKeeper] = {}
        self._watched = ""
        self._told: list[Any] = []
        self._seen: list[bytes | None] = []
        self._changes = 0
        self.created: list[tuple[float, float, int]] = []
        self.refused: list[str] = []

    def _opened(self, session: float) -> ZooKeeperKeeper:
        keeper = ZooKeeperKeeper(self._endpoint, timeout=self._scenario.scaled(session))
        self._scenario.add_cleanup(keeper.close)
        return keeper

    def hosts(self) -> str:
        """Of all servers, as clients of ZooKeeper want them."""
        return ",".join(self._endpoint.addresses.values())

    def own(self, path: str) -> str:
        """The scenario's own place for a path in its text, without a slash before it."""
        return f"{self._root}/{path.strip('/')}"

    def _doing(
        self, action: str, path: str, client: str = "client", **more: Any
    ) -> AbstractContextManager[Answer]:
        return self._scenario.history.doing(
            action, client=client, space=_SPACE, key=self.own(path), **more
        )

    def put(self, path: str, content: bytes) -> None:
        """Create a znode, or set what is in it."""
        with self._doing("write", path, value=content):
            self.keeper.put(self.own(path), content)

    def get(self, path: str) -> bytes | None:
        """What is in a znode; None: it is not there."""
        with self._doing("read", path) as answer:
            answer.value = found = self.keeper.read(self.own(path))
        return found

    def expected(self) -> Registers:
        """Every reading tells the last value."""
        return Registers("znodes in ZooKeeper", _SPACE)

    # -- sessions ------------------------------------------------------------------
    def session(self, name: str) -> KazooClient:
        """The client that the scenario calls so; with a session of its own."""
        if name not in self._sessions:
            self._sessions[name] = self._opened(_SESSION)
        return self._sessions[name].client

    def create_ephemeral(self, name: str, path: str) -> None:
        """Have a client create a znode that goes with its session; its content is its name."""
        with self._doing("write", path, client=name, value=name.encode()):
            self.session(name).create(
                f"/{self.own(path)}", name.encode(), ephemeral=True, makepath=True
            )

    def close_session(self, name: str, path: str) -> None:
        """Have a client close its session, and with it what it has created."""
        if name not in self._sessions:
            raise step_missing(f'a session of "{name}"',
                               f'"{name}" creates the ephemeral znode "{path}"')  # fmt: skip
        with self._doing("write", path, client=name, value=None):
            self._sessions.pop(name).close()

    # -- sequences -------------------------------------------------------------------
    def create_sequence(self, path: str, clients: int, each: int) -> None:
        """Have clients create sequential znodes below a path, side by side."""
        parent = f"/{self.own(path)}"
        self.keeper.client.ensure_path(parent)
        sessions = [self.session(f"client {number + 1}") for number in range(clients)]

        def one(number: int) -> None:
            client, content = number % clients, f"znode {number}"
            began = time.time()
            made = sessions[client].create(f"{parent}/n-", content.encode(), sequence=True)
            ended = time.time()
            history = self._scenario.history
            op = history.invoke("add", client=f"client {client + 1}", space=_SEQUENCE,
                                key=made.rpartition("/")[2], value=content, at=began)  # fmt: skip
            history.answered(op, "ok", at=ended)
            self.created.append((began, ended, int(made[-10:])))

        loop = ClosedLoop(one, clients=clients, count=clients * each, name="clients",
                          owner=self._scenario)  # fmt: skip
        loop.wait(within=self._scenario.scaled(60))

    def list_sequence(self, path: str) -> Members:
        """Read all that was created below a path; what is expected of it."""
        parent = self.own(path)
        with self._scenario.history.listing(client="reader", space=_SEQUENCE) as found:
            for name in self.keeper.client.get_children(f"/{parent}"):
                content = self.keeper.read(f"{parent}/{name}")
                found.append((name, None if content is None else content.decode()))
        return Members("sequential znodes", _SEQUENCE)

    def not_rising(self) -> Iterator[str]:
        """Creations whose number is not greater than that of one which had ended before."""
        before = sorted((ended, number) for _, ended, number in self.created)
        greatest, done = -1, 0
        for began, _, number in sorted(self.created):
            while done < len(before) and before[done][0] < began:
                greatest, done = max(greatest, before[done][1]), done + 1
            if number <= greatest:
                yield f"{number} was given after {greatest}"

    # -- watches ---------------------------------------------------------------------
    def watch_once(self, path: str) -> None:
        """Set one watch on a znode, which is created."""
        self.put(path, b"content 0")
        self._watched = path
        self.session("watcher").get(f"/{self.own(path)}", watch=self._told.append)

    def watch_on(self, path: str) -> None:
        """Set a watch on a znode, which is created, and a new one whenever it has told."""
        self.put(path, b"content 0")
        self._watched = path
        client = self.session("watcher")

        def look(task: Task) -> None:
            while not task.stopping:
                changed = threading.Event()
                with self._doing("read", path, client="watcher") as answer:
                    found, _ = client.get(
                        f"/{self.own(path)}", watch=lambda _, told=changed: told.set()
                    )
                    answer.value = found
                self._seen.append(found)
                while not changed.wait(0.05) and not task.stopping:
                    pass

        Task(look, name="the watcher", owner=self._scenario)

    def change(self, path: str, count: int) -> None:
        """Set what is in a znode so many times, each time something else."""
        for _ in range(count):
            self._changes += 1
            self.put(path, b"content %d" % self._changes)

    def await_told(self, within: float) -> list[str]:
        """What the one watch has told, once it has told something."""
        if not self._watched:
            raise step_missing("a watch", f"{_WATCHES} once")
        poll(lambda: self._told, within=self._scenario.scaled(within),
             awaiting="the watch to tell of a change")  # fmt: skip
        self.session("watcher").get(f"/{self.own(self._watched)}")  # whatever was told came before
        return [event.type for event in self._told]

    def await_seen(self, within: float) -> Registers:
        """Wait until the watcher has seen the last change; what is expected of what it has seen."""
        if not self._watched:
            raise step_missing("a watch", f"{_WATCHES} again and again")
        last = b"content %d" % self._changes
        poll(lambda: self._seen[-1:], until=lambda seen: seen == [last],
             within=self._scenario.scaled(within),
             awaiting=f"the watcher to see the last of {self._changes} changes")  # fmt: skip
        return self.expected()

    # -- transactions ----------------------------------------------------------------
    def create_and_delete(self, created: str, deleted: str) -> None:
        """Create one znode and delete another one, in one transaction; refusals are kept."""
        self.keeper.client.ensure_path(f"/{self.own('')}".rstrip("/"))
        transaction = self.keeper.client.transaction()
        transaction.create(f"/{self.own(created)}", b"made")
        transaction.delete(f"/{self.own(deleted)}")
        found = transaction.commit()
        self.refused = [type(one).__name__ for one in found if isinstance(one, NoNodeError)]
