"""The verdict on one flow: figures, anomalies, and explanations in plain text."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, get_args

import numpy as np

from stackproof.history.anomaly import (
    Anomaly,
    Severity,
    WitnessRecord,
    number,
    percentage,
    table,
)
from stackproof.history.books import FlowRecords
from stackproof.history.checks import CHECKS
from stackproof.history.columns import FAIL, OK, UNKNOWN, Snapshot
from stackproof.history.flow import Flow
from stackproof.history.lag import lag
from stackproof.history.record import History

NEIGHBOURHOOD = 1.0
"""Events this many seconds before and after a counterexample belong to its explanation."""
EVENTS_SHOWN = 8
_TELLS_MORE_OF = {"lost-write": "lost", "unseen": "lost", "stored-twice": "duplicated"}
"""Anomalies that say more about the messages of another one: told with it, where both are."""
_SEVERITIES = get_args(Severity)


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
class Verdict:
    """What checking one flow has shown.

    Attributes:
        flow: what was expected.
        figures: the counts.
        anomalies: what was found, violations first.
        events: faults and the like around the counterexamples, as lines of text.
        drained: whether a final drain of the received topic took place. Without one, that
            something was not seen is no proof that it is lost.
        prefix: what the names of the scenario's topics begin with; texts leave it out.
    """

    flow: Flow
    figures: Figures
    anomalies: tuple[Anomaly, ...]
    events: tuple[str, ...] = ()
    drained: bool = False
    prefix: str = ""

    @property
    def ok(self) -> bool:
        """Whether no expectation was violated; ask `conclusive` whether that says anything."""
        return not self.violations

    @property
    def conclusive(self) -> bool:
        """Whether enough was seen for a verdict; if not, "ok" says little."""
        return not self.inconclusive

    @property
    def inconclusive(self) -> str:
        """Why nothing was proved, in one sentence; empty if something was.

        Nothing was sent that could have been lost; or the final drain is missing that the
        flow asks for; or an anomaly was not found that the scenario provokes: then
        either the fault did not have its effect, or the checks are blind to it.
        """
        if not self.figures.acknowledged + self.figures.recovered:
            return "nothing was delivered that could be checked"
        if self.flow.drained and not self.drained:
            return f'no final drain of "{self.flow.received_topic}" took place'
        if self.missing:
            return f"expected, but not found: {', '.join(self.missing)}"
        return ""

    @property
    def outcome(self) -> str:
        """One word: "ok", "FAILED" or "INCONCLUSIVE"."""
        if not self.ok:
            return "FAILED"
        return "ok" if self.conclusive else "INCONCLUSIVE"

    @property
    def missing(self) -> tuple[str, ...]:
        """The anomalies that the flow expects and that were not found."""
        names = {found.name for found in self.anomalies}
        return tuple(name for name in self.flow.expected if name not in names)

    @property
    def violations(self) -> tuple[Anomaly, ...]:
        """The anomalies that violate the flow."""
        return tuple(found for found in self.anomalies if found.severity == "violation")

    @property
    def idents(self) -> dict[str, str]:
        """The idents in the counterexamples of violations, each with the anomaly's name."""
        marked: dict[str, str] = {}
        for anomaly in self.violations:
            for ident in anomaly.idents:
                marked.setdefault(ident, anomaly.name)
        return marked

    def anomaly(self, name: str) -> Anomaly | None:
        """Return the anomaly of this name, or None when it was not found."""
        return next((found for found in self.anomalies if found.name == name), None)

    def headline(self) -> str:
        """Return the verdict in one line."""
        figures = self.figures
        if self.violations:
            told = [found for found in self.violations if not self._more_of(found)]
            what = ", ".join(f"{found.count:,} {found.name}" for found in told)
            return f"{self.flow.name}: {what} ({number(figures.attempted, 'message')} sent)"
        if not self.conclusive:
            return f"{self.flow.name}: {self.inconclusive}"
        return (
            f"{self.flow.name}: as expected, {figures.arrived:,} of "
            f"{number(figures.acknowledged, 'acknowledged message')} arrived"
        )

    def explain(self) -> str:
        """Return the verdict as plain text: counts, figures, and all counterexamples kept."""
        return self._told(whole=True)

    def brief(self) -> str:
        """Return the verdict as plain text: all counts, and of each violation one counterexample.

        It is short whatever was found: about ten lines, and some five for each violation.
        """
        return self._told(whole=False)

    def _told(self, *, whole: bool) -> str:
        main = [found for found in self.anomalies if not self._more_of(found)]
        lines = [self.headline(), ""]
        for anomaly in main:
            lines.append(f"{_mark(anomaly)}: {anomaly.summary}")
            # Beside what is certain, what may be says nothing more.
            lines += [
                f"  {found.name}: {found.summary}"
                for found in self.anomalies
                if self._more_of(found) is anomaly and found.severity == anomaly.severity
            ]
        lines += [""] * bool(main)
        lines += self._counts()
        left_out = 0
        for anomaly in main:
            shown = self._records(anomaly) if whole else anomaly.witness[: anomaly.example]
            if not shown or not (whole or anomaly.severity == "violation"):
                continue
            left_out += len(anomaly.witness) - len(shown)
            title = _mark(anomaly) if whole else f"{_mark(anomaly)}, for example"
            body = table(self._renamed(shown), contents=self.flow.content == "bytes")
            lines += ["", f"{title}:", *("  " + line for line in body)]
        if left_out and not whole:
            lines += ["", 'more of them: see the attachment "counterexamples"']
        if self.events:
            lines += ["", "Meanwhile:", *("  " + event for event in self.events)]
        return self._without_prefix("\n".join(lines))

    def _counts(self) -> list[str]:
        figures, flow = self.figures, self.flow
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
        if self.drained or flow.drained:
            lines.append(f"  final drain: {'yes' if self.drained else 'none'}")
        if figures.lag_worst is not None:
            lines.append(
                f"  lag: {figures.lag_worst:.3f} s at worst, "
                f"{number(figures.lag_final, 'message')} at the end"
            )
        if self.prefix:
            lines.append(f"  names of topics are shown without {self.prefix!r}")
        return lines

    def _more_of(self, anomaly: Anomaly) -> Anomaly | None:
        """Return the anomaly with which this one is told, as it is about the same messages."""
        told_with = self.anomaly(_TELLS_MORE_OF.get(anomaly.name, ""))
        if told_with is None or (anomaly.severity, told_with.severity) == ("violation", "allowed"):
            return None
        return told_with

    def _records(self, anomaly: Anomaly) -> list[WitnessRecord]:
        """Return the records of an anomaly and of those told with it, none listed twice."""
        of_all = [anomaly, *(one for one in self.anomalies if self._more_of(one) is anomaly)]
        records: dict[tuple[Any, ...], WitnessRecord] = {}
        for one in (record for found in of_all for record in found.witness):
            key = (one.what.startswith("received"), one.client, one.position, one.at, one.ident)
            records.setdefault(key, one)
        return list(records.values())

    def _renamed(self, records: Iterable[WitnessRecord]) -> list[WitnessRecord]:
        return [replace(one, topic=one.topic.removeprefix(self.prefix)) for one in records]

    def _without_prefix(self, text: str) -> str:
        if not self.prefix:
            return text
        topics = {self.flow.sent_topic, self.flow.received_topic, *self.flow.exclusive_topics}
        for topic in topics:
            text = text.replace(f'"{topic}"', f'"{topic.removeprefix(self.prefix)}"')
        return text

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data for JSON."""
        return {
            "flow": self.flow.as_dict(),
            "ok": self.ok,
            "conclusive": self.conclusive,
            "inconclusive": self.inconclusive,
            "missing": list(self.missing),
            "drained": self.drained,
            "figures": {**asdict(self.figures), "success_rate": self.figures.success_rate},
            "anomalies": [anomaly.as_dict() for anomaly in self.anomalies],
            "events": list(self.events),
        }


def _mark(anomaly: Anomaly) -> str:
    return anomaly.name.upper() if anomaly.severity == "violation" else anomaly.name


def check_flow(history: History | Snapshot, flow: Flow) -> Verdict:
    """Check a history against the expectations of one flow.

    Raises:
        ValueError: the flow allows or expects an anomaly that nobody knows, or expects one
            that is not looked for in such a flow.
    """
    for name in (*flow.allowed, *flow.expected):
        if name not in CHECKS:
            raise ValueError(f"unknown anomaly: {name}; known: {', '.join(CHECKS)}")
        if name in flow.expected and not CHECKS[name].applies(flow):
            raise ValueError(f"expected, but not looked for: {name}; see the flow's other fields")
    snapshot = history.snapshot() if isinstance(history, History) else history
    records = FlowRecords(snapshot, flow)
    made = [check.find(records) for check in CHECKS.values() if check.applies(flow)]
    found = [_judged(one, flow) for one in made if one.count]
    found.sort(key=lambda one: _SEVERITIES.index(one.severity))
    return Verdict(
        flow,
        _figures(records, found),
        tuple(found),
        _events_around(snapshot, found),
        drained=bool(records.log.drains),
        prefix=str(snapshot.meta.get("prefix", "")),
    )


def _judged(anomaly: Anomaly, flow: Flow) -> Anomaly:
    """Return the anomaly, allowed where the flow allows it."""
    why = flow.allows(anomaly.name)
    if not why or anomaly.severity != "violation":
        return anomaly
    if anomaly.name in ("duplicated", "stored-twice") and 0 < flow.max_duplicates < anomaly.count:
        return anomaly  # however much is allowed, it is bounded
    return replace(anomaly, severity="allowed", summary=f"({why}) {anomaly.summary}")


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


def _events_around(snapshot: Snapshot, found: Iterable[Anomaly]) -> tuple[str, ...]:
    times = [r.at for one in found if one.severity == "violation" for r in one.witness]
    if not times:
        return ()
    times += [event.at for event in snapshot.events if event.kind == "death"]
    first, last = min(times) - NEIGHBOURHOOD, max(times) + NEIGHBOURHOOD
    near = sorted(
        (
            event
            for event in snapshot.events
            if event.at <= last and (event.at if event.until is None else event.until) >= first
        ),
        key=lambda event: event.at,
    )
    told = []
    for event in near[:EVENTS_SHOWN]:
        until = "" if event.until is None else f" to +{event.until - snapshot.start:.3f} s"
        told.append(f"+{event.at - snapshot.start:.3f} s{until}  {event.kind}: {event.text}")
    if len(near) > EVENTS_SHOWN:
        told.append(f"and {number(len(near) - EVENTS_SHOWN, 'event')} more")
    return tuple(told)
