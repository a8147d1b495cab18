"""Which broker has a role now; found anew each time by an independent client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.faults.brokers import Brokers
from stackproof.polling import poll

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

LEADER, FOLLOWER, CONTROLLER, COORDINATOR = ROLES = (
    "the leader",
    "a follower",
    "the controller",
    "the group coordinator",
)
_KNOWN_WITHIN = 30.0


class Roles:
    """Roles in the cluster of a scenario, for one topic and one group.

    Args:
        session: the scenario.
        topic: its real name; leader and follower are those of its partition 0.
        group: its real name; needed for the coordinator.
    """

    def __init__(self, session: ScenarioSession, topic: str, group: str = ""):
        self._session = session
        self._topic, self._group = topic, group
        self._witness = Brokers(session)
        self._brokers = self._witness.numbers

    def seen_by(self, asked: int, role: str) -> int:
        """Who has a role, as one broker sees it; -1: nobody.

        Raises:
            OSError: it does not answer, or does not know.
        """
        if role == CONTROLLER:
            return self._witness.controller_seen_by(asked)
        if role == COORDINATOR:
            return self._witness.coordinator_seen_by(asked, self._group)
        partition = self._witness.seen_by(asked).partitions[self._topic, 0]
        if role == LEADER:
            return partition.leader
        # In sync: one that lags already would show nothing by its end.
        followers = [n for n in partition.in_sync if n != partition.leader]
        return min(followers, default=-1)

    def holder(self, role: str) -> int:
        """The broker that has a role, as all brokers agree.

        Raises:
            DeadlineExceeded: they did not in time.
        """
        seen = poll(
            lambda: {self.seen_by(n, role) for n in self._brokers},
            until=lambda found: len(found) == 1 and min(found) > 0,
            within=self._session.scaled(_KNOWN_WITHIN),
            awaiting=f"all brokers to agree who is {role}",
            retry_on=(OSError, KeyError),
        )
        return seen.pop()

    def await_moved(self, role: str, broker: int) -> int:
        """Wait until the others have another broker in a role; which, the lowest of several.

        The one that has failed must not have it any more: of a follower, that it is in sync.

        Raises:
            DeadlineExceeded: it has it still, or nobody has: no failover took place.
        """
        others = [n for n in self._brokers if n != broker]

        def seen() -> set[int]:
            if role != FOLLOWER:
                return {self.seen_by(n, role) for n in others}
            views = [self._witness.seen_by(n).partitions[self._topic, 0] for n in others]
            return {n for view in views for n in view.in_sync if n != view.leader}

        found = poll(
            seen,
            until=lambda who: broker not in who and min(who, default=-1) > 0,
            within=self._session.scaled(_KNOWN_WITHIN),
            awaiting=f"{role} to be another broker than {broker}",
            retry_on=(OSError, KeyError),
        )
        return min(found)
