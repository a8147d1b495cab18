"""A scenario's keys on a primary and its replicas: compared, timed, and set apart from them."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING

from redis import Redis, exceptions

from stackproof.actions import SlowPeers
from stackproof.errors import step_missing
from stackproof.history import Members
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.nodes import instance
from stackproof.services.redis.client import connect, values_with
from stackproof.services.redis.probe import RedisProbe, Replica
from stackproof.services.redis.server import Redis as Service
from stackproof.services.redis.slots import demand_shape
from stackproof.services.redis.writer import set_for
from stackproof.texts import counted
from stackproof.workloads import Latencies

if TYPE_CHECKING:
    from collections.abc import Callable

_WITHIN, _SERVED_WITHIN = 10.0, 60.0
#: Seconds in which a write that waits for replicas is acknowledged or given up.
_ACKNOWLEDGED_WITHIN = 1.0
#: Keys that are set at a node that is cut off, once another one has taken over.
_APART = 10
_KEYS, _STORE = "keys", "the primary"


class Replication:
    """Keys that the scenario sets, each once: members of a set, which every node lists.

    Attributes:
        acknowledged: value by name of each key that was.
    """

    def __init__(self, scenario: Scenario, endpoint: str = "redis"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self._prefix = scenario.own("replicated:")
        self._random = random.Random(scenario.seed)
        self._waits_for = int(self.endpoint.options.get("synchronous", 0))
        self.acknowledged: dict[str, bytes] = {}
        self._soonest = math.inf
        self._numbers = self._demanded = 0
        scenario.parameters["seed"] = str(scenario.seed)
        scenario.add_cleanup(self._remove)

    def _remove(self) -> None:
        service = Service()
        poll(
            lambda: service.remove(self.endpoint, service.leftovers(self.endpoint, self._prefix)),
            until=lambda _: True, within=self._scenario.scaled(_SERVED_WITHIN),
            awaiting="keys to be removed",
            retry_on=(*service.unready, exceptions.ResponseError),  # too few replicas, yet
        )  # fmt: skip

    @cached_property
    def probe(self) -> RedisProbe:
        """Asks the nodes past all proxies."""
        return RedisProbe(self.endpoint.past_proxies(), timeout=self._scenario.scaled(_WITHIN))

    def demand(self, replicas: int) -> None:
        """Be sure that the primary has so many replicas, each of which can be asked.

        Raises:
            PremiseNotMet: it has others; `NotSupported`: somebody's own has.
        """
        found = list(self.probe.replicas()) if len(self.endpoint.addresses) > 1 else []
        demand_shape(self.endpoint, "replicas", found, replicas)
        self._demanded = replicas

    def _open(self, node: str = "") -> Redis:
        return connect(self.endpoint, node, timeout=self._scenario.scaled(_WITHIN))

    @property
    def replicas(self) -> list[str]:
        """The nodes that are replicas of the primary there is now.

        Raises:
            PremiseNotMet: no step has asked for any.
            DeadlineExceeded: there are fewer than were asked for.
        """
        if not self._demanded:
            raise step_missing("replicas of Redis", "a Redis primary with 2 replicas")
        return poll(
            lambda: sorted(self.probe.replicas()),
            until=lambda found: len(found) >= self._demanded,
            within=self._scenario.scaled(_WITHIN),
            awaiting=f"{counted(self._demanded, 'replica')} of the primary",
        )

    @property
    def soonest(self) -> float:
        """The shortest of all times that `time_keys` has measured, in seconds.

        Raises:
            PremiseNotMet: it has measured none.
        """
        if self._soonest == math.inf:
            timed = "20 keys are set, each as soon as every replica shows the one before"
            raise step_missing("keys that were timed", timed)
        return self._soonest

    # -- writing -----------------------------------------------------------------
    def set_keys(self, count: int, *, size: int = 20) -> None:
        """Set so many keys, one after the other, wherever writes go; ``size``: bytes of each."""
        with closing(self._open()) as client:
            for _ in range(count):
                self._set(client, _STORE, size)

    def _set(self, client: Redis, called: str, size: int = 20) -> str:
        self._numbers += 1
        key, value = f"{self._prefix}{self._numbers:06d}", self._random.randbytes(size)
        within = self._scenario.scaled(_ACKNOWLEDGED_WITHIN)
        with self._scenario.history.doing(
            "add", client=called, space=_KEYS, key=key, value=value
        ):  # fmt: skip
            set_for(client, key, value, self._waits_for, timeout=within)
        self.acknowledged[key] = value
        return key

    def is_refused(self) -> bool:
        """Whether a write is not acknowledged: too few replicas have it.

        Raises:
            PremiseNotMet: writes wait for none.
        """
        if not self._waits_for:
            waiting = "a Redis primary with 2 replicas, 1 of which each write waits for"
            raise step_missing("a primary whose writes wait for replicas", waiting)
        before = len(self.acknowledged)
        with closing(self._open()) as client, suppress(exceptions.ConnectionError):
            self._set(client, _STORE)
        return len(self.acknowledged) == before

    def set_apart(self, node: str) -> None:
        """Have a client that knows of one node alone set keys there until another is the primary.

        Some more are set there then. What is refused, or not acknowledged in time, is recorded so.

        Raises:
            DeadlineExceeded: none takes over.
        """

        def succeeded() -> bool:
            with suppress(exceptions.ConnectionError, exceptions.TimeoutError):
                return self.probe.holder("primary") != node
            return False

        with closing(self._open(node)) as client:
            apart = partial(self._try, client, node)
            poll(lambda: (apart(), succeeded())[1], within=self._scenario.scaled(_SERVED_WITHIN),
                 awaiting=f"another node than {node} to be the primary", first_pause=0.01,
                 longest_pause=0.05)  # fmt: skip
            taken = sum(apart() for _ in range(_APART))
        acknowledged = f"{taken} of {counted(_APART, 'write')}"
        self._scenario.figure(f"acknowledged by {node} after another had taken over", acknowledged)

    def _try(self, client: Redis, node: str) -> bool:
        with suppress(exceptions.ConnectionError, exceptions.TimeoutError):
            self._set(client, node)
            return True
        return False

    # -- what nodes hold -----------------------------------------------------------
    def assert_replicas(self, within: float) -> None:
        """Check that each replica lists exactly the keys that were acknowledged.

        Args:
            within: seconds for each to do so.

        Raises:
            AssertionError: keys are lost, altered or unexpected on one of them.
        """
        for node in self.replicas:
            self._settle(node, within)
            self._scenario.assert_history(
                Members(f"keys on {node}", _KEYS, visible="at last", reader=node)
            )

    def expected(self, *, lost: bool = False) -> Members:
        """List all keys where writes go; what is expected of them.

        Args:
            lost: some that were acknowledged must be gone.
        """
        self._listed("")
        expected = ("lost",) if lost else ()
        return Members("keys", _KEYS, visible="at last", reader=_STORE, expected=expected)

    def _settle(self, node: str, within: float) -> None:
        with suppress(DeadlineExceeded):
            poll(
                lambda: self.acknowledged.items() <= self._listed(node).items(),
                within=within,
                awaiting="",
            )

    def _listed(self, node: str) -> dict[str, bytes]:
        with (
            closing(self._open(node)) as client,
            self._scenario.history.listing(client=node or _STORE, space=_KEYS) as found,
        ):
            there = values_with(client, self._prefix)
            values = {key.decode(): value for key, value in there.items()}
            found += values.items()
        return values

    def refusals(self) -> list[str]:
        """Try to write on each replica; the first word of its refusal, or what it answered."""
        return [self._refusal(node) for node in self.replicas]

    def _refusal(self, node: str) -> str:
        with closing(self._open(node)) as client:
            try:
                return str(client.set(f"{self._prefix}refused", b"x"))
            except exceptions.ReadOnlyError:
                return "read only"

    # -- lag -----------------------------------------------------------------------
    def time_keys(self, count: int) -> dict[str, Latencies]:
        """Set so many keys, each when all replicas have shown the one before.

        Returns:
            how long from the beginning of each write until the last replica showed it.

        Raises:
            DeadlineExceeded: a replica does not show one in time.
        """
        seen = Latencies()
        with ExitStack() as opened:
            writer, *readers = (
                opened.enter_context(closing(self._open(node))) for node in ("", *self.replicas)
            )
            for _ in range(count):
                began = time.perf_counter()
                key = self._set(writer, _STORE)
                took = self._shown(key, readers, began)
                self._soonest = min(self._soonest, *took)
                seen.record(max(took))
        return {"replication": seen}

    def _shown(self, key: str, readers: Sequence[Redis], began: float) -> list[float]:
        took: dict[int, float] = {}

        def all_show() -> bool:
            for number, reader in enumerate(readers):
                if number not in took and reader.exists(key):
                    took[number] = time.perf_counter() - began
            return len(took) == len(readers)

        poll(all_show, within=self._scenario.scaled(_WITHIN), awaiting=f"{key} on all replicas",
             first_pause=0.001, longest_pause=0.005)  # fmt: skip
        return list(took.values())

    def set_distance(self, seconds: float) -> None:
        """Have all that replicas and primary say to each other take so long, each way.

        For as long as the servers live, which are the scenario's own.
        """
        primary, milliseconds = self.probe.holder("primary"), round(seconds * 1000)
        action = SlowPeers(milliseconds)
        self._scenario.act(self.endpoint.service, instance(self.endpoint.cluster, primary), action)
        self.set_keys(1)  # connections that did not come the long way end with the next word
        for node in self.replicas:
            self._settle(node, self._scenario.scaled(_WITHIN))

    def one_seen(
        self, node: str, wanted: Callable[[Replica], bool], within: float
    ) -> Replica | None:
        """A replica as its primary sees it, once it is as wanted, or after ``within`` seconds.

        Raises:
            PremiseNotMet: no step has asked for replicas.
        """
        if not self._demanded:
            raise step_missing("replicas of Redis", "a Redis primary with 2 replicas")
        seen: list[Replica | None] = []

        def look() -> bool:
            seen.append(self.probe.replicas().get(node))
            return seen[-1] is not None and wanted(seen[-1])

        with suppress(DeadlineExceeded):
            poll(look, within=within, awaiting="")
        return seen[-1]
