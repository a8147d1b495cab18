"""The checks on logs, polls and transactions against their model, on any history."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.history import CHECKS, Flow, FlowRecords, check_flow, load, save
from tests.history import log_model as model
from tests.history.log_model import World

IDENTS = st.sampled_from("abcdef")
TOPICS = st.sampled_from(["in", "in", "in", "out"])
PLACES = st.tuples(st.integers(0, 1), st.integers(0, 6))
RECORDS = st.lists(st.tuples(IDENTS, st.integers(0, 1), st.integers(0, 6)), max_size=4)
READERS = st.sampled_from(["plain", "careful"])
STATUS = st.sampled_from(["ok", "ok", "ok", "unknown", "fail"])
ISOLATION = st.sampled_from(["read_committed", "read_committed", "read_uncommitted"])
CHANGE = st.none() | st.tuples(
    st.sampled_from(["assigned", "revoked", "sought"]), st.integers(0, 1)
)
BATCH = st.tuples(
    st.just("batch"), st.sampled_from("pq"), TOPICS, st.permutations(range(3)), st.booleans(),
    st.sampled_from([None, ("commit", "ok"), ("commit", "unknown"), ("abort", "ok")]),
)  # fmt: skip
ACTIONS = st.one_of(
    st.tuples(st.just("send"), st.sampled_from("pq"), TOPICS, IDENTS, PLACES, STATUS,
              st.integers(-1, 1)),
    st.tuples(st.just("send"), st.sampled_from("pq"), TOPICS, IDENTS, PLACES, st.just("ok"),
              st.integers(0, 1)),
    st.tuples(st.just("begin")),
    st.tuples(st.just("end"), st.integers(0, 1), st.sampled_from(["commit", "commit", "abort"]),
              STATUS),
    st.tuples(st.just("poll"), READERS, TOPICS, CHANGE, RECORDS),
    st.tuples(st.just("echo"), READERS, st.integers(0, 20), st.integers(1, 4)),
    st.tuples(st.just("drain"), ISOLATION, TOPICS, st.integers(0, 2), RECORDS),
    BATCH,
    BATCH,
    st.tuples(st.just("echo"), READERS, st.integers(0, 20), st.integers(1, 4)),
    st.tuples(st.just("echo drain"), ISOLATION, TOPICS, st.integers(0, 63)),
)  # fmt: skip
FLOWS = st.builds(
    Flow,
    st.just("flow"),
    st.sampled_from(["in", "in", "out"]),
    st.sampled_from(["in", "in", "out"]),
    scope_clients=st.sampled_from([None, None, None, ("p", "careful"), ("p", "q", "drain 0")]),
)


@st.composite
def worlds(draw: Any) -> World:
    world = World()
    world.consumer("careful", "read_committed")
    for action, *arguments in draw(st.lists(ACTIONS, max_size=12)):
        if action == "echo":
            # What was sent is handed over, in the order of the log.
            client, first, many = arguments
            sent = sorted(
                (s.partition, s.offset, s.ident)
                for s in world.sends
                if s.topic == "in" and s.offset is not None
            )
            chosen = sent[first % (len(sent) or 1) :][:many]
            world.poll(client, "in", None, [(i, p, o) for p, o, i in chosen])
        elif action == "batch":
            # A transaction that goes well: new messages, one after the other or nearly so.
            client, topic, order, in_order, end = arguments
            if end:
                world.begin()
            number, start = len(world.sends), 3 * len(world.sends)
            for i, shift in enumerate(sorted(order) if in_order else order):
                world.send(client, topic, f"{number} {i}", (0, start + 2 * shift), "ok",
                           -1 if not end else len(world.open) - 1)  # fmt: skip
            if end:
                world.end(len(world.open) - 1, *end)
        elif action == "echo drain":
            isolation, topic, left_out = arguments
            sent = sorted(
                (s.partition, s.offset, s.ident)
                for s in world.sends
                if s.topic == topic and s.offset is not None
            )
            records = [(i, p, o) for n, (p, o, i) in enumerate(sent) if not left_out >> (n % 6) & 1]
            world.drain(isolation, topic, 0, records)
        else:
            getattr(world, action)(*arguments)
    return world


EXAMPLES = settings(max_examples=200, deadline=None)


def counts(world: World, flow: Flow, *names: str) -> dict[str, int]:
    records = FlowRecords(world.history.snapshot(), flow)
    return {name: CHECKS[name].find(records).count for name in names}


@EXAMPLES
@given(worlds(), FLOWS)
def test_loss(world: World, flow: Flow):
    lost, unseen, proven = model.loss(world, flow)
    direct = flow.sent_topic == flow.received_topic
    if direct:
        assert counts(world, flow, "lost-write") == {"lost-write": lost}
    found = CHECKS["unseen"].find(FlowRecords(world.history.snapshot(), flow))
    assert found.count == unseen
    assert not found.count or (found.severity == "violation") == proven


@EXAMPLES
@given(worlds(), FLOWS)
def test_logs(world: World, flow: Flow):
    assert counts(world, flow, "vanished", "stored-twice") == {
        "vanished": model.vanished(world, flow),
        "stored-twice": model.stored_twice(world, flow),
    }


@EXAMPLES
@given(worlds(), FLOWS)
def test_transactions(world: World, flow: Flow):
    assert counts(world, flow, "aborted-read", "precommitted-read", "torn-transaction") == {
        "aborted-read": model.aborted_read(world, flow),
        "precommitted-read": model.precommitted_read(world, flow),
        "torn-transaction": model.torn(world, flow),
    }


@EXAMPLES
@given(worlds(), FLOWS)
def test_polls(world: World, flow: Flow):
    expected = model.polling(world, flow)
    assert counts(world, flow, *expected) == expected


@EXAMPLES
@given(worlds(), FLOWS)
def test_sends(world: World, flow: Flow):
    expected = model.sending(world, flow)
    assert counts(world, flow, *expected) == expected


@settings(max_examples=40, deadline=None)
@given(worlds(), FLOWS)
def test_a_saved_history_has_the_same_verdict(tmp_path_factory: Any, world: World, flow: Flow):
    path = save(world.history, tmp_path_factory.mktemp("worlds") / "h.npz")
    before, after = check_flow(world.history, flow), check_flow(load(path), flow)
    assert before == after
    assert before.explain() == after.explain()
