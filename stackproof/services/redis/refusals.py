"""What a Redis server's refusals mean."""

from __future__ import annotations

import re

from redis import Redis, exceptions

from stackproof.errors import NotSupported, Trouble, explains

#: A command, or a form of it, that the server does not have, has renamed, or keeps from a user.
_LACKING = re.compile(
    r"unknown (sub)?command|wrong number of arguments|syntax error|unsupported|disabled"
    r"|not (supported|implemented|allowed|available)|permissions to run the", re.IGNORECASE,
)  # fmt: skip
_ELSEWHERE = "run it on another Redis, or on one of the suite's own (STACK=native)"
#: How replies begin whose code redis-py knows no class for, and what is to be said of them.
_BY_CODE = {
    "DENIED": ("lets in clients of its own machine only",
               "give it a password, or switch its protected mode off"),
    "MISCONF": ("refuses writes, because it cannot save its data", "mend that server's disk"),
    "NOREPLICAS": ("refuses writes, because it has too few replicas", "bring its replicas up"),
}  # fmt: skip


def no_cluster(place: str, said: str) -> NotSupported:
    """A Redis Cluster: which commands pass would depend on the keys' slots."""
    return NotSupported(f"{place} is part of a Redis Cluster, which the suite does not support",
                        said, _ELSEWHERE)  # fmt: skip


def refuse_other_modes(client: Redis, place: str) -> None:
    """Nothing but a server on its own will do; one that keeps its mode to itself may be one.

    Raises:
        NotSupported: it is part of a Redis Cluster, or a Sentinel.
    """
    try:
        # Nearly every user may say HELLO, before Redis 6 nobody; INFO is often kept back.
        answer = client.execute_command("HELLO")
        mode = dict(zip(answer[::2], answer[1::2], strict=True)).get(b"mode", b"").decode()
    except exceptions.ResponseError:
        try:
            mode = client.info("server").get("redis_mode", "")
        except exceptions.ResponseError:
            return
    if mode == "cluster":
        raise no_cluster(place, f"it says: its mode is {mode}")
    if mode == "sentinel":
        raise NotSupported(f"{place} is a Redis Sentinel, which holds no keys",
                           f"it says: its mode is {mode}",
                           "name the server that it watches")  # fmt: skip


@explains
def refusal(error: BaseException, place: str = "Redis") -> Trouble | None:
    """What an error of redis-py means, in words for people; None: it is none of redis-py's.

    Args:
        error: any exception.
        place: which server.
    """
    if not isinstance(error, exceptions.RedisError):
        return None
    text = str(error) or type(error).__name__
    said = f"it says: {text}"
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError) or (
        re.match(r"NOAUTH|WRONGPASS|invalid password", text)
    ):
        return Trouble(f"{place} does not let the suite in", said,
                       "correct user and password: REDIS_USERNAME, REDIS_PASSWORD, "
                       "or those in REDIS_URL")  # fmt: skip
    if isinstance(error, exceptions.BusyLoadingError):
        return Trouble(f"{place} is still loading its data", said, "wait for it")
    if isinstance(error, exceptions.ReadOnlyError | exceptions.MasterDownError):
        return Trouble(f"{place} is a replica, and takes no writes", said, "name the primary")
    if isinstance(error, exceptions.AskError | exceptions.ClusterError | exceptions.TryAgainError
                  | exceptions.ClusterCrossSlotError):  # fmt: skip
        return no_cluster(place, said)
    if isinstance(error, exceptions.OutOfMemoryError):
        return Trouble(f"{place} has no memory left for data", said,
                       "free some, or raise its maxmemory")  # fmt: skip
    code = _BY_CODE.get(text.partition(" ")[0].lstrip("-"))
    if code:
        return Trouble(f"{place} {code[0]}", said, code[1])
    if isinstance(error, exceptions.ResponseError) and _LACKING.search(text):
        return NotSupported(f"{place} does not offer what the suite asks for", said, _ELSEWHERE)
    if isinstance(error, exceptions.NoPermissionError):
        return Trouble(f"{place} forbids what the suite needs", said,
                       "give the suite's user the rights in docs/endpoints.md")  # fmt: skip
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError):
        return Trouble(f"the connection to {place} is lost", said.removeprefix("it says: "),
                       "look at that server's log, and at the network")  # fmt: skip
    return Trouble(f"{place} refuses what the suite asks for", said,
                   "look at that server's settings and log")  # fmt: skip
