"""Streams of vectors under test: binary messages that are transformed, not JSON."""

from stackproof.systems.streams.stream import VectorStream

__all__ = ["VectorStream"]
