"""What many systems keep in Redis, as components: a cache in front of an origin."""

from reference.caching.aside import CacheAside, OriginError

__all__ = ["CacheAside", "OriginError"]
