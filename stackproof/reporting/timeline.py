"""A picture of one scenario: what was sent and received where, and what happened meanwhile.

Time runs to the right; each partition of each topic has a lane, in which sends stand
above the line and receptions below. A few records are drawn one by one, joined by a
line from the send to the reception; many as bars of records per second. Colours are
those of Okabe and Ito, which colour-blind readers can tell apart; shapes differ too.
"""

import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stackproof.history import Event, Expectation, Flow, History, Snapshot, check
from stackproof.history import lanes as layout
from stackproof.history.columns import Array
from stackproof.history.lanes import Points
from stackproof.texts import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

WIDTH, DPI = 12.0, 100
"""Inches and dots per inch: 1,200 pixels."""
MOST_LANES, MOST_LINES, MOST_EVENTS, EVENT_ROWS, BINS = 20, 80, 40, 5, 200
MOST_MARKS = 150
"""A kind of record with more than this many in one lane is drawn as bars."""
MOST_REMARKED = 110
"""Characters of remarks in one line."""
MOST_LABELS = 4
"""So many counterexamples of an anomaly are labelled one by one; of more, the first."""
WITNESS, FAULT, FAULT_TEXT, QUIET = "#c00000", "#e69f00", "#8a5a00", "#666666"
#: Events that explain most: colours of line and label.
GRAVE = {"fault": (FAULT, FAULT_TEXT), "death": (WITNESS, WITNESS)}


@dataclass(frozen=True)
class Kind:
    """How one kind of record is drawn; `height` is above (or below) its lane's line."""

    name: str
    color: str
    marker: str
    height: float
    outlined: bool = False


KINDS = {
    layout.SENT: Kind("sent, acknowledged", "#0072b2", "o", 0.18),
    layout.OPEN: Kind("sent, outcome unknown", "#444444", "D", 0.3, outlined=True),
    layout.FAILED: Kind("send failed", "#d55e00", "x", 0.42, outlined=True),
    layout.RECEIVED: Kind("received", "#009e73", "v", -0.2),
    layout.SET_ASIDE: Kind("dead-lettered", "#cc79a7", "s", -0.2),
    layout.CHANGED: Kind("changed, acknowledged", "#0072b2", "o", 0.18),
    layout.CHANGE_OPEN: Kind("change, outcome unknown", "#444444", "D", 0.3, outlined=True),
    layout.CHANGE_FAILED: Kind("change failed", "#d55e00", "x", 0.42, outlined=True),
    layout.READ: Kind("read", "#009e73", "v", -0.2),
}
HEIGHTS = np.array([kind.height for kind in KINDS.values()])


@dataclass
class Canvas:
    """The figure while it is being drawn, the places its texts have taken, and remarks."""

    figure: "Figure"
    lanes: "Axes"
    strip: "Axes"
    renderer: Any
    taken: list["Bbox"] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def fits(self, text: Any, within: "Axes") -> bool:
        """Take the place of a text if it is free and inside; say whether it was."""
        box = text.get_window_extent(self.renderer).padded(2)
        frame = within.get_window_extent(self.renderer).padded(4)
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
        inside = inside and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if not inside or any(box.overlaps(other) for other in self.taken):
            return False
        self.taken.append(box)
        return True


def render_timeline(
    history: History | Snapshot,
    path: Path,
    *,
    title: str = "",
    expectations: Sequence[Expectation] = (),
    highlight: Iterable[str] | Mapping[str, str] | None = None,
    moments: Collection[float] = (),
) -> Path:
    """Draw a history as a PNG of 1,200 pixels width and return its path.

    Args:
        history: what to draw.
        path: the file to write.
        title: what stands above the picture; the history's name if empty.
        expectations: what was expected. Flows give the topics their order and tell which topics
            set messages aside.
        highlight: idents to mark, or idents with a word for each, such as "lost"; None:
            those in the counterexamples of violations.
        moments: when the operations to mark began, of keys that are marked; none: all of them.

    Raises:
        OSError: the file cannot be written.
    """
    snapshot = history.snapshot() if isinstance(history, History) else history
    marked: dict[str, str] = {}
    if isinstance(highlight, Mapping):
        marked = dict(highlight)
    elif highlight is not None:
        marked = dict.fromkeys(highlight, "")
    else:
        for one in expectations:
            verdict = check(snapshot, one)
            marked = {**verdict.idents, **marked}
            moments = {*moments, *verdict.moments}

    with warnings.catch_warnings():
        # A character that the font lacks is drawn as a box: no reason for noise.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas = _canvas(snapshot)
        flows = [one for one in expectations if isinstance(one, Flow)]
        points = layout.points(snapshot, flows, MOST_LANES)
        y = HEIGHTS[points.kind] - points.lane
        rows = _draw_events(canvas, snapshot)
        _arrange(canvas, points, title or snapshot.name, rows)
        counts = _draw_points(canvas, points, y)
        _draw_lines(canvas, points, y, len(snapshot.idents))
        _draw_bars_of_time(canvas, points)
        _draw_witness(canvas, points, y, marked, moments)
        _draw_legend(canvas, snapshot, counts, bool(marked))
        canvas.figure.canvas.print_png(str(path))  # type: ignore[attr-defined]
    return path


def _short(text: str, limit: int) -> str:
    """Return a text that fits on one line, cut in the middle: names differ at their ends."""
    text = "".join(c if c.isprintable() else "·" for c in " ".join(text.split()))
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-(limit // 2) :]}"
    return text.replace("$", r"\$")


def _canvas(snapshot: Snapshot) -> Canvas:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 6), dpi=DPI, facecolor="white")
    renderer = FigureCanvasAgg(figure).get_renderer()
    lanes = figure.add_axes((0.2, 0.2, 0.78, 0.5))
    strip = figure.add_axes((0.2, 0.7, 0.78, 0.2), sharex=lanes)
    strip.axis("off")
    duration = snapshot.end - snapshot.start
    margin = 0.02 * duration or 0.05
    lanes.set_xlim(-margin, duration + margin)
    lanes.tick_params(labelsize=9, length=3)
    lanes.grid(axis="x", color="#dddddd", linewidth=0.7)
    lanes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        lanes.spines[side].set_visible(False)
    if snapshot.start:
        begin = datetime.fromtimestamp(snapshot.start, UTC)
        text = begin.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
        lanes.set_xlabel(f"seconds after {text} UTC", fontsize=9, loc="left")
    return Canvas(figure, lanes, strip, renderer)


def _arrange(canvas: Canvas, points: Points, title: str, event_rows: int) -> None:
    """Give the picture its size, and the lanes their names and backgrounds."""
    labels = _lane_labels(canvas, points)
    lanes = max(len(labels), 2)
    body = lanes * (0.62 if lanes <= 6 else 0.46)
    strip, top, bottom = 0.2 * event_rows, 0.45, 0.98
    height = bottom + body + strip + top
    left = max([0.3, *(0.25 + 0.072 * len(label) for label in labels)]) / WIDTH
    canvas.figure.set_size_inches(WIDTH, height)
    canvas.lanes.set_position((left, bottom / height, 0.985 - left, body / height))
    frame = (left, (bottom + body) / height, 0.985 - left, max(strip, 0.01) / height)
    canvas.strip.set_position(frame)
    canvas.strip.set_ylim(0, max(event_rows, 1))
    canvas.taken.clear()
    canvas.figure.text(
        0.012, 1 - 0.12 / height, _short(title, 130), fontsize=12, va="top", weight="bold"
    )
    canvas.lanes.set_ylim(0.5 - lanes, 0.5)
    canvas.lanes.set_yticks([-i for i in range(len(labels))], labels)
    topics = list(dict.fromkeys(topic for topic, _ in points.lanes))
    for i, (topic, _) in enumerate(points.lanes):
        if topics.index(topic) % 2:
            canvas.lanes.axhspan(-i - 0.5, -i + 0.5, color="#f4f4f4", zorder=0, linewidth=0)
        canvas.lanes.axhline(-i, color="#c8c8c8", linewidth=0.6, zorder=1)


def _lane_labels(canvas: Canvas, points: Points) -> list[str]:
    topics = list(dict.fromkeys(topic for topic, _ in points.lanes))
    names, left_out = layout.short_names(topics, points.prefix)
    canvas.remarks += [f'topics\' names without "{_short(part, 30)}"' for part in left_out]
    if points.again:
        canvas.remarks.append(f"not drawn: {points.again:,} read again by final drains")
    if points.hidden:
        canvas.remarks.append(f"{counted(points.hidden, 'more topic')} not shown")
    return points.labels({topic: _short(name, 40) for topic, name in names.items()})


def _draw_events(canvas: Canvas, snapshot: Snapshot) -> int:
    """Draw events with labels above the lanes; return how many rows the labels take."""
    # Labels stand right of their moment. Placed from the last to the first, none is in
    # the way of the line from another one down to its moment. Faults come first.
    canvas.strip.set_ylim(0, EVENT_ROWS)
    events = sorted(snapshot.events, key=lambda event: (event.kind not in GRAVE, -event.at))
    rows, unlabelled = 0, 0
    for number, event in enumerate(events):
        begin = event.at - snapshot.start
        color = _draw_span(canvas, event, begin, snapshot)
        row = _label_event(canvas, event, begin, color) if number < MOST_EVENTS else 0
        rows, unlabelled = max(rows, row), unlabelled + (row == 0)
    if unlabelled:
        canvas.remarks.append(f"{counted(unlabelled, 'event')} without a label")
    return rows


def _draw_span(canvas: Canvas, event: Event, begin: float, snapshot: Snapshot) -> str:
    """Draw when an event happened and return the colour of its label."""
    grave = event.kind in GRAVE
    line, label = GRAVE.get(event.kind, ("#777777", "#444444"))
    if event.until is not None:
        color, alpha = (line, 0.22) if grave else ("#999999", 0.15)
        end = event.until - snapshot.start
        canvas.lanes.axvspan(begin, end, color=color, alpha=alpha, linewidth=0, zorder=0.5)
    style = "-" if grave else "--" if event.kind in ("start", "stop") else ":"
    width = 1.4 if grave else 1.0
    canvas.lanes.axvline(begin, color=line, linewidth=width, linestyle=style, zorder=1.5)
    return label


def _label_event(canvas: Canvas, event: Event, begin: float, color: str) -> int:
    """Put the event's label into the first row where it fits; return which (0: nowhere)."""
    text = canvas.strip.annotate(
        _short(f"{event.kind}: {event.text}", 48), (begin, 0.5), xytext=(3, 0),
        textcoords="offset points", fontsize=8, color=color, va="center", zorder=3,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip
    right = canvas.strip.get_window_extent(canvas.renderer).x1
    if text.get_window_extent(canvas.renderer).x1 > right:
        text.set_horizontalalignment("right")
        text.set_position((-3, 0))
    for row in range(1, EVENT_ROWS + 1):
        text.xy = (begin, row - 0.5)
        if canvas.fits(text, canvas.strip):
            canvas.strip.plot([begin, begin], [0, row - 0.1], color=color, linewidth=0.6)
            return row
    text.remove()
    return 0


def _draw_points(canvas: Canvas, points: Points, y: Array) -> Counter[Kind]:
    """Draw all records; return how many there are of each kind."""
    if not points.lanes:
        what = "No messages were recorded" if canvas.lanes.lines else "Nothing was recorded"
        canvas.lanes.text(
            0.5, 0.5, what, transform=canvas.lanes.transAxes, ha="center", va="center",
            fontsize=14, color=QUIET,
        )  # fmt: skip
        if not canvas.lanes.lines:
            canvas.lanes.xaxis.set_visible(False)
    counts: Counter[Kind] = Counter()
    edges = np.linspace(*canvas.lanes.get_xlim(), BINS + 1)
    bars: dict[Kind, Array] = {}
    for number, kind in KINDS.items():
        rows = np.flatnonzero(points.kind == number)
        counts[kind] = len(rows)
        if np.bincount(points.lane[rows], minlength=1).max() > MOST_MARKS:
            bin_of = np.clip(np.searchsorted(edges, points.x[rows], side="right") - 1, 0, BINS - 1)
            cells = np.bincount(
                points.lane[rows] * BINS + bin_of, minlength=BINS * len(points.lanes)
            )
            bars[kind] = cells.reshape(len(points.lanes), BINS)
        elif len(rows):
            canvas.lanes.scatter(
                points.x[rows], y[rows], marker=kind.marker, s=40 if len(points.x) < 200 else 22,
                linewidths=1.2 if kind.outlined else 0,
                facecolors=kind.color if kind.marker == "x" or not kind.outlined else "none",
                edgecolors=None if kind.marker == "x" else kind.color, alpha=0.85, zorder=3,
            )  # fmt: skip
    if bars:
        stacks = [[b for kind, b in bars.items() if kind.height * s > 0] for s in (1, -1)]
        highest = max(np.sum(stack, axis=0).max() for stack in stacks if stack)
        rate = highest / (edges[1] - edges[0])
        canvas.remarks.append(f"bars: records per second, square-root scale up to {rate:,.0f}")
        _draw_bars(canvas, bars, edges, highest)
    return counts


def _draw_bars(canvas: Canvas, bars: Mapping[Kind, Array], edges: Array, highest: float) -> None:
    """Draw records per time as heights, those of one side of a lane stacked."""
    from matplotlib.collections import PolyCollection

    x = np.repeat(edges, 2)[1:-1]
    around = np.concatenate([x, x[::-1]])
    for side in (1, -1):
        below = np.zeros_like(next(iter(bars.values())), dtype=float)
        total = below
        for kind, heights in bars.items():
            if kind.height * side < 0:
                continue
            total = total + heights
            # What is there at all is to be seen.
            least = below + np.where(heights > 0, 0.12, 0)
            above = np.maximum(np.sqrt(total / highest), least)
            outlines = []
            for lane in np.flatnonzero(heights.any(axis=1)).tolist():
                top, base = np.repeat(above[lane], 2), np.repeat(below[lane], 2)[::-1]
                y = 0.42 * side * np.concatenate([top, base]) - lane
                outlines.append(np.column_stack([around, y]))
            below = above
            canvas.lanes.add_collection(
                PolyCollection(outlines, facecolors=kind.color, linewidths=0, alpha=0.9, zorder=2),
                autolim=False,
            )


def _draw_bars_of_time(canvas: Canvas, points: Points) -> None:
    """Draw how long locks were held, and transactions took."""
    from matplotlib.collections import LineCollection

    lines = [[(begin, -lane), (end, -lane)] for lane, begin, end in points.bars]
    if lines:
        canvas.lanes.add_collection(
            LineCollection(lines, colors="#56b4e9", linewidths=5, alpha=0.6, zorder=1.8),
            autolim=False,
        )
        canvas.remarks.append("bars along a lane: locks held, transactions")


def _draw_lines(canvas: Canvas, points: Points, y: Array, messages: int) -> None:
    """Join each send with the receptions of the same message, if there are few."""
    from matplotlib.collections import LineCollection

    of_messages = points.ident < messages
    sends = np.flatnonzero((HEIGHTS[points.kind] > 0) & of_messages)
    receptions = np.flatnonzero((HEIGHTS[points.kind] < 0) & of_messages)
    if max(len(sends), len(receptions)) > MOST_LINES:
        return
    lines = []
    for row in receptions.tolist():
        same = sends[points.ident[sends] == points.ident[row]]
        for send in same[points.x[same] <= points.x[row]][-1:].tolist():
            lines.append([(points.x[send], y[send]), (points.x[row], y[row])])
    canvas.lanes.add_collection(
        LineCollection(lines, colors="#888888", linewidths=0.6, alpha=0.7, zorder=2),
        autolim=False,
    )


def _draw_witness(
    canvas: Canvas,
    points: Points,
    y: Array,
    marked: Mapping[str, str],
    moments: Collection[float] = (),
) -> None:
    """Mark the records of these idents with rings, and the first ones with labels."""
    word = {code: marked[name] for code, name in enumerate(points.names) if name in marked}
    chosen = np.isin(points.ident, list(word))
    if moments:
        of_messages = points.kind < layout.CHANGED
        chosen &= of_messages | np.isin(points.at, list(moments))
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(points.x[rows], kind="stable")]
    canvas.lanes.scatter(
        points.x[rows], y[rows], s=90, facecolors="none", edgecolors=WITNESS, linewidths=1.6,
        zorder=5,
    )  # fmt: skip
    first = dict(zip(points.ident[rows[::-1]].tolist(), rows[::-1].tolist(), strict=True))
    groups: dict[str, list[int]] = {}
    for code in sorted(first, key=lambda code: first[code]):
        groups.setdefault(word[code], []).append(code)
    for kind, codes in groups.items():
        labelled = codes if len(codes) <= MOST_LABELS else codes[:1]
        for code in labelled:
            more = " and others" if len(labelled) < len(codes) else ""
            text = f"{kind}: " * bool(kind) + _short(points.names[code], 28) + more
            _label_record(canvas, float(points.x[first[code]]), float(y[first[code]]), text)


def _label_record(canvas: Canvas, x: float, y: float, label: str) -> None:
    """Put a label beside a record, where there is room."""
    for up in (6, -15, 19, -28, 32, -41):
        for side, right in (("left", 9), ("right", -9)):
            text = canvas.lanes.annotate(
                label, (x, y), xytext=(right, up), textcoords="offset points", fontsize=8,
                color=WITNESS, ha=side, zorder=6,
                bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
            if canvas.fits(text, canvas.lanes):
                return
            text.remove()


def _draw_legend(canvas: Canvas, snapshot: Snapshot, counts: Counter[Kind], witness: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def mark(label: str, marker: str, color: str, size: float, outlined: bool) -> Line2D:
        return Line2D(
            [], [], linestyle="none", marker=marker, color=color, markersize=size, label=label,
            markerfacecolor="none" if outlined else color, markeredgewidth=1.5 * outlined,
        )  # fmt: skip

    handles: list[Any] = [
        mark(f"{kind.name} ({counts[kind]:,})", kind.marker, kind.color, 6, kind.outlined)
        for kind in KINDS.values()
        if counts[kind]
    ]
    kinds = {event.kind for event in snapshot.events}
    if "fault" in kinds:
        handles.append(Patch(facecolor=FAULT, alpha=0.4, label="fault"))
    if "death" in kinds:
        handles.append(Line2D([], [], color=WITNESS, label="death of a program"))
    if kinds & {"start", "stop"}:
        handles.append(Line2D([], [], color="#777777", linestyle="--", label="start, stop"))
    if kinds - {"fault", "death", "start", "stop"}:
        handles.append(Line2D([], [], color="#777777", linestyle=":", label="other event"))
    if witness:
        handles.append(mark("counterexample", "o", WITNESS, 9, True))
    canvas.figure.legend(
        handles=handles, loc="lower center", ncols=len(handles) if len(handles) < 7 else 4,
        fontsize=9, frameon=False, handletextpad=0.4, columnspacing=1.6, borderaxespad=0.2,
    )  # fmt: skip
    canvas.figure.text(
        0.985, 0.6 / canvas.figure.get_figheight(), _in_lines(canvas.remarks), ha="right",
        va="center", fontsize=8, color=QUIET,
    )  # fmt: skip


def _in_lines(remarks: Sequence[str]) -> str:
    """Remarks in as many lines as leave room for the axis's name beside them."""
    lines = [""]
    for remark in remarks:
        longer = f"{lines[-1]}; {remark}".removeprefix("; ")
        if len(longer) > MOST_REMARKED and lines[-1]:
            lines.append(remark)
        else:
            lines[-1] = longer
    return "\n".join(lines)
