"""What many systems keep in Redis, as components: caches, rate limits, sessions, metrics."""

from reference.caching.aside import CacheAside, OriginError
from reference.caching.limits import FixedWindow, SlidingWindow
from reference.caching.metrics import Metrics
from reference.caching.sessions import SessionStore

__all__ = ["CacheAside", "FixedWindow", "Metrics", "OriginError", "SessionStore", "SlidingWindow"]
