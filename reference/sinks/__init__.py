"""Sinks: what happens in a program is handed to them, and they bring it to Redis or RabbitMQ."""

from reference.sinks.errors import (
    BufferFullError,
    InvalidURLError,
    NotDeliveredError,
    SinkError,
    SinkStoppedError,
)
from reference.sinks.event import Event
from reference.sinks.rabbitmq import RabbitMQSink
from reference.sinks.redis import RedisSink

__all__ = [
    "BufferFullError",
    "Event",
    "InvalidURLError",
    "NotDeliveredError",
    "RabbitMQSink",
    "RedisSink",
    "SinkError",
    "SinkStoppedError",
]
