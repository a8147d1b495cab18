"""One scenario's work with its ZooKeeper: znodes of its own, each operation recorded."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from stackproof.history import Answer, Registers
from stackproof.services.fixture import Scenario
from stackproof.services.zookeeper.client import ZooKeeperKeeper

_PATIENCE = 10.0
_SPACE = "znodes"


class ZooKeeperFixture:
    """Znodes below one of the scenario's own; that is deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "zookeeper"):
        self._scenario = scenario
        self.keeper = ZooKeeperKeeper(
            scenario.endpoint(endpoint), timeout=scenario.scaled(_PATIENCE)
        )
        self._root = scenario.own("znodes")
        scenario.add_cleanup(self.keeper.close)
        scenario.add_cleanup(lambda: self.keeper.drop([self._root]))

    def own(self, path: str) -> str:
        """The scenario's own place for a path in its text, without a slash before it."""
        return f"{self._root}/{path.strip('/')}"

    def doing(self, action: str, path: str, **more: Any) -> AbstractContextManager[Answer]:
        """Record one operation on a znode, from the block's beginning to its end."""
        return self._scenario.history.doing(
            action, client="client", space=_SPACE, key=self.own(path), **more
        )  # fmt: skip

    def put(self, path: str, content: bytes) -> None:
        """Create a znode, or set what is in it."""
        with self.doing("write", path, value=content):
            self.keeper.put(self.own(path), content)

    def get(self, path: str) -> bytes | None:
        """What is in a znode; None: it is not there."""
        with self.doing("read", path) as answer:
            answer.value = found = self.keeper.read(self.own(path))
        return found

    def expected(self) -> Registers:
        """Every reading tells the last value."""
        return Registers("znodes in ZooKeeper", _SPACE)
