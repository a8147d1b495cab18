"""Broken search indexers."""
