"""Recording, from one thread and from many."""

import ast
import math
import threading
from pathlib import Path

import pytest

import stackproof.history
from stackproof.history import Flow, History, carried_digest, check_flow, columns, digest_of
from stackproof.history.ledger import PREVIEW_CHARACTERS

BASIC = {"client": "c", "topic": "t", "ident": "a", "digest": 1}


def test_sends_are_numbered_and_unknown_until_completed():
    history = History("h", seed=7)
    assert [history.send(**BASIC) for _ in range(3)] == [0, 1, 2]
    history.complete(1, "ok", partition=2, offset=9, at=5.0)
    history.complete(2, "fail", error="refused")
    sends = history.snapshot().sends
    assert sends.status.tolist() == [2, 0, 1]
    assert sends.partition.tolist() == [-1, 2, -1]
    assert sends.offset.tolist() == [-1, 9, -1]
    assert sends.ended[1] == 5.0
    assert history.snapshot().errors == {2: "refused"}
    assert history.snapshot().meta == {"seed": 7}


def test_an_unknown_outcome_may_become_known_but_no_outcome_changes():
    history = History()
    op = history.send(**BASIC)
    history.complete(op, "unknown", error="timed out")
    history.complete(op, "ok", partition=0, offset=3)
    assert history.snapshot().errors == {}
    with pytest.raises(ValueError, match="completed as ok before"):
        history.complete(op, "fail")


@pytest.mark.parametrize("op", [-1, 0, 1])
def test_completing_what_was_never_sent_is_an_error(op):
    with pytest.raises(IndexError, match=f"no send number {op}"):
        History().complete(op, "ok")


def test_an_unknown_status_is_an_error():
    history = History()
    with pytest.raises(ValueError, match="one of ok, fail, unknown, not 'OK'"):
        history.complete(history.send(**BASIC), "OK")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"digest": -1}, {"digest": 1 << 64}, {"carried": 1 << 64}, {"digest": "x"}]
)
def test_a_record_that_does_not_fit_leaves_no_trace(wrong):
    history = History()
    with pytest.raises(ValueError, match='send of "a" cannot be recorded'):
        history.send(**{**BASIC, **wrong})
    with pytest.raises(ValueError, match='reception of "a" cannot be recorded'):
        history.receive(**{**BASIC, **wrong}, partition=0, offset=0)
    assert len(history.snapshot().sends) == len(history.snapshot().receptions) == 0
    assert history.send(**BASIC) == 0


def test_digests_of_64_bits_are_kept_whole():
    history = History()
    history.send(**{**BASIC, "digest": (1 << 64) - 1}, carried=0)
    history.receive(**{**BASIC, "digest": 1 << 63}, partition=0, offset=1 << 62)
    snapshot = history.snapshot()
    assert int(snapshot.sends.digest[0]) == (1 << 64) - 1
    assert snapshot.sends.has_carried.tolist() == [1]
    assert int(snapshot.receptions.digest[0]) == 1 << 63
    assert int(snapshot.receptions.offset[0]) == 1 << 62


def test_previews_are_kept_once_and_short():
    history = History()
    history.send(**BASIC, preview="x" * 1000)
    history.receive(**BASIC, partition=0, offset=0, preview="another text")
    (preview,) = history.snapshot().previews.values()
    assert len(preview) == PREVIEW_CHARACTERS
    assert preview.endswith("…")


def test_a_snapshot_does_not_change():
    history = History()
    history.send(**BASIC)
    before = history.snapshot()
    assert history.snapshot() is before
    history.complete(0, "ok")
    history.send(**BASIC)
    assert before.sends.status.tolist() == [2]
    assert history.snapshot().sends.status.tolist() == [0, 2]


def test_start_and_end_span_all_that_was_recorded(recwarn):
    history = History()
    assert (history.snapshot().start, history.snapshot().end) == (0.0, 0.0)
    op = history.send(**BASIC, at=10.0)
    assert (history.snapshot().start, history.snapshot().end) == (10.0, 10.0)
    history.complete(op, "ok", at=12.0)
    history.event("fault", "broker stops", at=9.0, until=11.0)
    assert (history.snapshot().start, history.snapshot().end) == (9.0, 12.0)
    assert not list(recwarn)


def test_flows_are_remembered_once():
    history = History()
    for _ in range(2):
        history.expect(Flow("f", "a", "b"))
    assert history.snapshot().expectations == (Flow("f", "a", "b"),)


def test_records_from_many_threads_are_whole():
    history = History()

    def work(thread: int) -> None:
        for i in range(300):
            op = history.send(
                client=f"c{thread}", topic=f"t{thread}", ident=f"{thread}-{i}", digest=i
            )
            history.complete(op, "ok", partition=thread, offset=i)
            history.receive(
                client=f"c{thread}", topic=f"t{thread}", partition=thread, offset=i,
                ident=f"{thread}-{i}", digest=i,
            )  # fmt: skip

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(4):
        flow = Flow("f", f"t{n}", f"t{n}", content="bytes", order="sequence")
        verdict = check_flow(history, flow)
        assert (verdict.figures.acknowledged, verdict.anomalies) == (300, ())


def test_digests():
    assert digest_of(b"") != digest_of(None)
    assert digest_of(b"a") == digest_of(b"a") != digest_of(b"b")
    assert 0 <= digest_of(b"a") < 1 << 64
    same = carried_digest({"a": 1, "b": [1.0, {"c": "é"}]})
    assert carried_digest({"b": (1, {"c": "é"}), "a": 1.0}) == same
    assert carried_digest({"a": "1"}) != carried_digest({"a": 1})
    assert carried_digest({"a": None}) != carried_digest({})
    assert carried_digest({"a": 1.5}) != carried_digest({"a": 1})
    with pytest.raises(TypeError):
        carried_digest({"a": b"bytes"})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"completeness": 80}, "fraction from 0 to 1, not 80"),
        ({"max_duplicates": -1}, "0 or more"),
        ({"content": "byte"}, "content is one of bytes, carried or None, not 'byte'"),
        ({"order": "time"}, "order is one of offset, sequence or None"),
        ({"exclusive_topics": ("out",)}, '"out" is where the messages are expected'),
    ],
)
def test_a_flow_refuses_nonsense(wrong, message):
    with pytest.raises(ValueError, match=message):
        Flow("f", "in", "out", **wrong)


def test_a_flow_survives_json():
    flow = Flow("f", "in", "out", ("a", "b"), ("dead",), 0.8, 3, "carried", "offset", ("c",))
    data = {k: list(v) if isinstance(v, tuple) else v for k, v in flow.as_dict().items()}
    assert Flow.from_dict(data) == flow
    with pytest.raises(ValueError, match="unknown in a Flow: orders; known: name, "):
        Flow.from_dict({**data, "orders": 1})
    with pytest.raises(ValueError, match=r"not a Flow: .*received_topic"):
        Flow.from_dict({"name": "f", "sent_topic": "in"})


def test_only_one_module_touches_files_and_none_knows_a_client():
    allowed = {
        "__future__", "collections", "contextlib", "dataclasses", "functools", "hashlib",
        "itertools", "json", "lazy_loader", "math", "numpy", "stackproof", "struct",
        "threading", "time", "types",
        "typing",
    }  # fmt: skip
    package = Path(stackproof.history.__file__).parent
    for module in package.rglob("*.py"):
        if module.name == "files.py":
            continue
        tree = ast.parse(module.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.split(".")[0] for name in names} <= allowed, module.name
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stackproof"):
                assert (node.module or "").startswith("stackproof.history"), module.name


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf])
def test_what_is_no_time_is_refused(at: float) -> None:
    history = History("t")
    op = history.send(client="c", topic="t", ident="a", digest=1)
    where = {"client": "c", "topic": "t", "ident": "a", "digest": 1}
    for record in (
        lambda: history.send(**where, at=at),
        lambda: history.complete(op, "ok", at=at),
        lambda: history.receive(**where, partition=0, offset=0, at=at),
        lambda: history.event("note", "n", at=at),
        lambda: history.event("note", "n", until=at),
    ):
        with pytest.raises(ValueError, match="is no time"):
            record()
    snapshot = history.snapshot()
    assert (len(snapshot.sends), len(snapshot.receptions), len(snapshot.events)) == (1, 0, 0)
    assert snapshot.sends.status[op] == columns.UNKNOWN
