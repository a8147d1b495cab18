"""Topics of a scenario: what its steps publish to them, and find in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

from kafka.errors import KafkaError

from stackproof.errors import answered
from stackproof.history import Flow
from stackproof.services.fixture import Scenario
from stackproof.services.kafka.client import Message
from stackproof.services.kafka.fixture import KafkaFixture
from stackproof.services.places import Letter


@contextmanager
def _told() -> Iterator[None]:
    """Inside, a broker that does not answer is told in words."""
    try:
        yield
    except KafkaError as error:
        raise answered("Kafka", "lost", str(error)) from error


class Topics:
    """See `stackproof.services.places.Places`."""

    noun: ClassVar[str] = "topic"

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.fixture = scenario.use(KafkaFixture)

    def names(self) -> Sequence[str]:
        """The scenario's own, and those of its systems."""
        return self.fixture.names()

    def fields(self) -> Mapping[str, str]:
        """As of every client."""
        return self.fixture.fields

    def find(self, name: str) -> Topic | None:
        """The topic; made by a step or by a system under test."""
        with _told():
            real = self.fixture.real(name)
        return Topic(self, name, real) if real else None


class Topic:
    """See `stackproof.services.places.Channel`."""

    def __init__(self, topics: Topics, name: str, real: str):
        self._fixture, self._scaled = topics.fixture, topics.scenario.scaled
        self._name, self._real = name, real
        self._published: set[tuple[bytes | None, bytes | None]] = set()

    def publish(self, letter: Letter) -> None:
        """With acks=all, idempotently."""
        headers = {name: value.encode() for name, value in letter.headers.items()}
        message = Message(letter.key, letter.body, headers=headers)
        sent = self._fixture.publisher.publish(self._real, [message], within=self._scaled(30))
        self._published.add((letter.key, letter.body))
        if not sent.ok:
            raise AssertionError(f'"{self._name}" does not acknowledge the message: {sent}')

    def look(self) -> Sequence[Letter]:
        """As far as the reader has been handed them."""
        self._fixture.reader(self._real).read()
        return self._letters()

    def look_whole(self, within: float) -> Sequence[Letter]:
        """Up to the ends of all partitions, as another client is told them."""
        with _told():
            ends = self._fixture.admin.end_offsets(self._real)
        self._fixture.reader(self._real).read_to(ends, within=within)
        return self._letters()

    def _letters(self) -> Sequence[Letter]:
        return [
            Letter(
                one.value, one.key,
                {name: value.decode("utf-8", "backslashreplace")
                 for name, value in one.headers.items()},
                f"partition {one.partition}, offset {one.offset}", f"partition {one.partition}",
            )
            for one in self._fixture.reader(self._real).records
        ]  # fmt: skip

    def expected(self) -> Flow | None:
        """What was published is there once, unchanged and in order; None: others publish, too."""
        there = {(one.key, one.value) for one in self._fixture.reader(self._real).records}
        if not self._published or not there <= self._published:
            return None
        return Flow(
            f'"{self._name}"', self._real, self._real, content="bytes", order="sequence",
            allowed=("outstanding",), settled=False,
        )  # fmt: skip


PLACES = Topics
