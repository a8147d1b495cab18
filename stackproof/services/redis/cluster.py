"""A scenario's keys on a Redis Cluster: where they lie, who is asked for them, how they move."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import cached_property

from redis import Redis, exceptions
from redis.crc import key_slot

from stackproof.errors import PremiseNotMet
from stackproof.history import Registers
from stackproof.polling import poll
from stackproof.services.fixture import Scenario
from stackproof.services.redis.client import connect, keys_with, node_at
from stackproof.services.redis.known import clustered
from stackproof.services.redis.probe import RedisProbe
from stackproof.services.redis.slots import Moving, demand_shape
from stackproof.texts import counted
from stackproof.workloads import ClosedLoop

_WITHIN, _SERVED_WITHIN = 10.0, 60.0
#: Operations of each client before slots move, and after that.
_SOME = 20
#: Keys of each primary that are counted up.
_COUNTED = 1000
_SPACE = "keys that move"


class ClusterKeys:
    """Where keys lie; the nodes themselves are asked.

    Args:
        scenario: whose.
        endpoint: its Cluster.
    """

    def __init__(self, scenario: Scenario, endpoint: str = "redis"):
        self._scenario = scenario
        self._endpoint = scenario.endpoint(endpoint)
        self._prefix = scenario.own("")
        self._probe = RedisProbe(self._endpoint, timeout=scenario.scaled(_WITHIN))

    @cached_property
    def client(self) -> Redis:
        """Follows what the nodes say of slots."""
        client = connect(self._endpoint, timeout=self._scenario.scaled(_WITHIN))
        self._scenario.add_cleanup(client.close)
        return client

    def demand(self, primaries: int) -> None:
        """Be sure that it has so many; errors as of `demand_shape`."""
        found = self.primaries if clustered(self._endpoint.addresses) else []
        demand_shape(self._endpoint, "primaries of a Cluster", found, primaries)

    def _at(self, node: str) -> Redis:
        return connect(self._endpoint, node, timeout=self._scenario.scaled(_WITHIN))

    @property
    def primaries(self) -> list[str]:
        """The nodes that have slots."""
        return _primaries(self.owners())

    def owners(self, asked: str = "") -> dict[int, str]:
        """The node that has each slot, as one node says; "": the first one that answers."""
        for node in [asked] if asked else self._endpoint.addresses:
            with suppress(exceptions.ConnectionError, exceptions.TimeoutError):
                return {
                    slot: name
                    for name, one in self._probe.members(node).items()
                    for first, *last in one["slots"]
                    for slot in range(int(first), int(last[0] if last else first) + 1)
                }
        raise PremiseNotMet("no node of the Cluster answers")

    def keys_at(self, node: str) -> list[bytes]:
        """The scenario's keys that lie on one node."""
        with closing(self._at(node)) as client:
            return keys_with(client, self._prefix)

    def misplaced(self) -> list[str]:
        """Keys that lie where their slot is not; primaries that have none of them."""
        owners, wrong = self.owners(), []
        for node in _primaries(owners):
            keys = self.keys_at(node)
            wrong += [] if keys else [f"{node} has no key"]
            wrong += [
                f"{key!r} is on {node}, its slot on {owners[key_slot(key)]}"
                for key in keys
                if owners[key_slot(key)] != node
            ]
        return wrong

    def redirects(self) -> Counter[str]:
        """Ask each primary for the keys of the others; what it answers, in words, how often."""
        owners, told = self.owners(), Counter[str]()
        keys = {node: self.keys_at(node) for node in _primaries(owners)}
        for node in keys:
            others = [key for other in keys if other != node for key in keys[other]]
            with closing(self._at(node)) as client:
                for key in others[:_SOME]:
                    told[self._redirect(client, key, owners[key_slot(key)])] += 1
        return told

    def _redirect(self, client: Redis, key: bytes, owner: str) -> str:
        try:
            return f"got {client.get(key)!r}"
        except exceptions.AskError as told:
            right = node_at(self._endpoint, (told.host, told.port)) == owner
            right &= told.slot_id == key_slot(key)
            moved = isinstance(told, exceptions.MovedError)  # which the library has as an ASK
            return f"{'moved' if moved else 'ask'} {'there' if right else str(told)}"

    # -- slots that move -----------------------------------------------------------
    def half_way(self, source: str, target: str) -> dict[str, str]:
        """Move a slot with a key that has gone first, and one that has come meanwhile.

        Returns:
            "moved", "new": what the source answers for that key before the slot has moved;
            "finished": afterwards; "followed": what a client gets that follows.
        """
        slot = next(slot for slot, owner in self.owners().items() if owner == source)
        tag = next(f"{n}" for n in range(10**7) if key_slot(f"{n}".encode()) == slot)
        names = {one: f"{self._prefix}{{{tag}}}{one}" for one in ("moved", "new")}
        moving = Moving(self._endpoint, source, target, timeout=self._scenario.scaled(_WITHIN))
        self.client.set(names["moved"], "value")
        with closing(moving), closing(self._at(source)) as client:
            moving.begin(slot)
            moving.carry(slot)
            self.client.set(names["new"], "value")  # the target takes what is new
            told = {one: self._redirect(client, key.encode(), target) for one, key in names.items()}
            told["followed"] = str(self.client.get(names["moved"]))
            moving.finish(slot)
            self._await_owner([slot], target)
            told["finished"] = self._redirect(client, names["moved"].encode(), target)
        self.client.delete(*names.values())
        return told

    def use_while_moving(
        self, clients: int, keys: int, slots: int, source: str, target: str
    ) -> Registers:
        """Have clients read and write keys before, while and after slots move; what is expected.

        Each of the keys is in one of the slots that move.

        Raises:
            DeadlineExceeded: the clients are not served.
        """
        chosen = sorted(slot for slot, owner in self.owners().items() if owner == source)[:slots]
        names = self._keys_in(chosen, keys)
        seed, history = self._scenario.seed, self._scenario.history
        self._scenario.parameters["seed"] = str(seed)

        def operate(number: int) -> None:
            choice = random.Random(f"{seed} {number}")
            key, client = choice.choice(names), f"client of operation {number}"
            if choice.random() < 0.5:
                with history.doing("read", client=client, space=_SPACE, key=key) as answer:
                    answer.value = self.client.get(key)
            else:
                value = f"value {number}".encode()
                with history.doing("write", client=client, space=_SPACE, key=key, value=value):
                    self.client.set(key, value)

        within = self._scenario.scaled(_SERVED_WITHIN)
        loop = ClosedLoop(operate, clients=clients, name="clients", owner=self._scenario)
        moving = Moving(self._endpoint, source, target, timeout=self._scenario.scaled(_WITHIN))
        with ExitStack() as opened:
            opened.callback(lambda: self.client.delete(*names))
            opened.callback(moving.close)
            loop.await_more(_SOME, within=within, while_="before slots move", each=True)
            before = loop.done
            carried = sum(moving.move(slot) for slot in chosen)
            meanwhile = loop.done - before
            loop.await_more(_SOME, within=within, while_="after slots have moved", each=True)
            loop.end(within=within)
        if not carried or not meanwhile:
            raise PremiseNotMet("no key moved, or nothing was done with keys meanwhile")
        self._scenario.figure(
            "while slots moved",
            f"{counted(carried, 'key')} moved, {counted(meanwhile, 'operation')}",
        )
        self._await_owner(chosen, target)
        return Registers("keys that move", _SPACE)

    # -- throughput ----------------------------------------------------------------
    def measure(self, count: int) -> float:
        """Have a client of each primary count up keys there; operations a second, of all together.

        Answers are switched off but for the last one, so that the nodes have the work, and not
        their clients. Afterwards the keys tell whether it was done.

        Args:
            count: operations in all.

        Raises:
            AssertionError: some were not.
        """
        owners = self.owners()
        nodes = _primaries(owners)
        repeated = count // (len(nodes) * _COUNTED)

        def work(node: str) -> tuple[float, float]:
            names = self._keys_in({slot for slot, at in owners.items() if at == node}, _COUNTED)
            with closing(self._at(node)) as client:
                pool = client.connection_pool
                connection = pool.get_connection()
                packed = connection.pack_commands([("INCR", name) for name in names])
                began = time.perf_counter()
                connection.send_command("CLIENT", "REPLY", "OFF")
                for _ in range(repeated):
                    connection.send_packed_command(packed)
                connection.send_command("CLIENT", "REPLY", "ON")
                connection.read_response()
                ended = time.perf_counter()
                pool.release(connection)
                counts = set(_each(client, "GETDEL", names))
            assert counts == {b"%d" % repeated}, f"{node} has counted to {counts}, not {repeated}"
            return began, ended

        with ThreadPoolExecutor(len(nodes)) as clients:
            began, ended = zip(*clients.map(work, nodes), strict=True)
        rate = len(nodes) * _COUNTED * repeated / (max(ended) - min(began))
        share = f"{rate:,.0f} a second, {rate / len(nodes):,.0f} by each on average"
        self._scenario.figure(f"operations of {counted(len(nodes), 'primary', 'primaries')}", share)
        return rate

    def _keys_in(self, slots: Collection[int], count: int) -> list[str]:
        found: list[str] = []
        for number in range(10**7):
            key = f"{self._prefix}{number}"
            if key_slot(key.encode()) in slots:
                found.append(key)
            if len(found) == count:
                return found
        raise AssertionError("no such keys")

    def _await_owner(self, slots: list[int], node: str) -> None:
        """Only two nodes were told; the others hear of it by and by."""
        told = self._endpoint.addresses
        poll(lambda: {self.owners(asked)[slot] for asked in told for slot in slots},
             until={node}.__eq__, within=self._scenario.scaled(_WITHIN),
             awaiting=f"all nodes to have the slots that moved at {node}")  # fmt: skip


def _each(client: Redis, command: str, names: Collection[str]) -> list[bytes | None]:
    """One command for each key, all in one pipeline."""
    with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.execute_command(command, name)
        return list(pipeline.execute())


def _primaries(owners: Mapping[int, str]) -> list[str]:
    return sorted(set(owners.values()))
