"""Which scenarios a run is for: its suite, its shard, what failed last, what is quarantined."""
