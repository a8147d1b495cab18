"""Timeline pictures: what can be said of them without looking."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from stackproof.history import Flow, History, Locks, check
from stackproof.reporting import timeline
from stackproof.reporting.timeline import render_timeline

FLOW = Flow(
    "customers become predictions", "customers", "predictions", exclusive_topics=("dead-letters",)
)
START = 1_700_000_000.0
#: Operations on keys have the same colours.
MESSAGES = list(timeline.KINDS.values())[:5]


def scenario(size: int, *, lost: tuple[int, ...] = ()) -> History:
    history = History(f"{size} customers")
    for i in range(size):
        common = {"ident": f"C-{i}", "digest": i}
        at = START + i * 0.01
        op = history.send(client="p", topic="customers", at=at, **common)
        status = "fail" if i % 10 == 9 else "unknown" if i % 10 == 8 else "ok"
        where = {"partition": i % 2, "offset": i // 2} if status == "ok" else {}
        history.complete(op, status, at=at + 0.001, **where)
        if status == "ok" and i not in lost:
            topic = "dead-letters" if i % 10 == 7 else "predictions"
            history.receive(
                client="c", topic=topic, partition=i % 2, offset=i // 2, at=at + 0.02, **common
            )
    return history


def colours(path: Path) -> np.ndarray:
    return (imread(path)[:, :, :3] * 255).round().astype(int).reshape(-1, 3)


def has(path: Path, colour: str) -> bool:
    """Whether some pixels show this colour, as it is or let through by marks or bars."""
    full = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    blends = [255 - opacity * (255 - full) for opacity in (1.0, 0.9, 0.85, 0.4)]
    pixels = colours(path)
    return any((np.abs(pixels - blend).max(axis=1) < 4).sum() > 8 for blend in blends)


@pytest.mark.parametrize("size", [1, 5, 60, 3_000])
def test_a_picture_is_1200_pixels_wide_whatever_the_size(tmp_path, size):
    path = render_timeline(scenario(size), tmp_path / "t.png", expectations=[FLOW])
    assert path == tmp_path / "t.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    height, width = imread(path).shape[:2]
    assert width == 1200
    assert 150 < height < 1300


@pytest.mark.parametrize("size", [20, 5_000])
def test_every_kind_of_record_shows_in_its_colour(tmp_path, size):
    path = render_timeline(scenario(size), tmp_path / "t.png", expectations=[FLOW], highlight=())
    for kind in timeline.KINDS.values():
        assert has(path, kind.color), kind.name
    assert not has(path, timeline.WITNESS)


def test_what_was_not_recorded_does_not_show(tmp_path):
    history = History("one")
    op = history.send(client="p", topic="t", ident="a", digest=1, at=START)
    history.complete(op, "ok", partition=0, offset=0, at=START)
    path = render_timeline(history, tmp_path / "t.png")
    coloured = [kind for kind in MESSAGES if "unknown" not in kind.name]
    assert [kind.name for kind in coloured if has(path, kind.color)] == ["sent, acknowledged"]


@pytest.mark.parametrize("highlight", [["C-3"], {"C-3": "lost"}, None])
def test_witnesses_are_marked(tmp_path, highlight):
    history = scenario(20, lost=(3,))
    path = render_timeline(history, tmp_path / "t.png", expectations=[FLOW], highlight=highlight)
    assert has(path, timeline.WITNESS)


def test_faults_show(tmp_path):
    history = scenario(20)
    without = render_timeline(history, tmp_path / "without.png")
    history.event("fault", "broker 1 killed", at=START + 0.05, until=START + 0.1)
    path = render_timeline(history, tmp_path / "with.png")
    assert has(path, timeline.FAULT) and not has(without, timeline.FAULT)


def test_the_death_of_a_program_shows():
    history = History("a death")
    history.event("start", "demo-1 starts", at=START)
    history.event("death", "demo-1 was killed by SIGSEGV", at=START + 0.1)
    canvas = timeline._canvas(history.snapshot())
    timeline._draw_events(canvas, history.snapshot())
    texts = {text.get_text(): text.get_color() for text in canvas.strip.texts}
    assert texts["death: demo-1 was killed by SIGSEGV"] == timeline.WITNESS
    timeline._draw_legend(canvas, history.snapshot(), Counter(), False)
    (legend,) = canvas.figure.legends
    assert "death of a program" in [text.get_text() for text in legend.get_texts()]


def test_labels_do_not_overlap_and_all_lie_within_the_picture():
    history = scenario(20)
    for i in range(60):
        history.event("note", f"event number {i} of many", at=START + (i * 7 % 20) * 0.01)
    history.event("fault", "the one that matters", at=START + 0.1)
    snapshot = history.snapshot()
    canvas = timeline._canvas(snapshot)
    rows = timeline._draw_events(canvas, snapshot)
    texts = [text for text in canvas.strip.texts if text.get_text()]
    boxes = [text.get_window_extent(canvas.renderer) for text in texts]
    assert rows == timeline.EVENT_ROWS
    assert 5 < len(boxes) < 61
    assert "fault: the one that matters" in [text.get_text() for text in texts]
    assert any("without a label" in remark for remark in canvas.remarks)
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert box.x0 >= 0 and box.x1 <= 1200


def test_labels_of_witnesses_do_not_overlap():
    snapshot = scenario(20).snapshot()
    canvas = timeline._canvas(snapshot)
    points = timeline.layout.points(snapshot, [FLOW], timeline.MOST_LANES)
    timeline._arrange(canvas, points, "title", 0)
    y = timeline.HEIGHTS[points.kind] - points.lane
    marked = {f"C-{i}": "lost" for i in range(4)} | {f"C-{i}": "duplicated" for i in range(4, 14)}
    timeline._draw_witness(canvas, points, y, marked)
    texts = [text.get_text() for text in canvas.lanes.texts]
    assert texts == [
        "lost: C-0", "lost: C-1", "lost: C-2", "lost: C-3", "duplicated: C-4 and others",
    ]  # fmt: skip
    boxes = [text.get_window_extent(canvas.renderer) for text in canvas.lanes.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_sends_are_joined_with_their_receptions_only_if_few():
    def lines(size: int) -> int:
        snapshot = scenario(size).snapshot()
        canvas = timeline._canvas(snapshot)
        points = timeline.layout.points(snapshot, [FLOW], timeline.MOST_LANES)
        y = timeline.HEIGHTS[points.kind] - points.lane
        timeline._draw_lines(canvas, points, y, len(snapshot.idents))
        return sum(len(collection.get_paths()) for collection in canvas.lanes.collections)

    assert lines(10) == 8
    assert lines(timeline.MOST_LINES * 2) == 0


@pytest.mark.parametrize("events", [0, 1])
def test_an_empty_history_gives_a_picture_that_says_so(tmp_path, events):
    history = History("nothing")
    for _ in range(events):
        history.event("fault", "pause", at=START, until=START + 1)
    path = render_timeline(history, tmp_path / "t.png", expectations=[FLOW])
    assert imread(path).shape[1] == 1200
    assert (colours(path) < 140).all(axis=1).sum() > 100


@pytest.mark.parametrize("text", ["$a_b$ $", "日本語", "\x00\x1b[31m", "", "x" * 500, "a\nb"])
def test_any_text_can_be_drawn(tmp_path, text, recwarn):
    history = History(text)
    for topic in (text, "other"):
        history.receive(
            client=text, topic=topic, partition=0, offset=0, ident=text, digest=1, at=START
        )
    history.event(text, text, at=START)
    path = render_timeline(history, tmp_path / "t.png", title=text, highlight={text: text})
    assert path.exists()
    assert not list(recwarn)


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError):
        render_timeline(scenario(1), tmp_path / "missing" / "t.png")


def test_remarks_leave_room_for_the_name_of_the_axis():
    remarks = ['topics\' names without "stackproof-r22d58118-s001-"', "1 more topic is not shown",
               "not drawn: 6,075 read again by final drains",
               "bars: records per second, square-root scale up to 1,112"]  # fmt: skip
    lines = timeline._in_lines(remarks).splitlines()
    assert "; ".join(lines) == "; ".join(remarks)
    assert len(lines) == 2 and max(map(len, lines)) <= timeline.MOST_REMARKED
    assert timeline._in_lines([]) == ""


def test_of_a_key_only_the_operations_of_the_counterexample_are_marked(tmp_path: Path) -> None:
    history = History("a lock")
    for number, (client, at) in enumerate([("a", 0), ("b", 1), ("a", 2)], start=1):
        op = history.invoke("acquire", client=client, space="locks", key="k", number=number,
                            at=START + at)  # fmt: skip
        history.answered(op, "ok", at=START + at + 0.1)
        if number == 2:
            continue
        op = history.invoke("release", client=client, space="locks", key="k", at=START + at + 0.5)
        history.answered(op, "ok", at=START + at + 0.6)
    verdict = check(history, Locks("the lock", "locks"))
    assert verdict.moments == {START + 1, START + 2}
    points = timeline.layout.points(history.snapshot(), [], timeline.MOST_LANES)
    assert [(round(a, 1), round(b, 1)) for _, a, b in sorted(points.bars)] == [
        (0.1, 0.5), (1.1, 2.6), (2.1, 2.5),
    ]  # fmt: skip
    canvas = timeline._canvas(history.snapshot())
    y = timeline.HEIGHTS[points.kind] - points.lane
    timeline._draw_witness(canvas, points, y, verdict.idents, verdict.moments)
    (rings,) = canvas.lanes.collections
    assert rings.get_offsets()[:, 0].tolist() == pytest.approx([1.0, 2.0])
    render_timeline(history, tmp_path / "t.png", expectations=[verdict.expectation])
    assert has(tmp_path / "t.png", "#56b4e9")
