"""Limits, sessions, metrics and locks of other shapes pass the same features by configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.systems.test_components_page import verdicts

KEEPER = Path(__file__).with_name("keeper.js")
#: In Node, whose methods take one object, and which tells by an error that a request is refused.
IN_NODE = f"""
[systems.fixed-window-limiter]
component = "limits in Node"
command = ["node", "{KEEPER}"]
options = {{ url = "{{redis_url}}", prefix = "{{redis_prefix}}limits:" }}
methods = {{ allow = "hit(who=key, cost=1)" }}
errors = {{ limited = "429" }}

[systems.session-store]
component = "sessions in Node"
command = ["node", "{KEEPER}"]
options = {{ url = "{{redis_url}}", prefix = "{{redis_prefix}}sessions:" }}

[systems.session-store.methods]
create = "open(text=data, sid=session)"
read = "look(sid=session)"
renew = "touch(sid=session)"
update = "swap(sid=session, then=before, now=after)"
"""
#: By scripts and the server's clock, and with other names.
SHOP = '''
import itertools, os, time
import redis

class TooMany(Exception): pass
class Taken(Exception): pass
class Late(Exception): pass

class _Kept:
    def __init__(self, *, where, space):
        self.space, self.redis = space, redis.Redis.from_url(where, decode_responses=True)
    def run(self, script, key, *arguments):
        return self.redis.eval(script, 1, self.space + key, *arguments)

class Gate(_Kept):
    numbers = itertools.count()
    def __init__(self, *, where, space, limit, window):
        super().__init__(where=where, space=space)
        self.limit, self.window = limit, round(window * 1000)
    def enter(self, *, visitor):
        if not self.run("""
            local at = redis.call('TIME')
            local now = at[1] * 1000 + math.floor(at[2] / 1000)
            redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
            if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
            redis.call('ZADD', KEYS[1], now, ARGV[3])
            return 1""", visitor, self.limit, self.window, f"{os.getpid()} {next(self.numbers)}"):
            raise TooMany(visitor)
        return "come in"

class Numbers(_Kept):
    def plus(self, name, *, by): return self.redis.hincrby(self.space + "counts", name, by)
    def give(self, member, *, to, points):
        return self.redis.zincrby(self.space + to, points, member)
    def best(self, board, *, many):
        return self.redis.zrange(self.space + board, 0, many - 1, desc=True, withscores=True)
    def note(self, series, *, at, what): return self.redis.hset(self.space + series, at, what)
    def noted(self, series, since, until):
        kept = self.redis.hgetall(self.space + series).items()
        return sorted([int(at), int(what)] for at, what in kept if since <= int(at) <= until)
    def forget(self, series, *, older):
        old = [at for at in self.redis.hkeys(self.space + series) if int(at) < older]
        return old and self.redis.hdel(self.space + series, *old)

class Lock(_Kept):
    def __init__(self, *, where, space, ttl):
        super().__init__(where=where, space=space)
        self.ttl, self.held = round(ttl * 1000), {}
    def take(self, name, patience):
        taken = """
            if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
            local token = redis.call('INCR', KEYS[1] .. ':tokens')
            redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
            return token"""
        until = time.monotonic() + patience
        while not (token := self.run(taken, name, self.ttl)):
            if time.monotonic() > until:
                raise Taken(name)
            time.sleep(0.02)
        self.held[name] = token
        return token
    def leave(self, lock):
        self.run("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end",
                 lock, self.held.pop(lock))
    def put(self, name, text, *, fence):
        if not self.run("""
            if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
            redis.call('SET', KEYS[1] .. ':text', ARGV[2])
            return 1""", name, fence, text):
            raise Late(name)
'''
IN_PYTHON = """
[systems.sliding-window-limiter]
component = "shop:Gate"
options = { where = "{redis_url}", space = "{redis_prefix}gate:" }
methods = { allow = "enter(visitor=key)" }
errors = { limited = "TooMany" }

[systems.metrics-store]
component = "shop:Numbers"
options = { where = "{redis_url}", space = "{redis_prefix}numbers:" }

[systems.metrics-store.methods]
count = "plus(name, by=1)"
score = "give(member, to=board, points=points)"
top = "best(board, many=count)"
measure = "note(series, at=second, what=value)"
between = "noted(series, first, last)"
drop = "forget(series, older=before)"

[systems.redis-lock]
component = "shop:Lock"
options = { where = "{redis_url}", space = "{redis_prefix}locks:", ttl = 30 }
errors = { taken = "Taken", fenced = "Late" }

[systems.redis-lock.methods]
acquire = "take(name, wait)"
release = "leave(name)"
write = "put(name, value, fence=token)"
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")
def test_limits_and_sessions_in_node(tmp_path: Path) -> None:
    found = verdicts(
        tmp_path,
        IN_NODE,
        "rate_limits",
        "sessions",
        name="Fifty.*fixed|After.*fixed|ession|Updates",
    )
    assert len(found) > 4 and set(found.values()) == {"passed"}, found


def test_limits_metrics_and_locks_with_other_names(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    found = verdicts(
        tmp_path,
        IN_PYTHON,
        "rate_limits",
        "metrics",
        "../coordination/locks",
        name="exact at every|count at once|top list|Measurements|hold the redis-lock",
    )
    assert len(found) > 4 and set(found.values()) == {"passed"}, found
