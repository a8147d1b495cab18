"""What a Redis server's refusals mean."""

from __future__ import annotations

import re

from redis import exceptions

from stackproof.errors import ELSEWHERE, NotSupported, Passing, Trouble, answered, explains

#: A command, or a form of it, that the server does not have, has renamed, or keeps from a user.
_LACKING = re.compile(
    r"unknown (sub)?command|wrong number of arguments|syntax error|unsupported|disabled"
    r"|not (supported|implemented|allowed|available)|permissions to run the", re.IGNORECASE,
)  # fmt: skip
#: Where keys lie on several nodes; and what is to be done where one of them was named alone.
IN_CLUSTER = "is part of a Redis Cluster"
NAME_NODES = "name its nodes (services.redis.cluster_nodes, REDIS_NODES)"
#: What is to be said of an error, by its class or how its text begins; the first one counts.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], str, type[Trouble], str, str], ...] = (
    ((exceptions.AuthenticationError, exceptions.AuthorizationError),
     "NOAUTH|WRONGPASS|invalid password", Trouble, "does not let the suite in",
     "correct user and password: REDIS_USERNAME, REDIS_PASSWORD, or those in REDIS_URL"),
    ((exceptions.BusyLoadingError,), "", Passing, "is still loading its data", "wait for it"),
    ((exceptions.ReadOnlyError, exceptions.MasterDownError), "", Trouble,
     "is a replica, and takes no writes", "name the primary"),
    ((exceptions.AskError, exceptions.ClusterError, exceptions.TryAgainError), "", NotSupported,
     IN_CLUSTER, NAME_NODES),
    ((exceptions.ClusterCrossSlotError, exceptions.RedisClusterException), "", NotSupported,
     f"{IN_CLUSTER}, which does nothing at once with keys of several slots", ELSEWHERE),
    ((exceptions.OutOfMemoryError,), "", Trouble, "has no memory left for data",
     "free some, or raise its maxmemory"),
    ((), "-?DENIED", Trouble, "lets in clients of its own machine only",
     "give it a password, or switch its protected mode off"),
    ((), "-?MISCONF", Trouble, "refuses writes, because it cannot save its data",
     "mend that server's disk"),
    ((), "-?NOREPLICAS", Trouble, "refuses writes, because it has too few replicas",
     "bring its replicas up"),
)  # fmt: skip


@explains
def refusal(error: BaseException) -> Trouble | None:
    """What an error of redis-py means, in words for people; None: it is none of redis-py's."""
    if not isinstance(error, exceptions.RedisError | exceptions.RedisClusterException):
        return None
    text = str(error) or type(error).__name__
    said = f"it says: {text}"
    for classes, beginning, kind, what, remedy in _MEANINGS:
        if isinstance(error, classes) or (beginning and re.match(beginning, text)):
            return kind(f"Redis {what}", said, remedy)
    if isinstance(error, exceptions.ResponseError) and _LACKING.search(text):
        return answered("Redis", "lacking", said)
    if isinstance(error, exceptions.NoPermissionError):
        return answered("Redis", "forbidden", said)
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError):
        return answered("Redis", "lost", text)
    return answered("Redis", "refused", said)
