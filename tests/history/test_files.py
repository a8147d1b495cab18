"""Saved histories: read back whole, or refused with a reason."""

import gzip
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable
from dataclasses import fields
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
    Registers,
    Snapshot,
    carried_digest,
    check_flow,
    export,
    load,
    recheck,
    render_check,
    save,
)
from stackproof.history.columns import ACTIONS
from tests.history.story import DIRECT, Story, delivered
from tests.stack.conftest import posix_only

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
    again = load(save(story.history, tmp_path / "h.npz"))
    assert again.carried_values == story.history.snapshot().carried_values
    assert len(again.carried_values) == 2


@st.composite
def histories(draw: Any) -> History:
    history = History(draw(TEXT), **draw(DETAIL.filter(lambda meta: "name" not in meta)))
    for _ in range(draw(st.integers(0, 12))):
        what = draw(st.sampled_from(["send", "complete", "receive", "event", "flow", "operation"]))
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
            history.expect(Registers(draw(TEXT), draw(TEXT)))
        elif what == "operation":
            op = history.invoke(
                draw(st.sampled_from(ACTIONS)), client=draw(TEXT), space=draw(TEXT),
                key=draw(TEXT), value=draw(TEXT), number=draw(st.integers(-9, 9)), at=draw(TIME),
            )  # fmt: skip
            if draw(st.booleans()):
                history.answered(op, "ok", value=None, error=draw(TEXT), at=draw(TIME))
        else:
            op = history.send(**common)
            if what == "complete":
                where = draw(st.sampled_from([{}, {"partition": partition, "offset": offset}]))
                status = draw(st.sampled_from(["ok", "fail", "unknown"]))
                history.complete(op, status, **where, error=draw(TEXT), at=draw(TIME))
    return history


def same(one: Snapshot, other: Snapshot) -> bool:
    for field in fields(Snapshot):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if hasattr(left, "__dataclass_fields__"):
            for column in fields(left):
                values = getattr(left, column.name), getattr(right, column.name)
                assert values[0].dtype == values[1].dtype, (field.name, column.name)
                floats = values[0].dtype.kind == "f"
                assert np.array_equal(*values, equal_nan=floats), (field.name, column.name)
        else:
            assert left == right, field.name
    return True


@settings(max_examples=40, deadline=None)
@given(histories())
def test_what_is_saved_is_read_back(tmp_path_factory: Any, history: History):
    path = tmp_path_factory.mktemp("histories") / "h.npz"
    assert save(history, path) == path
    assert same(history.snapshot(), load(path))
    assert same(load(path), load(save(load(path), path.with_name("again.npz"))))


def test_numpy_opens_the_columns(tmp_path):
    path = save(delivered("a", "b").history, tmp_path / "h.npz")
    with np.load(path) as columns:
        assert columns["sends.offset"].tolist() == [0, 1]


def test_it_is_exported_as_lines_in_the_order_of_time(tmp_path):
    story = Story().sent("a", offset=0, label="valid").received("a", offset=0).sent("b", None)
    story.history.event("fault", "broker stops", at=story.now - 0.0015)
    story.history.expect(DIRECT)
    op = story.history.invoke("write", client="c", space="s", key="k", value="v", at=story.now)
    story.history.answered(op, "fail", error="no room", at=story.now + 1)
    lines: list[str] = []
    export(save(story.history, tmp_path / "h.npz"), lines.append)
    header, *rest = [json.loads(line) for line in lines]
    assert header == {"name": "a story", "meta": {"seed": 1}}
    ops = ["expectation", "send", "event", "receive", "send", "write"]
    assert [line["op"] for line in rest] == ops
    assert rest[0]["model"] == "log"
    assert rest[1]["status"] == "ok" and rest[1]["label"] == "valid"
    assert "status" not in rest[-2]
    assert (rest[-1]["error"], rest[-1]["preview"]) == ("no room", "v")


def test_what_has_no_form_in_json_is_saved_as_text(tmp_path):
    history = History("h", where=Path("somewhere"))
    assert load(save(history, tmp_path / "h.npz")).meta == {"where": "somewhere"}


def test_what_clients_and_servers_said_is_cleaned(tmp_path):
    history = History("h")
    op = history.send(client="c", topic="t", ident="i", digest=1, preview="a secret",
                      carried=carried_digest({"field": "a secret"}))  # fmt: skip
    history.complete(op, "fail", error="secret refused")
    op = history.invoke("write", client="c", space="s", key="k", value="secret")
    history.answered(op, "fail", error="no secret")
    history.event("note", "the secret is out")
    clean = load(
        save(history, tmp_path / "h.npz", clean=lambda text: text.replace("secret", "***"))
    )
    told = (clean.previews, clean.errors, clean.operation_errors, clean.events,
            clean.carried_values)  # fmt: skip
    assert "secret" not in str(told) and str(told).count("***") == 6


@posix_only
def test_a_pipe_is_written_to_and_stays(tmp_path):
    """As ``/dev/null`` must: whoever saves as root would replace the machine's device."""
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    history = Story().sent("a").history
    save(history, pipe)
    reader.join(30)
    assert pipe.is_fifo() and [*tmp_path.iterdir()] == [pipe]
    assert read == [save(history, tmp_path / "file.npz").read_bytes()]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = save(delivered("a").history, tmp_path / "h.npz")
    before = path.read_bytes()
    broken = History()
    broken.meta = {("not", "a", "key"): 1}
    with pytest.raises(TypeError):
        save(broken, path)
    assert [file.name for file in tmp_path.iterdir()] == ["h.npz"]
    assert path.read_bytes() == before


def changed(path: Path, member: str, change: Callable[[bytes], bytes | None]) -> None:
    """One member of the archive changed, or left out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            content = change(content) if name == member else content
            if content is not None:
                archive.writestr(name, content)


def shorter(content: bytes) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.load(io.BytesIO(content))[:-1])
    return file.getvalue()


def other(values: list[int], kind: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        file = io.BytesIO()
        np.lib.format.write_array(file, np.array(values, dtype=kind))
        return file.getvalue()

    return change


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode())

    return change


@pytest.mark.parametrize(
    ("member", "change", "message"),
    [
        ("header.json", lambda content: None, "KeyError: .*header.json"),
        ("header.json", lambda content: b"{}", "KeyError: 'format'"),
        ("header.json", lambda content: b"[]", "TypeError"),
        ("header.json", lambda content: b"{", "JSONDecodeError"),
        ("header.json", replaced('"version":3', '"version":4'), "version 4 .* reads version 3"),
        ("header.json", replaced("stackproof-history", "other"), "format 'other'"),
        ("header.json", replaced('"sends":2', '"sends":3'), "not 3 rows"),
        ("tables.json", lambda content: None, "KeyError: .*tables.json"),
        ("tables.json", replaced('"idents"', '"names"'), "KeyError: 'idents'"),
        ("tables.json", replaced('"model":"log"', '"model":"cat"'), "unknown model: 'cat'"),
        ("tables.json", replaced('"order":"offset"', '"order":"up"'), "order is one of"),
        ("sends.at.npy", lambda content: None, "KeyError"),
        ("sends.at.npy", shorter, r"sends.at.npy has \(1,\) of float64, not 2 rows"),
        ("sends.at.npy", other([1, 2], "<i8"), "of int64"),
        ("sends.ident.npy", other([0, 2], "<i4"), "sends speaks of a ident"),
        ("sends.ident.npy", other([0, -1], "<i4"), "sends speaks of a ident"),
        ("sends.status.npy", other([0, 3], "u1"), "sends speaks of a status"),
        ("sends.transaction.npy", other([-1, 0], "<i4"), "sends speaks of a transaction"),
        ("receptions.poll.npy", other([-1, 0], "<i4"), "receptions speaks of a poll"),
    ],
)
def test_damage_is_named(tmp_path, member, change, message):
    story = delivered("a", "b")
    story.history.expect(DIRECT)
    path = save(story.history, tmp_path / "h.npz")
    changed(path, member, change)
    with pytest.raises(HistoryError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("keep", [0, 5, 60, -4])
def test_files_cut_short_are_refused(tmp_path, keep):
    path = save(delivered("a", "b").history, tmp_path / "h.npz")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(HistoryError, match="not a history, or a damaged one"):
        load(path)


def test_a_flipped_bit_is_found(tmp_path):
    path = save(delivered(*"abcdefgh").history, tmp_path / "h.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    with pytest.raises(HistoryError):
        load(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(HistoryError, match=r"cannot be read .*Check the path"):
        load(tmp_path / "missing.npz")
    file = tmp_path / "file"
    for content, message in (
        (b"not a zip at all", "not a history"),
        (gzip.compress(b"{}"), "version 1 or 2 .* Use the release"),
        (b'{"format":"stackproof-history","version":2}\n', "version 1 or 2"),
    ):
        file.write_bytes(content)
        with pytest.raises(HistoryError, match=message):
            load(file)


def test_recheck_gives_the_same_verdict_as_before(tmp_path):
    story = delivered("a", "b").sent("c", offset=2).received("a", offset=0)
    story.history.expect(DIRECT)
    path = save(story.history, tmp_path / "h.npz")
    before = check_flow(story.history, DIRECT)
    (after,) = recheck(path)
    assert after == before
    assert after.explain() == before.explain()


def test_render_check(tmp_path):
    clean, violating = delivered("a"), delivered("a").sent("b", offset=1)
    for story in (clean, violating):
        story.history.expect(DIRECT)
    text, ok = render_check(save(clean.history, tmp_path / "clean.npz"))
    assert ok
    assert text.startswith("a story: 1 send, 1 reception\n\nok  delivery: as expected")
    text, ok = render_check(save(violating.history, tmp_path / "violating.npz"))
    assert not ok
    assert "FAILED  delivery: 1 lost" in text


def test_a_history_without_expectations_does_not_pass(tmp_path):
    text, ok = render_check(save(delivered("a").history, tmp_path / "h.npz"))
    assert not ok
    assert "No expectations are remembered" in text
