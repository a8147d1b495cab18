"""Did each message end in one place only?"""

import numpy as np

from stackproof.history.anomaly import Anomaly, both_sides, found, nothing, number
from stackproof.history.books import FlowRecords
from stackproof.history.columns import Array


def conflicting(records: FlowRecords) -> Anomaly:
    """Find messages that ended on two topics which exclude each other."""
    strayed, places = _strayed(records)
    return _report(
        records,
        "conflicting-outcomes",
        np.flatnonzero(strayed & (places > 1)),
        "ended on more than one of the topics that exclude each other",
    )


def misrouted(records: FlowRecords) -> Anomaly:
    """Find messages that ended on a topic where they must not appear, and nowhere else."""
    strayed, places = _strayed(records)
    return _report(
        records,
        "misrouted",
        np.flatnonzero(strayed & (places == 1)),
        "ended only where they must not appear",
    )


def _strayed(records: FlowRecords) -> tuple[Array, Array]:
    """Return which idents appear where they must not, and on how many topics each appears.

    An ident that was also sent outside the flow (as another class of message, or to the
    exclusive topic itself) may appear on exclusive topics as often as that.
    """
    snapshot, flow = records.snapshot, records.flow
    idents = snapshot.receptions.ident
    astray = np.zeros(records.idents, dtype=np.int64)
    places = (records.receptions_by_ident > 0).astype(np.int64)
    for topic in flow.exclusive_topics:
        here = records.count(idents[records.receptions_on(topic)])
        astray += here
        places += here > 0
    topics = snapshot.codes("topics", (flow.sent_topic, *flow.exclusive_topics))
    others = records.count(snapshot.sends.ident[np.isin(snapshot.sends.topic, topics)])
    # Those of the flow itself are among them, wherever they were sent.
    others = others - records.sends_by_ident
    return (records.sends_by_ident > 0) & (astray > others), places


def _report(records: FlowRecords, name: str, idents: Array, what: str) -> Anomaly:
    if not len(idents):
        return nothing(name)
    flow = records.flow
    topics = ", ".join(f'"{topic}"' for topic in (flow.received_topic, *flow.exclusive_topics))
    summary = (
        f'{number(len(idents), "message")} sent to "{flow.sent_topic}" {what} '
        f"(topics that exclude each other: {topics})."
    )
    rows = records.receptions_on(flow.received_topic, *flow.exclusive_topics)
    witness = both_sides(records, idents, reception_rows=rows)
    return found(name, "violation", len(idents), summary, witness)
