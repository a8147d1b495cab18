"""Caches in front of an origin with faults."""

from __future__ import annotations

from reference.caching import CacheAside, OriginError


class ServesAfterUpdate(CacheAside):
    """An update leaves what is cached as it is."""

    def update(self, name: str, value: str) -> None:
        self._ask("PUT", name, value)


class StoresWhatIsOld(CacheAside):
    """An update does not take back the lease of whoever is loading."""

    def update(self, name: str, value: str) -> None:
        self._ask("PUT", name, value)
        self._redis.delete(self._key(name))


class LetsAllLoad(CacheAside):
    """Everybody who misses a record loads it."""

    def get(self, name: str) -> str | None:
        if (cached := self._redis.get(self._key(name))) is not None:
            return str(cached)
        value = self._ask("GET", name)
        if value is not None:
            self._redis.set(self._key(name), value, px=self._ttl_ms)
        return value


class KeepsErrors(CacheAside):
    """An error of the origin is told again and again."""

    def get(self, name: str) -> str | None:
        if told := self._redis.get(f"{self._key(name)}:error"):
            raise OriginError(told)
        try:
            return super().get(name)
        except OriginError as error:
            self._redis.set(f"{self._key(name)}:error", str(error))
            raise


class KeepsThatNothingIsThere(CacheAside):
    """That a record is not there is told again and again."""

    def get(self, name: str) -> str | None:
        if self._redis.exists(f"{self._key(name)}:nothing"):
            return None
        found = super().get(name)
        if found is None:
            self._redis.set(f"{self._key(name)}:nothing", 1)
        return found


class HidesErrors(CacheAside):
    """While the origin is down, nothing is there."""

    def get(self, name: str) -> str | None:
        try:
            return super().get(name)
        except OriginError:
            return None


class KeepsForEver(CacheAside):
    """Nothing has a time to live."""

    def __init__(self, redis_url: str, origin_url: str, prefix: str = "", ttl: float = 60.0,
                 ca_file: str = ""):  # fmt: skip
        super().__init__(redis_url, origin_url, prefix, 3600, ca_file=ca_file)


class NeverCaches(CacheAside):
    """Every reading asks the origin."""

    def get(self, name: str) -> str | None:
        return self._ask("GET", name)


class KeepsNoEmptyValue(CacheAside):
    """What is empty is taken for what is not there."""

    def get(self, name: str) -> str | None:
        if not self._redis.get(self._key(name)):
            self._redis.delete(self._key(name))
        return super().get(name)


class MixesUp(CacheAside):
    """Some records share a key."""

    def _key(self, name: str) -> str:
        return f"{self._prefix}{int(name[-2:]) // 2}"
