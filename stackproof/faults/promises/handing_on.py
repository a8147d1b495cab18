"""A consumer that commits before or after its work, and ends in between: what that costs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.faults.promises.finding import show_found
from stackproof.history import Flow
from stackproof.polling import poll
from stackproof.texts import counted

if TYPE_CHECKING:
    from stackproof.faults.kafka import Kafka
    from stackproof.history import FlowVerdict
    from stackproof.services.kafka.client import GroupConsumer, Received
    from stackproof.session.scenario import ScenarioSession

_GROUP = "invoicing"
_AT_ONCE = 50
_WITHIN = 60.0

#: When a consumer commits, as features say it: the guarantee that this is, and the anomaly
#: that must be found when it ends between committing and sending.
COMMITTING = {
    "commits before it sends": ("at-most-once", "lost"),
    "commits after it has sent": ("at-least-once", "duplicated"),
}


class HandingOn:
    """Hands on what is in one topic to another: a consumer ends midway, its successor goes on.

    Args:
        session: the scenario.
        kafka: its cluster.
        source: as the scenario's text calls it; where to take from.
        target: where to.
        committing: one of `COMMITTING`.
    """

    def __init__(
        self, session: ScenarioSession, kafka: Kafka, source: str, target: str, committing: str
    ):
        self._session = session
        self._kafka = kafka
        self._source, self._target = source, target
        self._guarantee, self._expected = COMMITTING[committing]
        self._early = self._guarantee == "at-most-once"
        #: Messages that its end came between.
        self.between = 0

    def run(self) -> None:
        """Hand on a part, end between committing and sending, and have the rest handed on.

        Raises:
            PremiseNotMet: there was not enough to hand on.
            DeadlineExceeded: it was not handed out.
        """
        kafka = self._kafka
        first = self._join()
        self._pass_on(self._take(first), first)
        self._end_between(self._take(first), first)
        second = self._join()
        group, source = self._session.own(_GROUP), kafka.own(self._source)

        def left() -> int:
            self._pass_on(second.poll(max_records=_AT_ONCE), second)
            return kafka.admin.lag(group, source)

        poll(
            left,
            until=lambda lag: lag == 0,
            within=self._session.scaled(_WITHIN),
            awaiting=f'all of "{self._source}" to be handed on',
            describe=lambda lag: f"{counted(lag, 'message')} not committed",
        )
        second.close()

    def _join(self) -> GroupConsumer:
        return self._kafka.join(self._source, _GROUP)

    def _take(self, consumer: GroupConsumer) -> list[Received]:
        kafka = self._kafka
        left = kafka.admin.lag(self._session.own(_GROUP), kafka.own(self._source))
        if left == 0:
            before = f'300 messages are published to "{self._source}"'
            raise step_missing(f'more messages in "{self._source}"', before)
        return poll(
            lambda: consumer.poll(max_records=_AT_ONCE),
            until=bool,
            within=self._session.scaled(_WITHIN),
            awaiting=f'messages of "{self._source}"',
        )

    def _send(self, records: list[Received]) -> None:
        messages = [record.as_message() for record in records]
        sent = self._kafka.publish(self._target, messages)
        if sent.ok != len(records):
            raise PremiseNotMet(f"of {counted(len(records), 'message')} to hand on: {sent}")

    def _halves(
        self, records: list[Received], consumer: GroupConsumer
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """Committing and sending, in this consumer's order."""
        commit, send = consumer.commit, partial(self._send, records)
        return (commit, send) if self._early else (send, commit)

    def _pass_on(self, records: list[Received], consumer: GroupConsumer) -> None:
        if records:
            for half in self._halves(records, consumer):
                half()

    def _end_between(self, records: list[Received], consumer: GroupConsumer) -> None:
        first, _ = self._halves(records, consumer)
        first()
        self.between = len(records)
        consumer.close()
        self._session.history.event(
            "note",
            f"{consumer.name} ends between committing and sending: "
            f"{counted(self.between, 'message')}",
        )

    def check(self) -> FlowVerdict:
        """Check that what its end cost is found, under its name, and nothing else.

        Raises:
            AssertionError: see `ScenarioSession.assert_flow`.
        """
        kafka, session = self._kafka, self._session
        kafka.final_drain(kafka.own(self._target))
        verdict = session.assert_flow(
            Flow(f'"{self._source}" to "{self._target}"',
                 kafka.own(self._source), kafka.own(self._target), content="bytes",
                 guarantee=self._guarantee, expected=(self._expected,), drained=True)
        )  # fmt: skip
        show_found(session, verdict)
        return verdict
