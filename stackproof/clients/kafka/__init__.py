"""Driving a Kafka-compatible broker, with every operation recorded."""

from stackproof.clients.kafka.admin import KafkaAdmin, TopicSpec
from stackproof.clients.kafka.consuming import GroupConsumer, TopicReader
from stackproof.clients.kafka.draining import drain
from stackproof.clients.kafka.messages import Message, Received
from stackproof.clients.kafka.producing import Publisher
from stackproof.clients.kafka.transactions import TransactionalPublisher, transform

__all__ = [
    "GroupConsumer",
    "KafkaAdmin",
    "Message",
    "Publisher",
    "Received",
    "TopicReader",
    "TopicSpec",
    "TransactionalPublisher",
    "drain",
    "transform",
]
