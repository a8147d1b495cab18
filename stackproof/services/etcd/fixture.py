"""One scenario's work with its etcd: keys of its own, each operation recorded."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from stackproof.history import Answer, Registers
from stackproof.services.etcd.client import EtcdKeeper
from stackproof.services.fixture import Scenario

_PATIENCE = 10.0
_SPACE = "etcd"


class EtcdFixture:
    """Keys of the scenario's own; they are deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "etcd"):
        self._scenario = scenario
        self.prefix = scenario.own("")
        self.keeper = EtcdKeeper(scenario.endpoint(endpoint), timeout=scenario.scaled(_PATIENCE))
        scenario.add_cleanup(self.keeper.close)
        scenario.add_cleanup(lambda: self.keeper.drop_all(self.prefix))

    def own(self, key: str) -> str:
        """The scenario's own key for a name in its text."""
        return self._scenario.own(key)

    def doing(self, action: str, key: str, **more: Any) -> AbstractContextManager[Answer]:
        """Record one operation on a key, from the block's beginning to its end."""
        return self._scenario.history.doing(
            action, client="client", space=_SPACE, key=self.own(key), **more
        )  # fmt: skip

    def put(self, key: str, content: bytes) -> None:
        """Put a key."""
        with self.doing("write", key, value=content):
            self.keeper.put(self.own(key), content)

    def get(self, key: str) -> bytes | None:
        """Get a key; None: it is not there."""
        with self.doing("read", key) as answer:
            answer.value = found = self.keeper.read(self.own(key))
        return found

    def expected(self) -> Registers:
        """Every reading tells the last value."""
        return Registers("keys in etcd", _SPACE)
