"""What single Kafka brokers say, asked by connections of their own, past all that clients keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from stackproof.errors import NotSupported
from stackproof.services.base import Endpoint
from stackproof.services.kafka.client.direct import DirectBroker, View, brokers_at
from stackproof.services.kafka.client.librdkafka import admin_client, translated
from stackproof.services.kafka.client.writing import write_and_read
from stackproof.services.kafka.known import node_of, number_of
from stackproof.texts import counted

#: What a node can be besides the one that has it for its name, e.g. "leader of orders/0".
CONTROLLER, LEADER, COORDINATOR = "controller", "leader of ", "coordinator of "


class KafkaProbe:
    """See `stackproof.services.probe`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout

    @cached_property
    def _brokers(self) -> dict[str, DirectBroker]:
        found = brokers_at(self._endpoint.addresses, self._endpoint.access)
        return {node_of(number): asked for number, asked in found.items()}

    def answers(self, node: str) -> None:
        """It answers a request for metadata."""
        answer = self._brokers[node].try_to_ask(timeout=self._timeout)
        if not answer.answered:
            raise ConnectionError(str(answer))

    def carries(self, node: str, size: int) -> None:
        """It is asked for topics that do not exist, and lists them in its answer."""
        self._brokers[node].bytes_a_second(size, timeout=self._timeout)

    def accepts_writes(self, node: str) -> None:
        """It writes a message to a topic that lies on it alone, and gives it back."""
        number, topic = number_of(node), self._endpoint.check_name()
        write_and_read(self._brokers[node], number, topic, timeout=self._timeout)

    def seen_by_peers(self, node: str) -> None:
        """The others have it among them, and in sync with all that it replicates."""
        number, view = number_of(node), self.seen_by_others(node)
        behind = view.lagging(number)
        if number in view.alive and not behind:
            return
        seen = "fenced" if number in view.fenced else "alive" if number in view.alive else "gone"
        partitions = f"{counted(len(behind), 'partition')} ({', '.join(behind[:5]) or 'none'})"
        raise NotReady(f"the others see it {seen}, out of sync with {partitions}")

    def holder(self, role: str) -> str | None:
        """The node with a role, as all brokers that answer agree; None: they do not.

        Args:
            role: "controller", "leader of TOPIC/PARTITION" or "coordinator of GROUP".
        """
        ask = self._question(role)
        found = set()
        for asked in self._brokers.values():
            try:
                found.add(ask(asked))
            except (OSError, KeyError):
                continue
        number = found.pop() if len(found) == 1 else -1
        return node_of(number) if number > 0 else None

    def _question(self, role: str) -> Callable[[DirectBroker], int]:
        if role == CONTROLLER:
            return lambda asked: asked.controller(timeout=self._timeout)
        if role.startswith(COORDINATOR):
            group = role.removeprefix(COORDINATOR)
            return lambda asked: asked.coordinator(group, timeout=self._timeout)
        topic, _, partition = role.removeprefix(LEADER).rpartition("/")
        if not role.startswith(LEADER) or not partition.isdecimal():
            raise ValueError(f"no node of Kafka holds {role!r}")
        place = topic, int(partition)
        return lambda asked: asked.view(timeout=self._timeout).partitions[place].leader

    # -- what Kafka's own scenarios ask besides ------------------------------------
    def seen_by(self, node: str) -> View:
        """The cluster as a broker sees it.

        Raises:
            OSError: it does not answer.
        """
        return self._brokers[node].view(timeout=self._timeout)

    def seen_by_others(self, node: str) -> View:
        """The cluster as another broker sees it; of the only one, as it sees itself.

        Raises:
            OSError: none of them answers.
        """
        others = [other for other in self._brokers if other != node] or [node]
        problem = OSError("nobody was asked")
        for other in others:
            try:
                return self.seen_by(other)
            except OSError as error:
                problem = OSError(f"{other}: {error or type(error).__name__}")
        raise problem

    def healthy(self) -> None:
        """Every broker in the metadata, with a controller; of our own ones, each answers itself.

        Of somebody's that may be broken, all must be known: any of them may come to lead.

        A broker counts as registered some milliseconds before it serves clients, and what is
        before it (a container engine, a proxy) accepts their connections and drops them.
        """
        endpoint = self._endpoint
        admin = admin_client(endpoint.addresses, endpoint.access, timeout=self._timeout)
        with translated():
            cluster = admin.describe_cluster(request_timeout=self._timeout).result()
        expected = endpoint.options.get("brokers", 1)
        if len(cluster.nodes) < expected or cluster.controller is None:
            leading = "unknown" if cluster.controller is None else cluster.controller.id
            raise NotReady(
                f"{len(cluster.nodes)} of {expected} brokers registered, controller {leading}"
            )
        unknown = [node_of(n.id) for n in cluster.nodes if node_of(n.id) not in self._brokers]
        if unknown and endpoint.instances and not endpoint.ours:
            raise NotSupported(
                f"of {', '.join(sorted(unknown))} nothing says how it can be broken",
                f"the cluster has {counted(len(cluster.nodes), 'broker')}, and each may come to "
                "lead what a scenario breaks",
                "write [services.kafka.nodes.broker-ID] for each (docs/endpoints.md)",
            )
        for node, asked in self._brokers.items() if endpoint.ours else ():
            try:
                self.answers(node)
            except ConnectionError as silence:
                told = f"{asked.address} is registered, but serves no clients: {silence}"
                raise NotReady(told) from silence

    def close(self) -> None:
        """Each question has a connection of its own."""


class NotReady(Exception):  # noqa: N818 -- read as a sentence
    """It answers, but not completely yet."""
