"""Driving a Kafka-compatible broker, with every operation recorded."""

from stackproof.clients.kafka.admin import KafkaAdmin, TopicSpec
from stackproof.clients.kafka.consuming import GroupConsumer, TopicReader
from stackproof.clients.kafka.messages import Message, Received
from stackproof.clients.kafka.producing import Publisher

__all__ = [
    "GroupConsumer",
    "KafkaAdmin",
    "Message",
    "Publisher",
    "Received",
    "TopicReader",
    "TopicSpec",
]
