"""Broken streams of vectors."""
