"""Topics of a pipeline: its own or exactly named, on brokers of the suite's or somebody's."""

from types import SimpleNamespace

import pytest

from stackproof.errors import Refused, Trouble
from stackproof.polling import DeadlineExceeded
from stackproof.services.base import Endpoint
from stackproof.settings import SystemSettings, TopicSettings
from stackproof.systems.topics import PipelineTopics

NAMED = {role: TopicSettings(2, name=f"x.{role}") for role in ("input", "output", "dead_letter")}
ALL = ["x.input", "x.output", "x.dead_letter"]


class Kafka:
    """A cluster's topics, and what is asked of them."""

    def __init__(self, existing, lag):
        self.existing = {name: {0: 7, 1: 9} for name in existing}
        self._lag = lag
        self.admin = self
        self.created = []

    def list_topics(self):
        return list(self.existing)

    def provide(self, specs, *, within):
        self.created += [spec.name for spec in specs]
        self.existing |= {s.name: dict.fromkeys(range(s.partitions), 0) for s in specs}

    def delete(self, names):
        for name in names:
            del self.existing[name]

    def end_offsets(self, topic):
        return self.existing[topic]

    def wait_worked_off(self, group, topic, *, within):
        if self._lag:
            raise DeadlineExceeded(f"{self._lag} messages not committed", self._lag)


def topics(existing=(), *, own_broker=True, allowed=False, lag=0, **settings):
    kafka = Kafka(existing, lag)
    cleanups = []
    endpoint = Endpoint(
        "kafka", "kafka-1", "native" if own_broker else "external", {"bootstrap": "b:1"},
        instances=["kafka-1"] if own_broker else [], destructive=own_broker or allowed,
    )  # fmt: skip
    session = SimpleNamespace(
        use=lambda _: kafka, endpoint=lambda _: endpoint, own=lambda name: f"{name}-own",
        scaled=lambda seconds: seconds, add_cleanup=cleanups.append,
    )  # fmt: skip
    system = SystemSettings("pipe", ("p",), None, **settings)  # type: ignore[arg-type]
    return PipelineTopics(session, system), kafka, cleanups


EXACT = {"names": "exact", "topics": NAMED}
ATTACHED = {**EXACT, "attach": True, "group": "g"}


def test_names_of_the_scenarios_own():
    made, kafka, _ = topics()
    assert made.names == {
        "input": "pipe.input-own", "output": "pipe.output-own",
        "dead_letter": "pipe.dead-letter-own",
    }  # fmt: skip
    assert made.group == "pipe-own"
    assert sorted(kafka.created) == sorted(made.names.values())


def test_exact_names_on_a_broker_of_the_suites_own():
    made, kafka, cleanups = topics(**EXACT)
    assert list(made.names.values()) == ALL == kafka.created
    assert (made.group, made.since["input"]) == ("pipe", {})
    assert not cleanups  # the broker goes as a whole


def test_a_broker_of_ones_own_that_has_them_already():
    with pytest.raises(Trouble, match="topics exist already"):
        topics(ALL, **EXACT)


def test_exact_names_on_somebodys_broker_are_removed_again():
    _, kafka, cleanups = topics(own_broker=False, **EXACT)
    assert list(kafka.existing) == ALL
    (cleanup,) = cleanups
    cleanup()
    assert not kafka.existing


def test_somebodys_topics_are_not_touched():
    with pytest.raises(Refused, match=r"topics exist already: x\.output") as found:
        topics(["x.output"], own_broker=False, **EXACT)
    assert 'allow_destructive = ["b:1"]' in found.value.remedy


def test_allowed_topics_count_from_their_present_end():
    made, kafka, cleanups = topics(ALL, own_broker=False, allowed=True, **EXACT)
    assert made.since == {key: {0: 7, 1: 9} for key in ("input", "output", "dead_letter")}
    assert (kafka.created, cleanups) == ([], [])
    kafka.existing["x.input"] = {0: 10, 1: 11}
    assert made.foreign_inputs(5) == 0
    assert made.foreign_inputs(3) == 2


def test_what_is_left_from_before_is_told():
    with pytest.raises(Trouble, match="holds messages from before") as found:
        topics(ALL, own_broker=False, allowed=True, lag=3, **EXACT)
    assert "3 messages not committed" in str(found.value)


def test_attaching():
    made, kafka, cleanups = topics(ALL, own_broker=False, allowed=True, **ATTACHED)
    assert (made.group, kafka.created, cleanups) == ("g", [], [])
    unknown, _, _ = topics(ALL, own_broker=False, allowed=True, lag=3, **{**ATTACHED, "group": ""})
    assert unknown.group == ""


@pytest.mark.parametrize(
    ("existing", "how", "says"),
    [
        (ALL[:2], {"own_broker": False, "allowed": True}, "x.dead_letter of the attached system"),
        (ALL, {"own_broker": True}, "a broker that this run has started"),
    ],
)
def test_what_cannot_be_attached(existing, how, says):
    with pytest.raises(Trouble, match=says):
        topics(existing, **how, **ATTACHED)


def test_attaching_is_refused_where_it_is_not_allowed():
    with pytest.raises(Refused):
        topics(ALL, own_broker=False, **ATTACHED)
