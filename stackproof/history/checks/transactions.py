"""Is a transaction seen whole, when it is committed, and never otherwise?

After G1a (aborted read) and precommitted-read of Jepsen's Kafka workload
(jepsen.tests.kafka). An intermediate read (G1b) means nothing to a reader that is
handed one partition after the other; what it comes to is a transaction of which a final
drain sees one part and not the other. Write cycles (G0) are out of scope: Kafka lets
transactions write in between one another.
"""

from dataclasses import dataclass

import numpy as np

from stackproof.history.anomaly import (
    Anomaly,
    WitnessRecord,
    found,
    nothing,
    number,
    received,
    sent,
)
from stackproof.history.books import FlowRecords
from stackproof.history.columns import COMMIT, FAIL, NONE, Array, among


@dataclass(frozen=True)
class Sightings:
    """Receptions by readers of committed records, each with the transactional send it shows.

    Attributes:
        reception: rows of the snapshot's receptions.
        send: rows of the snapshot's sends, at the same places.
    """

    reception: Array
    send: Array


def sightings(records: FlowRecords) -> Sightings:
    """Find out which receptions show a record that was sent in a transaction.

    By its position where the send was told one; else by its ident, if that was sent once.
    """
    snapshot, log, sends = records.snapshot, records.log, records.snapshot.sends
    nobody = Sightings(np.array([], dtype=np.int64), np.array([], dtype=np.int64))
    if not (sends.transaction != NONE).any():
        return nobody
    in_scope = records.in_scope(snapshot.receptions.client[log.receptions])
    places = np.flatnonzero(log.by_committed_reader & in_scope)
    rows, ident = log.receptions[places], snapshot.receptions.ident[log.receptions[places]]
    if not len(rows):
        return nobody
    of_reception = np.full(len(rows), -1, dtype=np.int64)
    if len(log.sends):
        order = np.argsort(log.sent, kind="stable")
        at = np.searchsorted(log.sent[order], log.received[places])
        at = np.minimum(at, len(order) - 1)
        hit = log.sent[order][at] == log.received[places]
        send = log.sends[order[at]]
        of_reception[hit & (sends.ident[send] == ident)] = send[hit & (sends.ident[send] == ident)]
    on_topic = np.flatnonzero(
        np.isin(sends.topic, snapshot.codes("topics", (records.flow.received_topic,)))
    )
    once = records.count(sends.ident[on_topic]) == 1
    send_of = np.full(records.idents, -1, dtype=np.int64)
    send_of[sends.ident[on_topic]] = on_topic
    by_ident = np.where(once[ident], send_of[ident], -1)
    # A send that was told another position is not the one that is seen here.
    by_ident = np.where((by_ident >= 0) & (sends.offset[by_ident] >= 0), -1, by_ident)
    of_reception = np.where(of_reception >= 0, of_reception, by_ident)
    shown = (of_reception >= 0) & (sends.transaction[of_reception] != NONE)
    return Sightings(rows[shown], of_reception[shown])


def aborted_read(records: FlowRecords) -> Anomaly:
    """Find records seen although their send, or its transaction, had certainly failed.

    What a transaction had sent counts when a reader of committed records has seen it, by
    its position; anything else when all sends of its ident have failed. The transaction must
    have been aborted, or its commit refused; one that nobody has ended is for
    `precommitted-read`.
    """
    snapshot, table, sends = records.snapshot, records.snapshot.receptions, records.snapshot.sends
    seen = records.shared("sightings", sightings)
    belongs = sends.transaction[seen.send]
    failed = (snapshot.status[seen.send] == FAIL) & (snapshot.transactions.how[belongs] != 0)
    shown = seen.reception[failed & _in_flow(records, seen.send)]

    status = snapshot.status[records.sends]
    all_failed = records.count(records.sent_ident[status == FAIL]) == records.sends_by_ident
    in_transaction = np.zeros(records.idents, dtype=bool)
    in_transaction[records.sent_ident[sends.transaction[records.sends] != NONE]] = True
    suspects = records.receptions[
        (all_failed & (records.sends_by_ident > 0))[records.received_ident]
    ]
    transactional = in_transaction[table.ident[suspects]]
    committed = np.isin(table.client[suspects], snapshot.committed_readers)
    certain = ~transactional | (committed & (not records.direct))
    rows = np.unique(np.concatenate([shown, suspects[certain]]))
    if not len(rows):
        return nothing("aborted-read")
    idents, first = np.unique(table.ident[rows], return_index=True)
    summary = (
        f'{number(len(idents), "message")} seen on "{records.flow.received_topic}" although '
        "sending them, or the transaction that they were sent in, had failed for certain."
    )
    return found(
        "aborted-read", "violation", len(idents), summary, _pairs(records, rows[np.sort(first)])
    )


def _in_flow(records: FlowRecords, sends: Array) -> Array:
    return among(sends, records.sends)


def _pairs(records: FlowRecords, rows: Array) -> list[list[WitnessRecord]]:
    """Return each reception after the last failed send of its message."""
    snapshot, witness = records.snapshot, []
    failed = records.sends[snapshot.status[records.sends] == FAIL]
    for row in rows[:16].tolist():
        same = failed[snapshot.sends.ident[failed] == snapshot.receptions.ident[row]]
        told = [sent(snapshot, int(send)) for send in same[-1:]]
        witness.append([*told, received(snapshot, row)])
    return witness


def precommitted_read(records: FlowRecords) -> Anomaly:
    """Find records of a transaction that were handed over before anybody asked to commit it.

    Only to readers of committed records, and only where a poll tells the moment.
    """
    snapshot, table = records.snapshot, records.snapshot.transactions
    seen = records.shared("sightings", sightings)
    belongs = snapshot.sends.transaction[seen.send]
    when = snapshot.handed_over[seen.reception]
    asked = np.where(table.how[belongs] == COMMIT, table.ending[belongs], np.inf)
    # Aborted ones are aborted reads whenever they are seen.
    early = (when < asked) & ((table.how[belongs] == 0) | (table.how[belongs] == COMMIT))
    bad = np.flatnonzero(early & _in_flow(records, seen.send))
    if not len(bad):
        return nothing("precommitted-read")
    witness = []
    for place in bad[:16].tolist():
        ending = float(asked[place])
        note = "nobody has asked to commit it"
        if np.isfinite(ending):
            note = f"its commit was asked for at +{ending - snapshot.start:.3f} s"
        send, reception = int(seen.send[place]), int(seen.reception[place])
        witness.append([sent(snapshot, send), received(snapshot, reception, note)])
    summary = (
        f'{number(len(bad), "reception")} on "{records.flow.received_topic}" of records whose '
        "transaction had not been committed yet, by readers of committed records."
    )
    return found("precommitted-read", "violation", len(bad), summary, witness)


def torn(records: FlowRecords) -> Anomaly:
    """Find transactions of which a final drain by a reader of committed records saw a part.

    All topics count that were drained so, not the flow's alone: a transaction spans them. Left
    out are messages sent twice to a topic, and transactions not ended before the drain.
    """
    snapshot, sends, table = records.snapshot, records.snapshot.sends, records.snapshot.transactions
    if not len(table):
        return nothing("torn-transaction")
    readers = snapshot.committed_readers
    rows: list[Array] = []
    seen: list[Array] = []
    for drain in snapshot.drains:
        client = (snapshot.codes("clients", (drain.client,)) or [-1])[0]
        topic = snapshot.codes("topics", (drain.topic,))
        if client not in readers or not topic:
            continue
        here = np.flatnonzero((sends.topic == topic[0]) & (sends.transaction != NONE))
        here = here[snapshot.status[here] != FAIL]
        here = here[table.ending[sends.transaction[here]] <= drain.at]
        here = here[~among(here, np.concatenate(rows))] if rows else here
        once = records.count(sends.ident[sends.topic == topic[0]]) == 1
        here = here[once[sends.ident[here]]]
        of_topic = snapshot.receptions.topic == topic[0]
        of_topic &= np.isin(snapshot.receptions.client, readers)
        there = records.count(snapshot.receptions.ident[of_topic]) > 0
        rows.append(here)
        seen.append(there[sends.ident[here]])
    if not rows:
        return nothing("torn-transaction")
    row, shown = np.concatenate(rows), np.concatenate(seen)
    belongs = sends.transaction[row]
    of_flow = np.zeros(len(table), dtype=bool)
    mine = sends.transaction[records.sends]
    of_flow[mine[mine != NONE]] = True
    whole = np.bincount(belongs, minlength=len(table))
    part = np.bincount(belongs[shown], minlength=len(table))
    bad = np.flatnonzero(of_flow & (part > 0) & (part < whole))
    if not len(bad):
        return nothing("torn-transaction")
    witness = []
    for transaction in bad[:8].tolist():
        told = []
        for visible, note in ((True, "seen"), (False, "not seen")):
            example = row[(belongs == transaction) & (shown == visible)][:1].tolist()
            told += [sent(snapshot, send, note) for send in example]
        witness.append(told)
    summary = (
        f"{number(len(bad), 'transaction')} of which a final drain has seen a part only: "
        f"{int(part[bad].sum()):,} of {int(whole[bad].sum()):,} records."
    )
    return found("torn-transaction", "violation", len(bad), summary, witness)
