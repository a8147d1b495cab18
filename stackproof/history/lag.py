"""How far the readers of a flow were behind.

After realtime-lag of Jepsen's Kafka workload, per message instead of per poll: from a
send's acknowledgement to the moment at which a poll first handed it to a reader.
"""

from dataclasses import dataclass

import numpy as np

from stackproof.history.books import FlowRecords
from stackproof.history.columns import NONE, OK


@dataclass(frozen=True)
class Lag:
    """How far behind the readers were; final drains do not count as readers.

    Attributes:
        worst: the longest time in seconds that an acknowledged message waited; one that was
            never handed over waited until the last poll returned. None: there were no
            acknowledged messages, or no polls.
        final: how many acknowledged messages had not been handed over in the end.
    """

    worst: float | None = None
    final: int = 0


def lag(records: FlowRecords) -> Lag:
    """Return the lag of a flow; messages that were sent several times are left out."""
    snapshot, table = records.snapshot, records.snapshot.receptions
    draining = snapshot.codes("clients", tuple({drain.client for drain in snapshot.drains}))
    rows = records.receptions
    rows = rows[(table.poll[rows] != NONE) & ~np.isin(table.client[rows], draining)]
    sends = records.sends[snapshot.status[records.sends] == OK]
    sends = sends[records.sends_by_ident[snapshot.sends.ident[sends]] == 1]
    if not len(rows) or not len(sends):
        return Lag()
    handed = snapshot.handed_over[rows]
    last = float(np.nanmax(handed)) if not np.isnan(handed).all() else np.nan
    # Backwards: of several the first recorded stands.
    first = np.full(records.idents, np.nan)
    first[table.ident[rows][::-1]] = handed[::-1]
    when = first[snapshot.sends.ident[sends]]
    missing = np.isnan(when)
    waited = np.where(missing, last, when) - snapshot.sends.ended[sends]
    return Lag(max(0.0, float(np.nanmax(waited))), int(np.count_nonzero(missing)))
