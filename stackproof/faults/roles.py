"""Which broker has a role now; found anew each time by an independent client."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackproof.faults.brokers import Brokers
from stackproof.polling import poll

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

LEADER, FOLLOWER, CONTROLLER, COORDINATOR = (
    "the leader", "a follower", "the controller", "the group coordinator",
)  # fmt: skip
_KNOWN_WITHIN = 30.0
#: How features call a broker by its role. "The old leader" had it when a step broke it.
WORDS = (
    r'(?:the (?:old )?leader|(?:a|the old) follower|the (?:old )?group coordinator) of "[^"]+"'
    r"|the (?:old )?controller"
)
OLD = "the old "


@dataclass(frozen=True)
class Role:
    """A role that some broker has.

    Attributes:
        kind: one of the four.
        of: the topic or the group, as the scenario's text calls it; the controller is of all.
    """

    kind: str
    of: str = ""

    @classmethod
    def parse(cls, words: str) -> Role:
        """The role in words of `WORDS`, whoever has or had it."""
        kind, _, of = words.partition(" of ")
        kind = kind.replace(f"{OLD}follower", FOLLOWER).replace(OLD, "the ")
        return cls(kind, of.strip('"'))

    def __str__(self) -> str:
        return f'{self.kind} of "{self.of}"' if self.of else self.kind


class Roles:
    """Roles in the cluster of a scenario; leaders and followers are those of partition 0.

    Args:
        session: the scenario.
    """

    def __init__(self, session: ScenarioSession):
        self._session = session
        self._witness = Brokers(session)
        self._brokers = self._witness.numbers

    def seen_by(self, asked: int, role: Role) -> int:
        """Who has a role, as one broker sees it; -1: nobody.

        Raises:
            OSError: it does not answer, or does not know.
        """
        own = self._session.own(role.of)
        if role.kind == CONTROLLER:
            return self._witness.controller_seen_by(asked)
        if role.kind == COORDINATOR:
            return self._witness.coordinator_seen_by(asked, own)
        partition = self._witness.seen_by(asked).partitions[own, 0]
        if role.kind == LEADER:
            return partition.leader
        # In sync: one that lags already would show nothing by its end.
        followers = [n for n in partition.in_sync if n != partition.leader]
        return min(followers, default=-1)

    def holder(self, role: Role, *, without: Collection[int] = ()) -> int:
        """The broker that has a role, as all brokers agree but those ``without``.

        Raises:
            DeadlineExceeded: they did not in time.
        """
        seen = poll(
            lambda: {self.seen_by(n, role) for n in self._brokers if n not in without},
            until=lambda found: len(found) == 1 and min(found) > 0,
            within=self._session.scaled(_KNOWN_WITHIN),
            awaiting=f"all brokers to agree who is {role}",
            retry_on=(OSError, KeyError),
        )
        return seen.pop()

    def await_moved(self, role: Role, broker: int) -> int:
        """Wait until the others have another broker in a role; which, the lowest of several.

        The one that has failed must not have it any more: of a follower, that it is in sync.

        Raises:
            DeadlineExceeded: it has it still, or nobody has: no failover took place.
        """
        others = [n for n in self._brokers if n != broker]

        def seen() -> set[int]:
            if role.kind != FOLLOWER:
                return {self.seen_by(n, role) for n in others}
            topic = self._session.own(role.of)
            views = [self._witness.seen_by(n).partitions[topic, 0] for n in others]
            return {n for view in views for n in view.in_sync if n != view.leader}

        found = poll(
            seen,
            until=lambda who: broker not in who and min(who, default=-1) > 0,
            within=self._session.scaled(_KNOWN_WITHIN),
            awaiting=f"{role} to be another broker than {broker}",
            retry_on=(OSError, KeyError),
        )
        return min(found)

    def await_alone(self, leader: Role, *, within: float, without: Collection[int] = ()) -> None:
        """Wait until the leader of a topic is its only replica in sync, as `holder` asks.

        Raises:
            DeadlineExceeded: others are, after ``within`` seconds.
        """
        own = self._session.own(leader.of)
        asked = [n for n in self._brokers if n not in without]
        poll(
            lambda: {self._witness.seen_by(n).partitions[own, 0].in_sync for n in asked},
            until=lambda found: len(found) == 1 and len(min(found)) == 1, within=within,
            awaiting=f"{leader} to be its only replica in sync", retry_on=(OSError, KeyError),
        )  # fmt: skip
