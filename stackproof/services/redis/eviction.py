"""What a full Redis evicts: which of two kinds of keys are left."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from redis import Redis, exceptions

from stackproof.errors import Trouble, step_missing
from stackproof.polling import poll
from stackproof.services.fixture import Scenario
from stackproof.services.redis.fixture import RedisFixture

#: Keys of each kind, bytes of each, and how many of both kinds are to be evicted at least.
_KEYS, _SIZE, _EVICTED = 300, 4096, 150
#: New keys at most; reads of what is used often.
_MOST, _USES = 10_000, 20
#: So many standard deviations from the half: a fair choice is as far once in 1.7 million times.
_DEVIATIONS = 5.0


class Kinds(NamedTuple):
    """Two kinds of keys, of which a policy prefers one, or none.

    Attributes:
        policy: `maxmemory-policy`.
        lives: seconds to live of the kept and of the evicted kind; None: for ever.
        use: what is done with the kept kind when all are there.
    """

    policy: str
    lives: tuple[int | None, int | None] = (None, None)
    use: Callable[[Redis, list[str]], object] = lambda client, keys: None

    @property
    def volatile(self) -> bool:
        """Whether only keys with a time to live are evicted."""
        return self.policy.startswith("volatile")


def _use_often(client: Redis, keys: list[str]) -> None:
    for _ in range(_USES):
        client.mget(keys)


def _use_lately(client: Redis, keys: list[str]) -> None:
    """Idle times are whole seconds: what is used now must differ from what was set before."""
    poll(lambda: client.object("idletime", keys[0]) or 0, until=lambda idle: idle >= 2, within=60,
         awaiting="two seconds to pass on the server")  # fmt: skip
    client.mget(keys)


_MORTAL = (6000, 6000)
#: What each policy that prefers some keys is shown.
PREFERRING = {
    kinds.policy: kinds
    for kinds in (
        Kinds("allkeys-lru", use=_use_lately),
        Kinds("allkeys-lfu", use=_use_often),
        Kinds("allkeys-random"),
        Kinds("volatile-lru", _MORTAL, _use_lately),
        Kinds("volatile-lfu", _MORTAL, _use_often),
        Kinds("volatile-random", _MORTAL),
        Kinds("volatile-ttl", (6000, 300)),
    )
}


class Eviction:
    """Fills a server of its own with keys until some of the first ones are evicted.

    Attributes:
        kept: how many of the kind that is to be kept were evicted.
        others: how many of the other kind.
        immortal: how many of those without a time to live, where only others may be evicted.
    """

    def __init__(self, scenario: Scenario):
        self._client = scenario.use(RedisFixture).client
        self._scenario = scenario
        self._own = scenario.own("")
        policy = self._client.config_get("maxmemory-policy")["maxmemory-policy"]
        if policy not in PREFERRING:
            small = "a Redis server with 8 MB for data and the policy allkeys-lru"
            raise step_missing("a server that evicts", small)
        self._kinds = PREFERRING[policy]
        self._names = {
            kind: [f"{self._own}{kind}:{n}" for n in range(_KEYS)]
            for kind in ("kept", "others", *(["immortal"] if self._kinds.volatile else []))
        }
        self.kept = self.others = self.immortal = 0

    def fill(self) -> None:
        """Set the first keys, use some, and set others until `_EVICTED` of the first are gone.

        Raises:
            Trouble: the server takes all that it is sent.
        """
        lives = dict(zip(("kept", "others"), self._kinds.lives, strict=True))
        for number in range(_KEYS):
            for kind, names in self._names.items():
                self._client.set(names[number], b"x" * _SIZE, ex=lives.get(kind))
        self._kinds.use(self._client, self._names["kept"])
        for number in range(_MOST):
            self._client.set(f"{self._own}new:{number}", b"y" * _SIZE)
            if number % 10 == 0:
                gone = {k: _KEYS - self._client.exists(*v) for k, v in self._names.items()}
                self.kept, self.others = gone["kept"], gone["others"]
                self.immortal = gone.get("immortal", 0)
                if self.kept + self.others >= _EVICTED:
                    told = f"{self.kept} of the kind to keep, {self.others} of the other one"
                    self._scenario.figure("evicted", told)
                    return
        raise Trouble("the server takes all that it is sent", "it has no limit, or a large one",
                      "see its maxmemory")  # fmt: skip

    @property
    def unfairness(self) -> float:
        """How far the evicted keys are from halves of both kinds, in what a fair choice may be.

        1.0 is as far as a fair choice gets once in 1.7 million times.
        """
        count = self._evicted()
        return abs(self.kept - count / 2) / (_DEVIATIONS * math.sqrt(count) / 2)

    @property
    def of_the_other(self) -> float:
        """Which part of the evicted keys is of the kind that is to be evicted, in percent."""
        return 100 * self.others / self._evicted()

    def _evicted(self) -> int:
        if not (count := self.kept + self.others):
            filled = "it is filled until 150 of its first keys are evicted"
            raise step_missing("keys that were evicted", filled)
        return count


def write_beyond(redis: RedisFixture, count: int, kilobytes: int) -> None:
    """Set more keys than there is memory for; what is refused is recorded so."""
    size = kilobytes * 1000
    redis.write_many((b"%0*d" % (size, number) for number in range(count)), "one by one")


def refuses(redis: RedisFixture) -> bool:
    """Whether a key more is refused for want of memory, said as such.

    Raises:
        PremiseNotMet: no step has written any.
    """
    _ = redis.values
    try:
        redis.client.set(redis.own("one more"), b"x" * _SIZE)
    except exceptions.OutOfMemoryError:
        return True
    return False
