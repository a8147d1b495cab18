"""The models' anomalies, counted as their definitions say it: pair by pair, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any

from tests.history.models.cases import Row

NEVER = float("inf")


@dataclass(frozen=True)
class Op:
    client: str
    action: str
    key: str
    value: Any
    began: float
    ended: float
    status: str
    number: int
    expected: Any

    @property
    def sure(self) -> bool:
        return self.status == "ok"


def ops(rows: list[Row]) -> list[Op]:
    made = []
    for client, action, key, value, times, more in sorted(rows, key=lambda row: row[4][0]):
        status = more.get("status", "ok") if len(times) > 1 else "unknown"
        ended = times[1] if len(times) > 1 and status != "unknown" else NEVER
        made.append(Op(client, action, key, value, times[0], ended, status,
                       more.get("number", 0), more.get("expected")))  # fmt: skip
    return made


def linearizable(rows: list[Row]) -> bool:
    """Whether there is an order: all of them are tried. Of one key."""
    all_ = ops(rows)
    sure = [o for o in all_ if o.sure and o.action != "failed"]
    perhaps = [o for o in all_ if o.status == "unknown" and o.action != "read"]
    for mask in range(1 << len(perhaps)):
        chosen = sure + [o for i, o in enumerate(perhaps) if mask >> i & 1]
        if any(_fits(order) for order in permutations(chosen)):
            return True
    return False


def _fits(order: tuple[Op, ...]) -> bool:
    if any(later.ended < earlier.began
           for i, earlier in enumerate(order) for later in order[i + 1 :]):  # fmt: skip
        return False
    value = None
    for one in order:
        if one.action == "read" and one.value != value:
            return False
        if one.action == "compare-and-set" and one.expected != value:
            return False
        if one.action != "read":
            value = one.value
    return True


def queue(rows: list[Row]) -> dict[str, int]:
    all_ = ops(rows)
    puts = [o for o in all_ if o.action == "put" and o.status != "fail"]
    takes = [o for o in all_ if o.action == "take" and o.sure]
    first = {}
    for take in sorted(takes, key=lambda o: o.ended):
        first.setdefault(take.key, take)
    put_of: dict[str, Op] = {}
    for put in puts:
        put_of.setdefault(put.key, put)
    known = [k for k in first if k in put_of]
    again = {"duplicated": 0, "unexplained-redelivery": 0}
    for key in {o.key for o in takes}:
        same = sorted((o for o in takes if o.key == key), key=lambda o: o.began)
        for before, take in pairwise(same):
            done = any(o.action == "acknowledge" and o.sure and o.key == key
                       and o.ended < take.began for o in all_)  # fmt: skip
            back = any(
                before.began <= o.began < take.ended and o.status != "fail"
                and ((o.action in ("give back", "reject") and o.key == key)
                     or (o.action == "close" and o.client == before.client))
                for o in all_
            )  # fmt: skip
            again["duplicated"] += done
            again["unexplained-redelivery"] += not done and not back
    return {
        "lost": sum(o.sure and o.key not in first for o in puts),
        "unexpected": sum(o.key not in put_of for o in takes),
        "corrupted": sum(o.key in put_of and (o.key, o.value) not in
                         {(p.key, p.value) for p in puts} for o in takes),
        "reordered": sum(
            any(put_of[a].ended < put_of[b].began and first[b].ended < first[a].began
                for a in known) for b in known
        ),
        **again,
    }  # fmt: skip


def members(rows: list[Row], reader: str = "") -> dict[str, int]:
    all_ = ops(rows)
    adds = [o for o in all_ if o.action == "add" and o.status != "fail"]
    removes = [o for o in all_ if o.action == "remove" and o.status != "fail"]
    lists = {i: o for i, o in enumerate(all_) if o.action == "list" and o.sure
             and reader in ("", o.client)}  # fmt: skip
    seen = [o for o in all_ if o.action == "seen" and o.number in lists]
    last = max(lists, key=lambda i: lists[i].began, default=None)
    removed = {o.key for o in removes}

    def has(listing: int | None, key: str) -> bool:
        return any(o.number == listing and o.key == key for o in seen)

    def stale(one: Op) -> bool:
        listing = lists[one.number]
        same = [a for a in adds if (a.key, a.value) == (one.key, one.value)
                and a.began <= one.ended]  # fmt: skip
        since = max((a.ended for a in same), default=None)
        return since is not None and any(
            o.sure and o.key == one.key and o.action in ("add", "remove")
            and since < o.began and o.ended < listing.began for o in all_
        )  # fmt: skip

    late = {
        o.key
        for o in adds
        if o.sure and o.key not in removed
        and o is next(a for a in adds if a.key == o.key and a.sure)
        and any(listing.began > o.ended and not has(i, o.key) for i, listing in lists.items())
    }  # fmt: skip
    return {
        "lost": len({o.key for o in adds if o.sure and last is not None
                     and o.ended < lists[last].began and not has(last, o.key)
                     and o.key not in removed}),
        "unexpected": sum(o.key not in {a.key for a in adds} for o in seen),
        "twice": len(seen) - len({(o.number, o.key) for o in seen}),
        "corrupted": sum(
            o.key in {a.key for a in adds} and
            (o.key, o.value) not in {(a.key, a.value) for a in adds} for o in seen
        ),
        "stale": sum(map(stale, seen)),
        "not-visible": len(late),
    }  # fmt: skip


def locks(rows: list[Row], lease: float) -> dict[str, int]:
    all_ = ops(rows)
    held = []
    for one in (o for o in all_ if o.action == "acquire" and o.sure):
        ends = [o.began for o in all_ if o.action == "release" and o.status != "fail"
                and (o.client, o.key) == (one.client, one.key)
                and o.began >= one.ended]  # fmt: skip
        held.append((one, min([*ends, one.began + lease])))
    uses = [o for o in all_ if o.action == "use" and o.sure]
    return {
        "two-holders": sum(
            any(a is not b and a.key == b.key and a.ended < b.ended < until for a, until in held)
            for b, own in held if b.ended < own
        ),
        "token-not-rising": sum(
            b.number > 0 and any(a.key == b.key and a.number >= b.number and a.ended < b.began
                                 for a, _ in held if a.number > 0) for b, _ in held
        ),
        "late-write": sum(
            any(a.key == b.key and a.number > b.number and a.ended < b.began for a in uses)
            for b in uses
        ),
    }  # fmt: skip


def limit(rows: list[Row], most: int, window: float) -> dict[str, int]:
    all_ = ops(rows)
    permits = [o for o in all_ if o.action == "permit" and o.status != "fail"]
    more = 0
    for first in (o for o in permits if o.sure):
        same = [o for o in permits if o.sure and o.key == first.key]
        granted = sum(max(o.number, 1) for o in same if o.ended < first.began + window)
        before = sum(max(o.number, 1) for o in same if o.began < first.began)
        more += granted - before > most
    fewer = 0
    for refusal in (o for o in all_ if o.action == "refuse" and o.sure):
        counted = sum(max(o.number, 1) for o in permits if o.key == refusal.key
                      and o.began <= refusal.ended
                      and not o.ended < max(refusal.began - window, 0))  # fmt: skip
        fewer += counted + max(refusal.number, 1) <= most
    return {"more-than-allowed": more, "fewer-than-allowed": fewer}
