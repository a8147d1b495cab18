"""A consumer that sends on what it is handed, and ends between sending and committing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.faults.promises.finding import show_found
from stackproof.history import Flow
from stackproof.polling import poll
from stackproof.session.scenario import Kept
from stackproof.texts import counted

if TYPE_CHECKING:
    from stackproof.faults.kafka import Kafka
    from stackproof.history import FlowVerdict
    from stackproof.services.kafka.client import GroupConsumer, Received
    from stackproof.session.scenario import ScenarioSession

_AT_ONCE = 50
_WITHIN = 60.0


class Copying:
    """Copies one topic to another: a consumer ends midway, its successor goes on.

    Args:
        session: the scenario.
        kafka: its cluster.
        source: as the scenario's text calls it; where to take from.
        target: where to.
        group: the consumers' group, as the scenario's text calls it.
    """

    def __init__(
        self, session: ScenarioSession, kafka: Kafka, source: str, target: str, group: str
    ):
        self._session = session
        self._kafka = kafka
        self._source, self._target, self._group = source, target, group
        self._consumer = self._join()

    def _join(self) -> GroupConsumer:
        return self._kafka.join(self._source, self._group)

    def _lag(self) -> int:
        kafka = self._kafka
        return kafka.admin.lag(self._session.own(self._group), kafka.own(self._source))

    def _take(self, count: int) -> list[Received]:
        if self._lag() < count:
            before = f'300 messages are published to "{self._source}"'
            raise step_missing(f'more messages in "{self._source}"', before)
        taken: list[Received] = []

        def so_far() -> int:
            taken.extend(self._consumer.poll(max_records=count - len(taken)))
            return len(taken)

        poll(
            so_far,
            until=lambda number: number == count,
            within=self._session.scaled(_WITHIN),
            awaiting=f'{counted(count, "message")} of "{self._source}"',
        )
        return taken

    def _send(self, records: list[Received]) -> None:
        messages = [record.as_message() for record in records]
        sent = self._kafka.publish(self._target, messages)
        if sent.ok != len(records):
            raise PremiseNotMet(f"of {counted(len(records), 'message')} to send on: {sent}")

    def copy(self, count: int) -> None:
        """Take so many, send them on, and commit.

        Raises:
            PremiseNotMet: there are not so many, or they were not acknowledged.
            DeadlineExceeded: they were not handed out.
        """
        self._send(self._take(count))
        self._consumer.commit()

    def commit_only(self, count: int) -> None:
        """Take so many, commit, and end before they are sent on; errors as of `copy`."""
        self._take(count)
        self._consumer.commit()
        self._end("committed", "sent", count)

    def send_only(self, count: int) -> None:
        """Take so many, send them on, and end before that is committed; errors as of `copy`."""
        self._send(self._take(count))
        self._end("sent", "committed", count)

    def _end(self, done: str, left: str, count: int) -> None:
        self._consumer.close()
        messages = counted(count, "message")
        self._session.history.event(
            "note", f"{self._consumer.name} ends: {messages} {done}, not {left}"
        )

    def copy_rest(self) -> None:
        """Have another consumer of the group copy what is not committed; errors as of `copy`."""
        self._consumer = self._join()

        def left() -> int:
            if records := self._consumer.poll(max_records=_AT_ONCE):
                self._send(records)
                self._consumer.commit()
            return self._lag()

        poll(
            left,
            until=lambda lag: lag == 0,
            within=self._session.scaled(_WITHIN),
            awaiting=f'all of "{self._source}" to be copied',
            describe=lambda lag: f"{counted(lag, 'message')} not committed",
        )
        self._consumer.close()

    def check(self, guarantee: str, expected: str) -> FlowVerdict:
        """Check that what its end cost is found, under its name, and nothing else.

        Raises:
            AssertionError: see `ScenarioSession.assert_flow`.
        """
        kafka, session = self._kafka, self._session
        kafka.final_drain(kafka.own(self._target))
        verdict = session.assert_flow(
            Flow(f'"{self._source}" to "{self._target}"',
                 kafka.own(self._source), kafka.own(self._target), content="bytes",
                 guarantee=guarantee, expected=(expected,), drained=True)
        )  # fmt: skip
        show_found(session, verdict)
        return verdict


#: Later steps go on with it.
COPYING = Kept[Copying](
    "a consumer that copies",
    'a consumer of group "invoicing" copies 50 messages from "orders" to "invoices"',
)
