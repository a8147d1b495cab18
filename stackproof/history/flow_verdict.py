"""The verdict on one flow of messages: its figures, and how they are told."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from stackproof.history.anomaly import Anomaly, number, percentage
from stackproof.history.books import FlowRecords
from stackproof.history.checks import CHECKS
from stackproof.history.columns import FAIL, OK, UNKNOWN, Snapshot
from stackproof.history.flow import Flow
from stackproof.history.lag import lag
from stackproof.history.looked_for import asked
from stackproof.history.record import History
from stackproof.history.verdict import Verdict, events_around, judged


@dataclass(frozen=True)
class Figures:
    """The counts of one flow.

    attempted = acknowledged + failed + unknown. `distinct` counts idents received,
    `recovered` unknown sends and `visible_failed` failed ones that were seen, `redelivered`
    receptions from a position that had been received before. `lag_worst` (seconds; None: not
    known) and `lag_final` (messages) are those of `lag.Lag`. The other fields are the counts of
    the anomalies of the same names; those of all anomalies found are in `found`.
    """

    attempted: int
    acknowledged: int
    failed: int
    unknown: int
    received: int
    distinct: int
    recovered: int
    visible_failed: int
    lost: int
    duplicated: int
    unexpected: int
    corrupted: int
    reordered: int
    inconsistent_offsets: int
    conflicting_outcomes: int
    misrouted: int
    gap_at_resume: int
    overlap_at_resume: int
    stored_twice: int = 0
    redelivered: int = 0
    lag_worst: float | None = None
    lag_final: int = 0
    outstanding: int = 0
    found: Mapping[str, int] = field(default_factory=dict)

    @property
    def arrived(self) -> int:
        """How many acknowledged sends were seen ("ok" in Jepsen's total-queue)."""
        return self.acknowledged - self.lost - self.outstanding

    @property
    def success_rate(self) -> float:
        """Which fraction (0..1) of the acknowledged sends has arrived; 1 if there were none."""
        return self.arrived / self.acknowledged if self.acknowledged else 1.0


@dataclass(frozen=True)
class FlowVerdict(Verdict):
    """What checking one flow has shown.

    Attributes:
        figures: the counts.
        drained: whether a final drain of the received topic took place. Without one, that
            something was not seen is no proof that it is lost.
    """

    figures: Figures = field(kw_only=True)
    drained: bool = False

    @property
    def flow(self) -> Flow:
        """What was expected."""
        assert isinstance(self.expectation, Flow)
        return self.expectation

    @property
    def _compares_bytes(self) -> bool:
        return self.flow.content == "bytes"

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data for JSON."""
        figures = {**asdict(self.figures), "success_rate": self.figures.success_rate}
        return {**super().as_dict(), "drained": self.drained, "figures": figures}


def _counts(flow: Flow, figures: Figures, *, drained: bool) -> tuple[str, ...]:
    extra = "".join(
        f", {count:,} {text}"
        for count, text in (
            (figures.duplicated, "too many"),
            (figures.recovered, "with unknown outcome"),
            (figures.visible_failed, "reported as failed"),
        )
        if count
    )
    lines = [
        f'  sent to "{flow.sent_topic}": {figures.attempted:,} '
        f"({figures.acknowledged:,} acknowledged, {figures.failed:,} failed, "
        f"{figures.unknown:,} unknown)",
        f'  received from "{flow.received_topic}": {figures.received:,} '
        f"({number(figures.distinct, 'different message')}{extra})",
        f"  arrived: {percentage(figures.success_rate)} of the acknowledged",
    ]
    if drained or flow.drained:
        lines.append(f"  final drain: {'yes' if drained else 'none'}")
    if figures.lag_worst is not None:
        lines.append(
            f"  lag: {figures.lag_worst:.3f} s at worst, "
            f"{number(figures.lag_final, 'message')} at the end"
        )
    return tuple(lines)


def _unproved(flow: Flow, figures: Figures, *, drained: bool) -> str:
    if not figures.acknowledged + figures.recovered:
        return "nothing was delivered that could be checked"
    if flow.drained and not drained:
        return f'no final drain of "{flow.received_topic}" took place'
    return ""


def check_flow(history: History | Snapshot, flow: Flow) -> FlowVerdict:
    """Check a history against the expectations of one flow.

    Raises:
        ValueError: the flow allows or expects an anomaly that nobody knows, or expects one
            that is not looked for in such a flow.
    """
    checks = asked(CHECKS, flow)
    snapshot = history.snapshot() if isinstance(history, History) else history
    records = FlowRecords(snapshot, flow)
    found = judged((check.find(records) for check in checks), flow)
    figures, drained = _figures(records, found), bool(records.log.drains)
    return FlowVerdict(
        flow,
        found,
        _counts(flow, figures, drained=drained),
        f"{number(figures.attempted, 'message')} sent",
        f"{figures.arrived:,} of {number(figures.acknowledged, 'acknowledged message')} arrived",
        _unproved(flow, figures, drained=drained),
        events_around(snapshot, found),
        str(snapshot.meta.get("prefix", "")),
        figures=figures,
        drained=drained,
    )


def _figures(records: FlowRecords, found: Iterable[Anomaly]) -> Figures:
    counts = {anomaly.name: anomaly.count for anomaly in found}
    behind = lag(records)
    status, books = records.snapshot.status[records.sends], records.books
    return Figures(
        attempted=len(records.sends),
        acknowledged=int(np.count_nonzero(status == OK)),
        failed=int(np.count_nonzero(status == FAIL)),
        unknown=int(np.count_nonzero(status == UNKNOWN)),
        received=len(records.receptions),
        distinct=int(np.count_nonzero(records.receptions_by_ident)),
        recovered=int(books.recovered.sum()),
        visible_failed=int(books.visible_failed.sum()),
        **{
            name: counts.get(name.replace("_", "-"), 0)
            for name in (
                "lost",
                "outstanding",
                "duplicated",
                "unexpected",
                "corrupted",
                "reordered",
                "inconsistent_offsets",
                "conflicting_outcomes",
                "misrouted",
                "gap_at_resume",
                "overlap_at_resume",
                "stored_twice",
            )
        },
        redelivered=len(records.receptions) - len(records.stored),
        lag_worst=behind.worst,
        lag_final=behind.final,
        found=counts,
    )
