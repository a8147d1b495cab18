"""Means of breaking running clusters, besides ending and pausing processes."""
