"""The verdict on one expectation: anomalies, and explanations in plain text."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, get_args

from stackproof.history.anomaly import Anomaly, Severity, WitnessRecord, number, table
from stackproof.history.columns import Snapshot
from stackproof.history.expectation import Expectation

NEIGHBOURHOOD = 1.0
"""Events this many seconds before and after a counterexample belong to its explanation."""
EVENTS_SHOWN = 8
_SEVERITIES = get_args(Severity)


@dataclass(frozen=True)
class Verdict:
    """What checking one expectation has shown.

    Attributes:
        expectation: what was expected.
        anomalies: what was found, violations first.
        counts: of the operations that were looked at, as lines of text.
        tried: how many there were, in a few words: "1,200 messages sent".
        fine: what there is to say when nothing was violated.
        unproved: why nothing was proved; empty if something was.
        events: faults and the like around the counterexamples, as lines of text.
        prefix: what the names of the scenario begin with; texts leave it out.
    """

    expectation: Expectation
    anomalies: tuple[Anomaly, ...]
    counts: tuple[str, ...]
    tried: str
    fine: str
    unproved: str = ""
    events: tuple[str, ...] = ()
    prefix: str = ""

    #: Anomalies that are about the same operations as another one: told with the first there is.
    tells_more_of: ClassVar[dict[str, tuple[str, ...]]] = {
        "lost-write": ("lost",),
        "unseen": ("lost",),
        "stored-twice": ("duplicated",),
        "not-linearizable": ("stale-read", "resurrected", "lost", "lost-update", "read-too-early"),
    }

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

        Nothing happened that could have gone wrong; or an anomaly was not found that the
        scenario provokes: then either the fault did not have its effect, or the checks are
        blind to it.
        """
        if self.unproved:
            return self.unproved
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
        """The anomalies that were expected and not found."""
        names = {found.name for found in self.anomalies}
        return tuple(name for name in self.expectation.expected if name not in names)

    @property
    def violations(self) -> tuple[Anomaly, ...]:
        """The anomalies that violate the expectation."""
        return tuple(found for found in self.anomalies if found.severity == "violation")

    @property
    def idents(self) -> dict[str, str]:
        """The idents in the counterexamples of violations, each with the anomaly's name."""
        marked: dict[str, str] = {}
        for anomaly in self.violations:
            for ident in anomaly.idents:
                marked.setdefault(ident, anomaly.name)
        return marked

    @property
    def moments(self) -> frozenset[float]:
        """When the operations on keys in these counterexamples began: a key has many others."""
        return frozenset(
            record.at for anomaly in self.violations for record in anomaly.witness if record.keyed
        )

    def anomaly(self, name: str) -> Anomaly | None:
        """Return the anomaly of this name, or None when it was not found."""
        return next((found for found in self.anomalies if found.name == name), None)

    def headline(self) -> str:
        """Return the verdict in one line."""
        name = self.expectation.name
        if self.violations:
            told = [found for found in self.violations if not self._more_of(found)]
            what = ", ".join(f"{found.count:,} {found.name}" for found in told)
            return f"{name}: {what} ({self.tried})"
        if not self.conclusive:
            return f"{name}: {self.inconclusive}"
        return f"{name}: as expected, {self.fine}"

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
        lines += self.counts
        if self.prefix:
            lines.append(f"  names are shown without {self.prefix!r}")
        left_out = 0
        for anomaly in main:
            shown = self._records(anomaly) if whole else anomaly.witness[: anomaly.example]
            if not shown or not (whole or anomaly.severity == "violation"):
                continue
            left_out += len(anomaly.witness) - len(shown)
            title = _mark(anomaly) if whole else f"{_mark(anomaly)}, for example"
            body = table(self._renamed(shown), contents=self._compares_bytes)
            lines += ["", f"{title}:", *("  " + line for line in body)]
        if left_out and not whole:
            lines += ["", 'more of them: see the attachment "counterexamples"']
        if self.events:
            lines += ["", "Meanwhile:", *("  " + event for event in self.events)]
        return self._without_prefix("\n".join(lines))

    @property
    def _compares_bytes(self) -> bool:
        """Whether digests of contents are shown where those of one ident differ."""
        return False

    def _more_of(self, anomaly: Anomaly) -> Anomaly | None:
        """Return the anomaly with which this one is told, as it is about the same operations."""
        names = self.tells_more_of.get(anomaly.name, ())
        others = [found for found in map(self.anomaly, names) if found is not None]
        return next(
            (one for one in others
             if (anomaly.severity, one.severity) != ("violation", "allowed")), None,
        )  # fmt: skip

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
        return text.replace(f'"{self.prefix}', '"') if self.prefix else text

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data for JSON."""
        return {
            "expectation": self.expectation.as_dict(),
            "ok": self.ok,
            "conclusive": self.conclusive,
            "inconclusive": self.inconclusive,
            "missing": list(self.missing),
            "counts": [line.strip() for line in self.counts],
            "anomalies": [anomaly.as_dict() for anomaly in self.anomalies],
            "events": list(self.events),
        }


def _mark(anomaly: Anomaly) -> str:
    return anomaly.name.upper() if anomaly.severity == "violation" else anomaly.name


def judged(anomalies: Iterable[Anomaly], expectation: Expectation) -> tuple[Anomaly, ...]:
    """Return what was found, allowed where the expectation allows it, violations first."""
    found = [_judged(one, expectation) for one in anomalies if one.count]
    return tuple(sorted(found, key=lambda one: _SEVERITIES.index(one.severity)))


def _judged(anomaly: Anomaly, expectation: Expectation) -> Anomaly:
    why = expectation.allows(anomaly.name, anomaly.count)
    if not why or anomaly.severity != "violation":
        return anomaly
    return replace(anomaly, severity="allowed", summary=f"({why}) {anomaly.summary}")


def events_around(snapshot: Snapshot, found: Iterable[Anomaly]) -> tuple[str, ...]:
    """Return the events around the counterexamples of violations, as lines of text."""
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
