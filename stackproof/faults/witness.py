"""Independent clients: what they find is the proof of a fault and of its healing."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stackproof.errors import NotSupported, Trouble
from stackproof.services import service
from stackproof.services.nodes import Service, instance
from stackproof.services.probe import (
    AcceptsWrites,
    Carries,
    HasAgents,
    HasRoles,
    HasSuccessors,
    Probe,
    SeesPeers,
)
from stackproof.services.reaching import Answer
from stackproof.urls import split_host_and_port

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

#: Seconds in which a node that nothing ails answers, a busy machine included.
ANSWERS_WITHIN = 2.0
#: Seconds in which a connection is reset, if it is.
_RESET_WITHIN = 0.5


class Witness:
    """Asks single nodes of a scenario's cluster, past all proxies unless as its clients do.

    Args:
        session: the scenario.
        name: the service, as the scenario knows it.

    Attributes:
        title: the service's, for people.
        instances: what the run calls each node.
    """

    def __init__(self, session: ScenarioSession, name: str):
        kind = service(name)
        assert isinstance(kind, Service), f"{name} does not say its nodes"
        self._session, self._kind = session, kind
        self._as_client = session.endpoint(name)
        self._direct = self._as_client.past_proxies()
        self.title = kind.title
        named = {node: instance(self._direct.cluster, node) for node in self._direct.addresses}
        self.instances: Mapping[str, str] = {
            node: name for node, name in named.items() if name in self._direct.instances
        }

    def untold(self, fault: str, target: str) -> str:
        """Why nobody can prove a kind of fault of a node; empty: it can be proved."""
        told, names = self._kind.untold, [fault, f"{fault} of {target}"]
        if self._direct.provider == "docker":
            names.append(f"{fault} in containers")
        return next((told[name] for name in names if name in told), "")

    def _probe(self, *, as_client: bool = False, within: float = ANSWERS_WITHIN) -> Probe:
        endpoint = self._as_client if as_client else self._direct
        return self._kind.probe(endpoint, timeout=self._session.scaled(within))

    def ask(self, node: str, *, as_client: bool = False, within: float = ANSWERS_WITHIN) -> Answer:
        """One request to a node, over a connection of its own; ``within``: seconds.

        Where there is no answer, TCP itself is tried.
        """
        began = time.perf_counter()
        with contextlib.closing(self._probe(as_client=as_client, within=within)) as probe:
            problem = self._problem(lambda: probe.answers(node))
        seconds = time.perf_counter() - began
        if not problem:
            return Answer(True, True, seconds)
        endpoint = self._as_client if as_client else self._direct
        place = split_host_and_port(endpoint.addresses[node].partition("/")[0])
        try:
            with socket.create_connection(place, self._session.scaled(1.0)) as connection:
                connection.settimeout(_RESET_WITHIN)
                with contextlib.suppress(TimeoutError):
                    connection.sendall(self._kind.hello)
                    connection.recv(1)
        except ConnectionResetError:
            return Answer(True, False, seconds, f"{problem}; TCP: connection reset by peer")
        except OSError:
            return Answer(False, False, seconds, problem)
        return Answer(True, False, seconds, problem)

    def _problem(self, question: Callable[[], object]) -> str:
        try:
            question()
        except self._kind.unready as error:
            return " ".join(f"{type(error).__name__}: {error}".split())
        return ""

    def standing(self, node: str) -> str:
        """What ails a node; empty: it answers, and its peers have it among them."""
        with contextlib.closing(self._probe()) as probe:
            ailment = self._problem(lambda: probe.answers(node))
            if not ailment and isinstance(seeing := probe, SeesPeers):
                ailment = self._problem(lambda: seeing.seen_by_peers(node))
        return ailment

    def missed(self, node: str) -> str:
        """How its peers see that they are without a node; empty: they are not.

        Raises:
            NotSupported: it has no peers, or they cannot be asked.
        """
        with contextlib.closing(self._probe()) as probe:
            if len(self.instances) < 2:
                raise self._unable("whether its peers miss it", "it has none")
            if not isinstance(probe, SeesPeers):
                raise self._unable("whether its peers miss it", "its nodes do not tell")
            return self._problem(lambda: probe.seen_by_peers(node))

    def holder(self, role: str) -> str:
        """The node that has a role; empty: they do not agree who.

        Raises:
            NotSupported: nobody can tell.
        """
        with contextlib.closing(self._probe()) as probe:
            if not isinstance(probe, HasRoles):
                raise self._unable(f"which node is the {role}", "its probe does not ask for it")
            with contextlib.suppress(*self._kind.unready):
                return probe.holder(role)
        return ""

    def replaced(self, node: str) -> bool:
        """Whether another node has taken over what this one did.

        Raises:
            NotSupported: nobody can tell.
        """
        with contextlib.closing(self._probe()) as probe:
            if not isinstance(probe, HasSuccessors):
                raise self._unable("whether another node has taken over", "its nodes do not tell")
            with contextlib.suppress(*self._kind.unready):
                return probe.replaced(node)
        return False

    def agent(self, node: str) -> str:
        """What ails the agent that manages a node; empty: it answers.

        Raises:
            NotSupported: it has none.
        """
        with contextlib.closing(self._probe()) as probe:
            if not isinstance(probe, HasAgents):
                raise self._unable("whether an agent manages it", "its nodes have none")
            return self._problem(lambda: probe.agent_answers(node))

    def refusal(self, node: str) -> str:
        """How a node refuses to be written to; empty: it accepts it.

        Raises:
            NotSupported: that cannot be found out.
        """
        with contextlib.closing(self._probe()) as probe:
            if not isinstance(probe, AcceptsWrites):
                raise self._unable("whether it accepts writes", "its probe does not write")
            return self._problem(lambda: probe.accepts_writes(node))

    def rate(self, node: str, size: int, *, within: float) -> float:
        """Bytes a second of ``size`` bytes each way, as clients get them.

        Raises:
            OSError: they did not get through ``within`` seconds.
            NotSupported: that cannot be measured.
        """
        with contextlib.closing(self._probe(as_client=True, within=within)) as probe:
            if not isinstance(probe, Carries):
                raise self._unable("how fast it is for clients", "its probe carries no bytes")
            began = time.perf_counter()
            if problem := self._problem(lambda: probe.carries(node, size)):
                raise OSError(problem)
        return 2 * size / (time.perf_counter() - began)

    def _unable(self, what: str, why: str) -> NotSupported:
        return NotSupported(
            f"of {self.title} nobody can tell {what}", why, "see the table in docs/faults.md"
        )


def instance_of(witness: Witness, node: str) -> str:
    """What the run calls a node.

    Raises:
        Trouble: the suite started no such node.
    """
    if node not in witness.instances:
        raise Trouble(
            f"there is no {node.replace('-', ' ')} to be broken",
            f"of {witness.title} the suite started {', '.join(witness.instances) or 'none'}",
            "correct the step",
        )
    return witness.instances[node]
