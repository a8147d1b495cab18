"""The numpy checks against the slow model, on histories nobody would think of."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.history import CHECKS, Flow, FlowRecords, check_flow
from stackproof.history.columns import combined
from tests.history import model
from tests.history.model import Reception, Records, Send

TOPICS = st.sampled_from(["in", "in", "out", "out", "dead", "grave"])
CLIENTS = st.sampled_from(["p", "q", "one", "two"])
IDENTS = st.sampled_from("abcd")
CONTENTS = st.integers(0, 2)
PARTITIONS = st.integers(0, 1)
OFFSETS = st.integers(0, 7)
FAR = st.sampled_from([0, 1, 2**40, 2**62])


@st.composite
def records(draw: Any) -> Records:
    """Histories in a space so small that everything happens to everything."""
    offsets = draw(st.sampled_from([OFFSETS, OFFSETS, FAR]))
    places = st.tuples(PARTITIONS, st.none() | offsets) | st.tuples(st.none(), st.none())
    result = Records()
    topics = draw(st.lists(TOPICS, min_size=1, max_size=3))
    for _ in range(draw(st.integers(0, 12))):
        status = draw(st.sampled_from(["ok", "ok", "ok", "unknown", "fail", "open"]))
        place = draw(places) if status in ("ok", "unknown") else (None, None)
        result.sends.append(
            Send(
                draw(IDENTS),
                draw(st.sampled_from(topics)),
                draw(CLIENTS),
                draw(st.sampled_from(["", "valid"])),
                draw(CONTENTS),
                draw(st.one_of(st.none(), CONTENTS, CONTENTS)),
                status,
                *place,
            )
        )
    for _ in range(draw(st.integers(0, 14))):
        copied = draw(st.sampled_from(result.sends)) if result.sends else None
        faithful = copied is not None and draw(st.booleans())
        result.receptions.append(
            Reception(
                copied.ident if copied and faithful else draw(IDENTS),
                draw(TOPICS),
                draw(CLIENTS),
                draw(PARTITIONS),
                draw(offsets),
                copied.digest if copied and faithful else draw(CONTENTS),
                copied.carried if copied and faithful else draw(st.one_of(st.none(), CONTENTS)),
            )
        )
    return result


def flows(**given_fields: Any) -> st.SearchStrategy[Flow]:
    fields: dict[str, Any] = {
        "name": st.just("flow"),
        "sent_topic": st.sampled_from(["in", "in", "out"]),
        "received_topic": st.sampled_from(["out", "out", "in"]),
        "sent_label": st.sampled_from([None, None, "valid", ("valid", ""), "absent"]),
        "exclusive_topics": st.sampled_from([("dead",), ("dead", "grave"), ()]),
        "content": st.sampled_from(["bytes", "carried", None]),
        "scope_clients": st.sampled_from([None, None, ("p", "one"), ("nobody",)]),
        "group_clients": st.sampled_from([("one", "two"), ("one", "two", "p", "q"), ()]),
        **given_fields,
    }
    return st.builds(Flow, **fields)


EXAMPLES = settings(max_examples=150, deadline=None)


def count(name: str, given_records: Records, flow: Flow) -> int:
    return CHECKS[name].find(FlowRecords(given_records.history().snapshot(), flow)).count


@EXAMPLES
@given(records(), flows())
def test_accounting(some: Records, flow: Flow):
    expected = model.match(some, flow)
    figures = check_flow(some.history(), flow).figures
    assert count("lost", some, flow) == expected.lost
    assert count("duplicated", some, flow) == expected.extra
    assert count("unexpected", some, flow) == expected.unexpected
    assert count("corrupted", some, flow) == expected.corrupted
    unacknowledged = expected.recovered + expected.visible_failed
    assert count("unacknowledged-but-visible", some, flow) == unacknowledged
    assert (figures.recovered, figures.visible_failed) == (
        expected.recovered,
        expected.visible_failed,
    )


@EXAMPLES
@given(records(), flows(order=st.sampled_from(["offset", "sequence"])))
def test_reordered(some: Records, flow: Flow):
    assert count("reordered", some, flow) == model.reordered(some, flow)


@EXAMPLES
@given(
    st.permutations(range(8)),
    st.lists(PARTITIONS, min_size=8, max_size=8),
    st.lists(st.sampled_from(["both", "both", "partition", "none"]), min_size=8, max_size=8),
    st.lists(st.sampled_from("pq"), min_size=8, max_size=8),
    flows(
        order=st.sampled_from(["offset", "sequence"]),
        sent_label=st.none(), scope_clients=st.none(),
    ),
)  # fmt: skip
def test_reordered_when_everything_arrives_in_any_order(
    arrival: list[int], partitions: list[int], known: list[str], clients: list[str], flow: Flow
):
    places = {"both": lambda i: (i % 2, i), "partition": lambda i: (i % 2, None)}
    some = Records(
        [
            Send(
                str(i), flow.sent_topic, clients[i], "", 0, 0, "ok",
                *places.get(known[i], lambda i: (None, None))(i),
            )
            for i in range(8)
        ],
        [
            Reception(str(i), flow.received_topic, "one", partitions[place], place, 0, 0)
            for place, i in enumerate(arrival)
        ],
    )  # fmt: skip
    assert count("reordered", some, flow) == model.reordered(some, flow)


@EXAMPLES
@given(records(), flows())
def test_inconsistent_offsets(some: Records, flow: Flow):
    assert count("inconsistent-offsets", some, flow) == model.inconsistent_offsets(some, flow)


@EXAMPLES
@given(records(), flows())
def test_conflicting_and_misrouted(some: Records, flow: Flow):
    conflicting, misrouted = model.strayed(some, flow)
    assert count("conflicting-outcomes", some, flow) == conflicting
    assert count("misrouted", some, flow) == misrouted


@EXAMPLES
@given(records(), flows(sent_topic=st.just("out"), received_topic=st.just("out")))
def test_gap_and_overlap_at_resume(some: Records, flow: Flow):
    gap, overlap = model.resume(some, flow)
    assert count("gap-at-resume", some, flow) == gap
    assert count("overlap-at-resume", some, flow) == overlap


@EXAMPLES
@given(records(), flows(order=st.sampled_from(["offset", "sequence", None])))
def test_verdicts_are_consistent_in_themselves(some: Records, flow: Flow):
    verdict = check_flow(some.history(), flow)
    figures = verdict.figures
    assert figures.attempted == figures.acknowledged + figures.failed + figures.unknown
    assert verdict.ok == (not verdict.violations)
    assert verdict.explain().startswith(flow.name)
    for anomaly in verdict.anomalies:
        assert anomaly.count > 0
        assert anomaly.summary.endswith(".")
        assert 0 < len(anomaly.witness) <= 32


@EXAMPLES
@given(
    st.lists(
        st.tuples(
            st.integers(-5, 5),
            st.sampled_from([-(2**62), 0, 1, 2**62]),
            st.sampled_from([0, 1, 2**63, 2**64 - 1]),
        )
    )
)
def test_combined_keys_are_equal_and_sorted_as_the_rows_are(rows: list[tuple[int, int, int]]):
    import numpy as np

    columns = [
        np.array([row[i] for row in rows], dtype=kind)
        for i, kind in enumerate((np.int64, np.int64, np.uint64))
    ]
    keys = combined(*columns).tolist()
    for row, key in zip(rows, keys, strict=True):
        for other_row, other_key in zip(rows, keys, strict=True):
            assert (row < other_row) == (key < other_key)
