"""Means of breaking running clusters, besides ending and pausing processes.

It may touch what `stack` may.
"""
