"""What many systems keep in Redis, as components: caches, rate limits, locks."""

from reference.caching.aside import CacheAside, OriginError
from reference.caching.limits import FixedWindow, SlidingWindow
from reference.caching.locks import Lock

__all__ = ["CacheAside", "FixedWindow", "Lock", "OriginError", "SlidingWindow"]
