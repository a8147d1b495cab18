"""What faults need of a scenario's work with its Kafka cluster; steps hand it to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from stackproof.history import Flow
    from stackproof.history.columns import Isolation
    from stackproof.services.kafka.client import (
        GroupConsumer,
        KafkaAdmin,
        Message,
        Publisher,
        Received,
        TopicSpec,
        TransactionalPublisher,
    )
    from stackproof.services.sending import Sent


class Kafka(Protocol):
    """Topics, publishing, reading and groups; see `KafkaFixture`, which is one."""

    @property
    def admin(self) -> KafkaAdmin:
        """The admin API."""

    @property
    def publisher(self) -> Publisher:
        """The scenario's producer."""

    def own(self, topic: str) -> str:
        """The real name of what the scenario's text calls ``topic``."""

    def create_topics(self, specs: Iterable[TopicSpec]) -> None:
        """Create topics under the scenario's own names."""

    def publish(self, topic: str, messages: Iterable[Message]) -> Sent:
        """Publish to one of the scenario's topics and wait for the outcomes."""

    def new_publisher(self, name: str, **options: Any) -> Publisher:
        """A further producer."""

    def transactional(self, transactional_id: str, **options: Any) -> TransactionalPublisher:
        """A new transactional producer; it fences the one before of the same ID."""

    def join(self, topic: str, group: str, **how: Any) -> GroupConsumer:
        """A new consumer of a group."""

    def delivery(self, topic: str, **rules: Any) -> Flow:
        """The expectation that a topic holds what was published to it."""

    def final_drain(self, topic: str) -> list[Received]:
        """Read a topic (real name) whole by a fresh consumer."""

    def seen_now(self, topic: str, isolation: Isolation) -> list[Received]:
        """What a fresh reader finds in a topic (real name) at present."""

    def wait_worked_off(self, group: str, topic: str, *, within: float) -> None:
        """Wait until a group (real name) has committed all that is in a topic (real name)."""
