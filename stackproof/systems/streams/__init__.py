"""Streams of vectors under test: binary messages that are transformed, not JSON.

It may touch what `systems` may.
"""
