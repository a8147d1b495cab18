"""A history as points in lanes."""

from dataclasses import replace

import pytest

from stackproof.history.lanes import (
    FAILED,
    OPEN,
    RECEIVED,
    SENT,
    SET_ASIDE,
    TOGETHER,
    points,
    short_names,
)
from tests.history.story import DIRECT, THROUGH, Story, delivered

PREDICTIONS = replace(THROUGH, name="predictions")
DEAD_LETTERS = replace(
    THROUGH, name="dead letters", received_topic="dead", exclusive_topics=("out",), sets_aside=True
)


def test_each_record_is_a_point_of_its_kind():
    story = Story().sent("a", offset=0).sent("b", "fail").sent("c", None)
    story.received("a", topic="out", offset=0).received("b", topic="dead", offset=0)
    found = points(story.history.snapshot(), [THROUGH, DEAD_LETTERS], 20)
    assert found.kind.tolist() == [SENT, FAILED, OPEN, RECEIVED, SET_ASIDE]
    assert [round(x, 3) for x in found.x] == [0.0, 0.002, 0.004, 0.005, 0.006]
    names = {"in": "in", "out": "predictions", "dead": "dead"}
    assert found.labels(names) == ["in / 0", "in / unknown", "predictions / 0", "dead / 0"]
    assert found.lane.tolist() == [0, 1, 1, 2, 3]


@pytest.mark.parametrize(
    "flows",
    [
        [PREDICTIONS],
        [DEAD_LETTERS],
        [PREDICTIONS, DEAD_LETTERS],
        [DEAD_LETTERS, PREDICTIONS],
        [DEAD_LETTERS, replace(DEAD_LETTERS, settled=False)],
    ],
)
def test_what_sets_messages_aside_does_not_depend_on_which_flows_were_checked(flows):
    story = Story().received("b", topic="dead", offset=0).received("a", topic="out", offset=0)
    found = points(story.sent("a").sent("b").history.snapshot(), flows, 20)
    kinds = dict(
        zip([found.lanes[lane][0] for lane in found.lane], found.kind.tolist(), strict=True)
    )
    assert kinds == {"in": SENT, "out": RECEIVED, "dead": SET_ASIDE}
    assert [topic for topic, _ in found.lanes] == ["in", "out", "dead"]


def test_where_nothing_is_processed_and_nothing_set_aside_all_is_received():
    found = points(delivered("a").history.snapshot(), [], 20)
    assert found.kind.tolist() == [SENT, RECEIVED]


def test_the_order_of_the_topics_is_that_of_the_flows():
    story = Story().received("a", topic="dead", offset=0).received("b", topic="other", offset=0)
    story.received("c", topic="out", partition=1, offset=0).sent("c", partition=2, offset=0)
    found = points(story.history.snapshot(), [THROUGH], 20)
    assert found.lanes == (("in", 2), ("out", 1), ("dead", 0), ("other", 0))
    assert points(story.history.snapshot(), [], 20).lanes[0] == ("dead", 0)


def test_partitions_share_a_lane_when_there_are_too_many():
    story = Story().received("x", topic="small", offset=0)
    for partition in range(10):
        story.received("a", topic="big", partition=partition, offset=0)
    found = points(story.history.snapshot(), [], 10)
    assert found.lanes == (("small", 0), ("big", TOGETHER))
    assert found.hidden == 0
    assert len(found.x) == 11
    assert len(points(story.history.snapshot(), [], 11).lanes) == 11


def test_what_has_no_room_is_left_out_and_counted():
    story = Story()
    for i in range(5):
        story.received("a", topic=f"t{i}", offset=0)
    found = points(story.history.snapshot(), [], 3)
    assert (len(found.lanes), found.hidden, len(found.x)) == (3, 2, 3)


def test_what_a_final_drain_reads_again_is_counted_and_not_drawn():
    story = delivered("a", "b").sent("c", offset=2).drained(("a", 0), ("b", 1), ("c", 2))
    found = points(story.history.snapshot(), [DIRECT], 20)
    assert found.kind.tolist() == [SENT] * 3 + [RECEIVED] * 3
    assert found.again == 2
    assert points(delivered("a").history.snapshot(), [DIRECT], 20).again == 0


def test_an_empty_history_has_no_points():
    found = points(Story().history.snapshot(), [DIRECT], 20)
    assert (len(found.x), found.lanes) == (0, ())


def test_names_are_shortened_by_what_they_share():
    names, left_out = short_names(["customers-7f3a-s12", "predictions-7f3a-s12"])
    assert names == {
        "customers-7f3a-s12": "customers",
        "predictions-7f3a-s12": "predictions",
    }
    assert left_out == ["-7f3a-s12"]
    names, left_out = short_names(["run42.customers", "run42.customers-dead"])
    assert list(names.values()) == ["customers", "customers-dead"]
    assert left_out == ["run42."]


def test_one_topic_is_shortened_by_the_scenario_s_prefix():
    assert short_names(["run-s1-in"], "run-s1-") == ({"run-s1-in": "in"}, ["run-s1-"])
    assert short_names(["foreign"], "run-s1-") == ({"foreign": "foreign"}, [])
    story = Story()
    story.history.meta["prefix"] = "run-s1-"
    assert points(story.sent("a").history.snapshot(), [], 20).prefix == "run-s1-"


def test_names_stay_whole_where_little_would_be_left():
    for topics in ([], ["alone-7f3a"], ["a-7f3a-s12", "b-7f3a-s12"], ["orders", "order"]):
        names, left_out = short_names(topics)
        assert (list(names.values()), left_out) == (topics, [])


def test_delivered_messages_share_a_lane_with_their_sends():
    assert points(delivered("a", "b").history.snapshot(), [DIRECT], 20).lane.tolist() == [0] * 4
