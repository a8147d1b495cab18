"""Which scenarios a run is for: its suite, its shard, what failed last, what is quarantined.

It may touch `session.plan`, `reporting` and `settings`.
"""
