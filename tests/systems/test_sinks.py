"""Sinks of other people's shapes under the shipped features; and what happens without a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stackproof.ports import free_port
from stackproof.systems.sinks.events import FIELDS, Reading, document, made
from stackproof.systems.sinks.speed import needed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/sinks.md").read_text()

#: Handles events as `logging` does, one JSON text each; it begins when it is made.
HANDLER = """
import json, queue, threading, redis

class Closed(Exception): pass

class Handler:
    def __init__(self, target, key):
        self.redis, self.key = redis.Redis.from_url(target, socket_timeout=2), key
        self.events = queue.Queue()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
    def work(self):
        while (event := self.events.get()) is not None:
            record = {"id": event.pop("event_id"), "body": event}
            while True:
                try:
                    self.redis.xadd(self.key, {"record": json.dumps(record)})
                    break
                except redis.RedisError:
                    pass
    def emit(self, record, level):
        self.events.put(dict(record))
    def close(self):
        self.events.put(None)
        self.thread.join()
        self.redis.close()
"""
HANDLER_SECTION = """
[systems.redis-sink]
component = "handler:Handler"
options = { target = "{redis_url}", key = "{stream}" }
methods = { handle_event = "emit(event, level='info')", stop = "close", start = "", flush = "" }

[systems.redis-sink.fields]
event_id = "/id"
"""
HANDLER_SECTION += "".join(f'{name} = "/body/{name}"\n' for name in FIELDS[1:])


def block(language: str) -> str:
    """The page's first block of code of a language."""
    return PAGE.split(f"```{language}\n")[1].split("```")[0]


def verdicts(place: Path, section: str, *names: str, **environment: str) -> dict[str, str]:
    """Run some scenarios of sinks against a section; verdicts and reasons by name."""
    (place / "stackproof.toml").write_text(section)
    picked = [word for name in names for word in ("--name", f"^{name}")]
    stack = "external" if environment else "native"
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", "--no-report", "--stack", stack,
         "--suite", "pr", "--time-factor", "4", "--reports", str(place), *picked,
         "features/sinks/redis_sink.feature", "features/sinks/overflow.feature",
         "features/sinks/failures.feature"],
        cwd=ROOT, capture_output=True, text=True, timeout=900,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment,
             "STACKPROOF_CONFIG": str(place / "stackproof.toml")},
    )  # fmt: skip
    results = json.loads((place / "results.json").read_text())["scenarios"]
    found = {one["name"]: f"{one['verdict']}: {one['reason']}" for one in results}
    return {"exit code": str(done.returncode), **found}


@pytest.mark.skipif(shutil.which("perl") is None, reason="there is no Perl")
def test_a_sink_in_perl_without_buffer_flush_and_breaker(tmp_path: Path) -> None:
    (tmp_path / "sink.pl").write_text(block("perl"))
    found = verdicts(
        tmp_path, block("toml"),
        "Events arrive once", "Flushing returns", "A full buffer drops the oldest",
        "The circuit of the redis-sink opens, lets",
    )  # fmt: skip
    assert found["Events arrive once, unchanged and in order"].startswith("passed")
    flushing = found["Flushing returns when every event is there"]
    assert flushing.startswith("not supported: the redis-sink has no flush")
    for name, verdict in found.items():
        if name.startswith("A full buffer"):
            assert verdict.startswith("not supported: the redis sink has no setting for its buffer")
        if name.startswith("The circuit"):
            assert verdict.startswith("not supported: the redis sink has no setting for its fail")


def test_a_sink_that_is_shaped_as_a_handler(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(HANDLER)
    found = verdicts(
        tmp_path, HANDLER_SECTION,
        "Events arrive once", "Events of several threads", "Stopping delivers",
    )  # fmt: skip
    assert found["Events arrive once, unchanged and in order"].startswith("passed")
    assert found["Events of several threads arrive, in the order of each"].startswith("passed")
    name = "Stopping delivers every event, and leaves nothing behind"
    assert found[name].startswith("passed")


def test_a_missing_server_is_told_and_passes_nothing(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    section = (ROOT / "stackproof.toml").read_text().replace('"."', f'"{ROOT.as_posix()}"')
    section = section.replace('"contracts/', f'"{ROOT.as_posix()}/contracts/')
    found = verdicts(tmp_path, section, "Events arrive once", REDIS_URL=url)
    assert found.pop("exit code") != "0"
    assert found
    for verdict in found.values():
        assert not verdict.startswith("passed")
        assert url.rpartition("/")[2] in verdict


def test_events_are_found_in_whatever_form() -> None:
    event = next(made(seed=1))
    reading = Reading({})
    whole = document({"event": json.dumps(event)})
    texts = {n: v if isinstance(v, str) else json.dumps(v) for n, v in event.items()}
    assert reading.content(whole) == reading.content(document(texts)) == reading.expected(event)
    assert reading.ident(whole) == reading.ident(document(texts)) == event["event_id"]
    changed = {**event, "data": {**event["data"], "number": "1"}}
    assert reading.content(changed) != reading.expected(event)


def test_numbers_are_compared_as_values() -> None:
    event = {**next(made(seed=1)), "data": {"amounts": [1.0, 2.5]}}
    assert Reading({}).content({**event, "data": {"amounts": [1, 2.5]}}) == Reading({}).expected(
        event
    )
    assert Reading({}).content({**event, "data": {"amounts": [1, 2]}}) != Reading({}).expected(
        event
    )


def test_a_field_that_a_sink_does_not_carry_is_not_compared() -> None:
    event = next(made(seed=1))
    reading = Reading({"tags": "", "event_id": "/head/id"})
    found = {"head": {"id": event["event_id"]}, **event, "tags": "lost"}
    assert reading.content(found) == reading.expected(event)
    assert reading.ident(found) == event["event_id"]


def test_events_of_one_seed_are_the_same_and_distinct() -> None:
    first, second = made(seed=7), made(seed=7)
    some = [next(first) for _ in range(50)]
    assert some == [next(second) for _ in range(50)]
    assert len({event["event_id"] for event in some}) == 50
    assert all(tuple(event) == FIELDS for event in some)


@pytest.mark.parametrize(
    ("batch", "told"),
    [(50, "never: 50 at once save at most 49 of 50 round trips"),
     (100, "the round trip would have to take 1.77 ms"), (100_000, "it is")],
)  # fmt: skip
def test_the_round_trip_that_a_claim_needs(batch: int, told: str) -> None:
    # One by one 100 us of which 50 are the round trip; at once 5 us, 4.5 of them beside it.
    at_once = 5e-6 if batch < 100_000 else 1e-6
    single = 100e-6 if batch < 100_000 else 1e-3
    round_trip = 50e-6 if batch < 100_000 else 0.9e-3
    assert needed(single, at_once, batch, round_trip, 82) == told
