"""Saved histories: read back whole, or refused with a reason."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.history import (
    Flow,
    History,
    HistoryError,
    carried_digest,
    check_flow,
    load,
    recheck,
    render_check,
    save,
)
from tests.history.story import DIRECT, Story, delivered

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DIGEST = st.integers(0, 2**64 - 1)
TIME = st.floats(0, 2e9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda s: st.lists(s) | st.dictionaries(TEXT, s),
)
DETAIL = st.dictionaries(
    TEXT.filter(lambda k: k not in ("self", "kind", "text", "at", "until")), JSON
)


def test_carried_values_are_saved(tmp_path: Path):
    story = Story().sent("a", carried=carried_digest({"at": "10:00", "tab\t": 1}))
    story.received("a", topic="out", offset=0, carried=carried_digest({"at": "09:00"}))
    again = load(save(story.history, tmp_path / "h.jsonl.gz")).snapshot()
    assert again.carried_values == story.history.snapshot().carried_values
    assert len(again.carried_values) == 2


@st.composite
def histories(draw: Any) -> History:
    history = History(draw(TEXT), **draw(DETAIL.filter(lambda meta: "name" not in meta)))
    for _ in range(draw(st.integers(0, 12))):
        what = draw(st.sampled_from(["send", "complete", "receive", "event", "flow"]))
        common = {
            "client": draw(TEXT), "topic": draw(TEXT), "ident": draw(TEXT), "digest": draw(DIGEST),
            "carried": draw(st.none() | DIGEST), "label": draw(TEXT), "preview": draw(TEXT),
            "at": draw(TIME),
        }  # fmt: skip
        partition, offset = draw(st.integers(0, 2**31 - 1)), draw(st.integers(0, 2**63 - 1))
        if what == "receive":
            history.receive(**common, partition=partition, offset=offset)
        elif what == "event":
            history.event(
                draw(TEXT), draw(TEXT), at=draw(TIME), until=draw(st.none() | TIME), **draw(DETAIL)
            )
        elif what == "flow":
            history.expect(Flow(draw(TEXT), draw(TEXT), draw(TEXT), draw(st.none() | TEXT)))
        else:
            op = history.send(**common)
            if what == "complete":
                where = draw(st.sampled_from([{}, {"partition": partition, "offset": offset}]))
                status = draw(st.sampled_from(["ok", "fail", "unknown"]))
                history.complete(op, status, **where, error=draw(TEXT), at=draw(TIME))
    return history


def same(one: History, other: History) -> bool:
    a, b = one.snapshot(), other.snapshot()
    for table in ("sends", "receptions"):
        for column in vars(getattr(a, table)):
            left, right = (getattr(getattr(s, table), column) for s in (a, b))
            if column in ("client", "topic", "label", "ident"):
                names = f"{column}s"
                left, right = (
                    [getattr(s, names)[i] for i in values] for s, values in ((a, left), (b, right))
                )
                assert left == right, column
            else:
                assert np.array_equal(left, right, equal_nan=column in ("at", "ended")), column
    for field in ("name", "meta", "previews", "errors", "events", "flows"):
        assert getattr(a, field) == getattr(b, field), field
    return True


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from(["h.jsonl", "h.jsonl.gz"]))
def test_what_is_saved_is_read_back(tmp_path_factory: Any, history: History, name: str):
    path = tmp_path_factory.mktemp("histories") / name
    assert save(history, path) == path
    assert same(history, load(path))
    again = save(load(path), path.with_name("again-" + name))
    assert again.read_bytes() == path.read_bytes() or name.endswith(".gz")


def test_the_file_is_lines_of_json_in_the_order_of_time(tmp_path):
    story = Story().sent("a", offset=0, label="valid").received("a", offset=0).sent("b", None)
    story.history.event("fault", "broker stops", at=story.now - 0.0015)
    lines = save(story.history, tmp_path / "h.jsonl").read_text().splitlines()
    header, *rest = [json.loads(line) for line in lines]
    assert header == {
        "format": "stackproof-history", "version": 2, "name": "a story", "meta": {"seed": 1},
        "flows": 0, "sends": 2, "receptions": 1, "events": 1,
        "consumers": 0, "polls": 0, "transactions": 0, "assignments": 0, "drains": 0,
    }  # fmt: skip
    assert [line["op"] for line in rest] == ["send", "event", "receive", "send"]
    assert rest[0]["status"] == "ok" and rest[0]["label"] == "valid"
    assert "status" not in rest[-1]


def test_what_has_no_form_in_json_is_saved_as_text(tmp_path):
    history = History("h", where=Path("somewhere"))
    assert load(save(history, tmp_path / "h.jsonl")).meta == {"where": "somewhere"}


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = save(delivered("a").history, tmp_path / "h.jsonl")
    before = path.read_bytes()
    broken = History()
    broken.meta = {("not", "a", "key"): 1}
    with pytest.raises(TypeError):
        save(broken, path)
    assert [file.name for file in tmp_path.iterdir()] == ["h.jsonl"]
    assert path.read_bytes() == before


def lines_of(tmp_path: Path) -> tuple[Path, list[str]]:
    path = save(delivered("a", "b").history, tmp_path / "h.jsonl")
    return path, path.read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("damage", "line", "message"),
    [
        (lambda lines: [], 1, "not the header of a history"),
        (lambda lines: lines[1:], 1, "not the header of a history"),
        (lambda lines: ["{}\n", *lines[1:]], 1, "KeyError: 'format'"),
        (lambda lines: ["[]\n"], 1, "not the header"),
        (lambda lines: [lines[0].replace(":2,", ":3,", 1)], 1, "version 3 .* Use the release"),
        (lambda lines: [lines[0].replace('"sends":2', '"sends":"2"')], 1, "sends is not of type"),
        (lambda lines: lines[:-1], 4, "2 receptions were saved, 1 are left. The file is incomp"),
        (lambda lines: [*lines, lines[-1]], 6, "2 receptions were saved, 3 are left"),
        (lambda lines: [*lines[:2], lines[2][:40]], 3, "not an operation of a history"),
        (lambda lines: [*lines[:2], "{}\n", *lines[3:]], 3, "KeyError: 'op'"),
        (lambda lines: [*lines[:2], "7\n", *lines[3:]], 3, "not an operation"),
        (lambda lines: [lines[0], '{"op":"jump"}\n'], 2, "KeyError: 'jump'"),
        (lambda lines: [lines[0], lines[1].replace("ident", "idnt")], 2, "TypeError: .*idnt"),
        (lambda lines: [lines[0], lines[1].replace('"ok"', '"good"')], 2, "status is one of"),
        (lambda lines: [lines[0], '{"op":"flow","name":"f"}\n'], 2, "not a flow"),
        (lambda lines: [lines[0], "\n", *lines[1:]], 2, "not an operation"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path, damage, line, message):
    path, lines = lines_of(tmp_path)
    path.write_text("".join(damage(lines)))
    with pytest.raises(HistoryError, match=message) as caught:
        load(path)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}, line {line}: ")


@pytest.mark.parametrize("keep", [5, 60, -4])
def test_damaged_compression_is_named(tmp_path, keep):
    path = save(delivered("a", "b").history, tmp_path / "h.jsonl.gz")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(HistoryError, match="damaged compression"):
        load(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(HistoryError, match=r"cannot be read .*Check the path"):
        load(tmp_path / "missing.jsonl")
    plain = tmp_path / "plain.gz"
    plain.write_bytes(b"not gzip at all")
    with pytest.raises(HistoryError, match="damaged compression"):
        load(plain)
    packed = tmp_path / "packed.jsonl"
    packed.write_bytes(gzip.compress(b"{}"))
    with pytest.raises(HistoryError, match="not the header"):
        load(packed)


def test_recheck_gives_the_same_verdict_as_before(tmp_path):
    story = delivered("a", "b").sent("c", offset=2).received("a", offset=0)
    story.history.expect(DIRECT)
    path = save(story.history, tmp_path / "h.jsonl.gz")
    before = check_flow(story.history, DIRECT)
    (after,) = recheck(path)
    assert after == before
    assert after.explain() == before.explain()


def test_render_check(tmp_path):
    clean, violating = delivered("a"), delivered("a").sent("b", offset=1)
    for story in (clean, violating):
        story.history.expect(DIRECT)
    text, ok = render_check(save(clean.history, tmp_path / "clean.jsonl"))
    assert ok
    assert text.startswith("a story: 1 send, 1 reception, 0 events\n\nok  delivery: as expected")
    text, ok = render_check(save(violating.history, tmp_path / "violating.jsonl"))
    assert not ok
    assert "FAILED  delivery: 1 lost" in text


def test_a_history_without_expectations_does_not_pass(tmp_path):
    text, ok = render_check(save(delivered("a").history, tmp_path / "h.jsonl"))
    assert not ok
    assert "No expectations are remembered" in text
