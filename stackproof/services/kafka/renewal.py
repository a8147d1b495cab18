"""What tells a Kafka broker from a new one, as itself shows it.

A new cluster has no topics at all: those of groups' offsets and of transactions are made when
they are first used. They are deleted with the others, and groups and transactions go with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stackproof.errors import Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.base import Endpoint
from stackproof.services.kafka.client import clearing
from stackproof.services.kafka.client.direct import DirectBroker, brokers_at
from stackproof.services.kafka.client.librdkafka import admin_client
from stackproof.services.kafka.known import node_of, number_of

_WITHOUT_MEMBERS = ("Empty", "Dead")


class KafkaRenewal:
    """See `stackproof.services.renewal.Renewal`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout
        self._brokers = brokers_at(endpoint.addresses)

    def clear(self) -> None:
        """Delete all topics, the internal ones too; they are gone some time after."""
        for broker in self._brokers.values():
            groups = broker.groups(timeout=self._timeout)
            used = [name for name, state in groups.items() if state not in _WITHOUT_MEMBERS]
            if used:  # somebody is left who would go on
                raise Trouble(f"group {used[0]} still has members")
            self._await_ends(broker)
        admin = admin_client(self._endpoint.addresses, timeout=self._timeout)
        left = clearing.delete_topics(admin, clearing.topics(admin, ""))
        for name, error in left.items():
            raise Trouble(f"topic {name} cannot be deleted", str(error))

    def _await_ends(self, broker: DirectBroker) -> None:
        """Wait until no transaction is about to end.

        Kafka 4.3 stops when the topic of transactions is deleted while it writes their markers
        ("failed transition to state COMPLETE_COMMIT").
        """
        try:
            poll(
                lambda: [
                    name
                    for name, state in broker.transactions(timeout=self._timeout).items()
                    if state.startswith("Prepare")
                ],
                until=lambda ending: not ending,
                within=self._timeout,
                awaiting="transactions to end",
                describe=lambda ending: f"{', '.join(ending)} will end",
            )
        except DeadlineExceeded as late:
            raise Trouble("a transaction does not end", str(late)) from late

    def made(self, node: str) -> Mapping[str, Sequence[str]]:
        """Topics, groups, transactional IDs, settings, quotas; and who is missed."""
        number = number_of(node)
        broker = self._brokers[number]
        view = broker.view(timeout=self._timeout)
        if broker.controller(timeout=self._timeout) not in self._brokers:
            raise ConnectionError("it knows no controller")
        return {
            "broker that is not alive:": [
                node_of(other) for other in self._brokers if other not in view.alive
            ],
            "topic": sorted({topic for topic, _ in view.partitions}),
            "group": sorted(broker.groups(timeout=self._timeout)),
            "transactional ID": sorted(broker.transactions(timeout=self._timeout)),
            "changed setting": broker.changed_settings(number, timeout=self._timeout),
        }
