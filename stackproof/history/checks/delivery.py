"""Did every message arrive, once, and nothing else?

After Jepsen's `checker/total-queue`: lost, duplicated, unexpected and recovered
(here: unacknowledged but visible). Unlike there, what remains unknown until the end
counts as sent only when it was seen, and failed sends that arrive are told apart.
"""

import numpy as np

from stackproof.history.anomaly import Anomaly, both_sides, found, nothing, number, percentage
from stackproof.history.books import FlowRecords
from stackproof.history.columns import NOWHERE, OK, Array, combined

SAME_MOMENT = 0.002
"""Times in seconds closer than this are given as one."""
_LOST = ("lost", "never arrived")
_OUTSTANDING = ("outstanding", "had not arrived yet")


def lost(records: FlowRecords) -> Anomaly:
    """Find acknowledged sends that never arrived; "outstanding" where they still may.

    A violation when less than the flow's completeness has arrived, else information.
    """
    name, told = _LOST if records.flow.settled else _OUTSTANDING
    missing = records.books.lost_by_ident
    count = int(missing.sum())
    if not count:
        return nothing(name)
    flow, sends = records.flow, records.snapshot.sends
    acknowledged = int(np.count_nonzero(records.snapshot.status[records.sends] == OK))
    arrived = acknowledged - count
    allowed = flow.completeness < 1.0 and arrived + 1e-9 >= flow.completeness * acknowledged
    rows = records.sends[
        (missing[records.sent_ident] > 0) & (records.snapshot.status[records.sends] == OK)
    ]
    summary = (
        f'{count:,} of {number(acknowledged, "acknowledged message")} sent to "{flow.sent_topic}" '
        f'{told} on "{flow.received_topic}"'
        f" ({percentage(arrived / acknowledged)} arrived, {percentage(flow.completeness)} expected)"
        f"{_pattern(records, rows)}."
    )
    witness = both_sides(records, _first_of_each(sends.ident[rows]))
    return found(name, "information" if allowed else "violation", count, summary, witness)


def duplicated(records: FlowRecords) -> Anomaly:
    """Find receptions beyond the number of times that a message was sent.

    A violation when there are more than the flow tolerates, else information.
    """
    extra = records.books.extra_by_ident
    count = int(extra.sum())
    if not count:
        return nothing("duplicated")
    receptions = records.snapshot.receptions
    rows = records.receptions[extra[records.received_ident] > 0]
    affected = _first_of_each(receptions.ident[rows])
    place = combined(receptions.ident[rows], receptions.partition[rows], receptions.offset[rows])
    stored = records.count(receptions.ident[rows][np.unique(place, return_index=True)[1]])
    stored_too_often = int(
        np.minimum(np.maximum(stored - records.sends_by_ident, 0), extra)[affected].sum()
    )
    bound = records.flow.max_duplicates
    tolerated = f"; up to {bound:,} are tolerated" if bound else ""
    summary = (
        f"{number(len(affected), 'message')} received more often than sent, "
        f"{number(count, 'reception')} too many: {stored_too_often:,} stored again at another "
        f"offset, {count - stored_too_often:,} delivered again from the same{tolerated}."
    )
    witness = both_sides(records, affected)
    return found(
        "duplicated", "violation" if count > bound else "information", count, summary, witness
    )


def unexpected(records: FlowRecords) -> Anomaly:
    """Find receptions of messages that were never sent on this records."""
    rows = records.receptions[~records.expected_of_reception]
    if not len(rows):
        return nothing("unexpected")
    snapshot, flow = records.snapshot, records.flow
    elsewhere = records.count(snapshot.sends.ident)[snapshot.receptions.ident[rows]] > 0
    known = int(np.count_nonzero(elsewhere))
    told = f"{len(rows) - known:,} never sent at all"
    if known:
        told += f", {known:,} sent on another topic, with another label or by another client"
    labels = "" if flow.labels is None else f" as {' or '.join(flow.labels)}"
    summary = (
        f'{number(len(rows), "record")} on "{flow.received_topic}" without a message sent'
        f'{labels} to "{flow.sent_topic}": {told}.'
    )
    idents = _first_of_each(snapshot.receptions.ident[rows])
    witness = both_sides(records, idents, send_rows=np.arange(len(snapshot.sends)))
    return found("unexpected", "violation", len(rows), summary, witness)


def unacknowledged(records: FlowRecords) -> Anomaly:
    """Find sends that failed or have an unknown outcome and arrived all the same.

    Information: a client that was told nothing, or of a failure, may well have been heard.
    """
    books = records.books
    recovered, visible = books.recovered, books.visible_failed
    count = int(recovered.sum() + visible.sum())
    if not count:
        return nothing("unacknowledged-but-visible")
    summary = (
        f"{number(count, 'message')} without an acknowledgement arrived: "
        f"{int(recovered.sum()):,} with an unknown outcome, "
        f"{int(visible.sum()):,} reported as failed."
    )
    idents = _first_of_each(books.ident[np.flatnonzero(recovered + visible)])
    return found(
        "unacknowledged-but-visible", "information", count, summary, both_sides(records, idents)
    )


def _first_of_each(values: Array) -> Array:
    """Return the distinct values in the order of their first occurrence."""
    distinct, first = np.unique(values, return_index=True)
    return distinct[np.argsort(first)]


def _pattern(records: FlowRecords, rows: Array) -> str:
    """Return what the lost sends have in common, as the rest of a sentence."""
    sends, start = records.snapshot.sends, records.snapshot.start
    told = []
    here, everywhere = (set(np.unique(sends.partition[r]).tolist()) for r in (rows, records.sends))
    if len(here) == 1 and here != {NOWHERE} and len(everywhere - {NOWHERE}) > 1:
        told.append(f"from partition {here.pop()}")
    first, last = float(sends.at[rows].min()) - start, float(sends.at[rows].max()) - start
    if last - first < SAME_MOMENT:
        told.append(f"sent at +{first:.3f} s")
    else:
        told.append(f"sent between +{first:.3f} s and +{last:.3f} s")
    acknowledged = records.sends[records.snapshot.status[records.sends] == OK]
    if len(rows) < len(acknowledged) and np.array_equal(rows, acknowledged[-len(rows) :]):
        told.append("the last that were sent")
    elif len(rows) < len(acknowledged) and np.array_equal(rows, acknowledged[: len(rows)]):
        told.append("the first that were sent")
    return "; " + ", ".join(told)
