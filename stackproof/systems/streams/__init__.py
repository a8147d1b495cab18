"""Streams of vectors under test: binary messages that are transformed, not JSON."""
