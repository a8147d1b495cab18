"""What server and client of ZooKeeper call the same."""

#: Sessions live for two of these at least, and for twenty at most.
TICK_MS = 500
