"""What many systems keep in Redis, as components: caches and rate limits."""

from reference.caching.aside import CacheAside, OriginError
from reference.caching.limits import FixedWindow, SlidingWindow

__all__ = ["CacheAside", "FixedWindow", "OriginError", "SlidingWindow"]
