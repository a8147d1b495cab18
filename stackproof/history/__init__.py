"""What the clients of a scenario did, recorded; pure checks over it.

    history = History("orders arrive")
    op = history.send(client="producer", topic="orders", ident="o-1", digest=digest_of(data))
    history.complete(op, "ok", partition=0, offset=17)
    history.receive(client="consumer", topic="orders", partition=0, offset=17, ...)
    verdict = check_flow(history, Flow("orders", "orders", "orders", content="bytes"))
    assert verdict.ok, verdict.explain()

`record` and `ledger` keep the operations, `columns` their form in numpy, `flow` says what was
expected and `guarantee` what is promised, `books` keep the books over one flow, `log` what is
known of a topic's positions, `checks` find anomalies, `verdict`
explains them, `files` saves, loads and checks again.
"""

from stackproof.history.anomaly import Anomaly, WitnessRecord
from stackproof.history.books import FlowRecords
from stackproof.history.checks import CHECKS, Check
from stackproof.history.columns import Event, Snapshot
from stackproof.history.digests import Enclosed, carried_digest, digest_of
from stackproof.history.files import HistoryError, load, recheck, render_check, save
from stackproof.history.flow import Flow
from stackproof.history.guarantee import GUARANTEES, Guarantee
from stackproof.history.record import History, Status
from stackproof.history.verdict import Figures, Verdict, check_flow

__all__ = [
    "CHECKS",
    "GUARANTEES",
    "Anomaly",
    "Check",
    "Enclosed",
    "Event",
    "Figures",
    "Flow",
    "FlowRecords",
    "Guarantee",
    "History",
    "HistoryError",
    "Snapshot",
    "Status",
    "Verdict",
    "WitnessRecord",
    "carried_digest",
    "check_flow",
    "digest_of",
    "load",
    "recheck",
    "render_check",
    "save",
]
