"""The external provider: somebody's endpoints. Nothing is started; only what their owner has
written commands for is stopped and broken, and started again.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from stackproof import guard, names
from stackproof.actions import Action
from stackproof.errors import NotSupported, Trouble, explained
from stackproof.obtain import Say
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes.run import Run
from stackproof.services.base import (
    EXTERNAL,
    Clearable,
    Endpoint,
    Explaining,
    Requirement,
    Service,
    resolve_options,
)
from stackproof.services.external import connect, host_and_port
from stackproof.services.nodes import Service as NodeService
from stackproof.services.nodes import instance
from stackproof.services.probe import SeesPeers
from stackproof.services.where import Sketch
from stackproof.settings import Settings
from stackproof.settings.nodes import NodeSettings
from stackproof.stack.owners import Owner
from stackproof.urls import host_and_port as joined

log = logging.getLogger(__name__)

#: An endpoint that is there answers soon; nobody waits a minute for a wrong address.
ANSWERS_WITHIN = 15.0
#: Seconds; the first one is short, because what is definitely wrong is found out after it.
_FIRST_CHECK, _CHECK = 2.0, 5.0
_ORIGINS = "`stackproof doctor` shows where each setting comes from"


class ExternalCluster:
    """An endpoint that runs without the suite.

    Args:
        service: what is there.
        endpoint: how to reach it.
        prefix: what all names of this run begin with.
        owner: breaks and heals its nodes; None: nobody may.
        within: seconds for it to be well again after it was broken.
        ended: called at its end.
    """

    def __init__(
        self,
        service: Service,
        endpoint: Endpoint,
        prefix: str,
        owner: Owner | None = None,
        *,
        within: float = 0.0,
        ended: Callable[[], None] = lambda: None,
    ):
        self.endpoint = endpoint
        self._service = service
        self._prefix = prefix
        self._owner = owner
        self._within = within
        self._ended = ended

    def logs(self) -> Mapping[str, Path]:
        """None: they are not ours to read."""
        return {}

    def memory(self) -> Mapping[str, int]:
        """Not known: these servers are somebody else's."""
        return {}

    def death(self) -> str | None:
        """Not watched."""
        return None

    def stop(self) -> None:
        """Heal what is broken, and remove what this run created; the endpoint itself stays.

        Raises:
            Trouble: something is left, or left broken.
        """
        try:
            self._make_well()
            self._clear()
        finally:
            self._ended()

    def _make_well(self) -> None:
        if self._owner is None or not self._owner.touched:
            return
        problems = self._owner.heal()
        try:
            _await_well(self._service, self.endpoint, within=self._within)
        except DeadlineExceeded as late:
            problems.append(str(late))
        if problems:
            raise Trouble(
                f"{self._service.title} at {self._service.ready_line(self.endpoint)}, which the "
                "suite did not start, is left broken",
                "\n".join(problems),
                "mend it by hand, then the commands of its owner that should have done it",
            )

    def _clear(self) -> None:
        if not isinstance(self._service, Clearable):
            return
        try:
            with asked(self._service, self.endpoint):
                found = self._service.leftovers(self.endpoint, self._prefix)
                if found:
                    self._service.remove(self.endpoint, found)
        except NotSupported as lacking:
            # Scenarios have removed what is theirs, or it was told by them.
            log.warning("what the run left cannot be searched for: %s", lacking)

    def unhealed(self) -> str | None:
        """Nobody can tell what else its owners do with it."""
        return "the suite did not start it"

    def act(self, instance: str, action: Action) -> None:
        """Run the command that the owner of the servers has for it.

        Raises:
            NotSupported: there is none.
            Trouble: it failed.
        """
        if self._owner is None:
            doing = f"would {action} {instance}"
            raise guard.no_hold(self._service.title, doing, self._service.name)
        self._owner.act(instance, action)


class ExternalProvider:
    """Finds services on endpoints that the settings name."""

    name = EXTERNAL

    def __init__(self, run: Run, settings: Settings):
        self._run = run
        self._settings = settings
        self._dedicated: set[str] = set()

    def obtain(self, service: Service, say: Say) -> None:
        """Nothing is needed."""

    def origin(self, service: Service) -> str:
        """Not known."""
        return ""

    def obtain_for(self, service: Service, options: Mapping[str, Any], say: Say) -> None:
        """Nothing is needed, and nothing is broken here."""

    def start(self, service: Service, requirement: Requirement, cluster: str) -> ExternalCluster:
        """Reach the endpoint; returns once it answered.

        Raises:
            NotSupported: nobody can break it, though it is to be; or it is to be otherwise than
                it is.
            Refused: it is to be broken, and nobody has allowed that by name.
            Trouble: it is not configured, or does not answer.
        """
        factor = self._settings["run.time_factor"]
        prefix = names.of_run(self._settings["run.prefix"], self._run.id)
        options = dict(requirement.options)
        if not requirement.dedicated:
            _demand_verifiable(service, options, structural=())
            endpoint = external_endpoint(self._settings, service, cluster, options)
            wait_answers(service, endpoint, within=ANSWERS_WITHIN * factor)
            return ExternalCluster(service, endpoint, prefix)
        return self._start_dedicated(service, options, cluster, prefix, factor)

    def _start_dedicated(
        self, service: Service, options: Mapping[str, Any], cluster: str, prefix: str, factor: float
    ) -> ExternalCluster:
        """The endpoint for one scenario, which may break it."""
        nodes = self._settings.service(service.name).nodes
        if not nodes:
            raise guard.no_hold(service.title, "stops or breaks servers", service.name)
        structural = _structural(service, options)
        _demand_verifiable(service, options, structural=structural)
        wanted = nodes_of(service, options)
        if structural and _kinds(wanted) != _kinds(nodes):
            raise NotSupported(
                f"the external {service.title} has other nodes than this scenario needs",
                f"it asks for {', '.join(wanted)}; of {', '.join(nodes)} it is written down how "
                "they can be broken",
                f"write [services.{service.name}.nodes.NAME] for each node (docs/endpoints.md), or "
                "run it on a stack of the suite's own (STACK=native or STACK=docker)",
            )
        if service.name in self._dedicated:
            raise NotSupported(
                f"there is but one external {service.title}",
                "this scenario needs a second one that it may break",
                "run it on a stack of the suite's own (STACK=native or STACK=docker)",
            )
        endpoint = external_endpoint(self._settings, service, cluster, options, nodes)
        guard.demand(endpoint, "stops or breaks servers")
        wait_answers(service, endpoint, within=ANSWERS_WITHIN * factor)
        _demand_well(service, endpoint, within=ANSWERS_WITHIN * factor)
        file = self._settings.file
        owner = Owner(
            self._run,
            service.title,
            {instance(cluster, name): node for name, node in nodes.items()},
            directory=file.parent if file is not None else Path.cwd(),
            factor=factor,
        )
        self._dedicated.add(service.name)
        return ExternalCluster(
            service,
            endpoint,
            prefix,
            owner,
            within=service.start_within * factor,
            ended=lambda: self._dedicated.discard(service.name),
        )

    def give_up(self) -> None:
        """Nothing is under way."""


def nodes_of(service: Service, options: Mapping[str, Any]) -> list[str]:
    """Names of the nodes of a cluster with these options; none: it is not said by nodes."""
    if not isinstance(service, NodeService):
        return []
    return [node.name for node in service.nodes(Sketch(resolve_options(service, options)))]


def _structural(service: Service, options: Mapping[str, Any]) -> set[str]:
    """Options that say which nodes there are: they are found to be there, or not."""
    every = nodes_of(service, options)
    return {
        name
        for name in options
        if every != nodes_of(service, {key: options[key] for key in options if key != name})
    }


def _kinds(nodes: Iterable[str]) -> Counter[str]:
    """How many nodes of each kind: numbers need not begin with 1."""
    return Counter(re.sub(r"-\d+$", "", name) for name in nodes)


def _demand_verifiable(
    service: Service, options: Mapping[str, Any], *, structural: Collection[str]
) -> None:
    for option, value in options.items():
        if option not in structural and option not in getattr(service, "verified_options", ()):
            raise NotSupported(
                f"the external {service.title} is as it is",
                f"this scenario asks for {option} = {value!r}",
                "run it on a stack of the suite's own (STACK=native or STACK=docker)",
            )


def _await_well(service: Service, endpoint: Endpoint, *, within: float) -> None:
    """Wait until every node answers, and its peers have it among them.

    Raises:
        DeadlineExceeded: one does not.
    """

    def look() -> None:
        service.check(endpoint, timeout=_CHECK)
        if isinstance(service, NodeService):
            with closing(service.probe(endpoint, timeout=_CHECK)) as probe:
                for node in endpoint.addresses:
                    probe.answers(node)
                    if isinstance(probe, SeesPeers):
                        probe.seen_by_peers(node)

    def well() -> bool:
        try:
            look()
        except service.unready:
            raise
        except Exception as error:
            raise _told(service, endpoint, error) from error
        return True

    poll(well, within=within, awaiting=f"{service.title} to be well", retry_on=service.unready)


def _demand_well(service: Service, endpoint: Endpoint, *, within: float) -> None:
    try:
        _await_well(service, endpoint, within=within)
    except DeadlineExceeded as late:
        raise Trouble(
            f"the external {service.title} is not well before it is broken",
            str(late),
            f"see to its nodes, and to what is said of them; {_ORIGINS}",
        ) from late


def external_endpoint(
    settings: Settings,
    service: Service,
    cluster: str,
    options: Mapping[str, Any],
    nodes: Mapping[str, NodeSettings] | None = None,
) -> Endpoint:
    """The endpoint that the settings describe; nothing is connected yet.

    Args:
        settings: of the run.
        service: what is there.
        cluster: its name in this run.
        options: what is asked of it.
        nodes: those that may be broken, by name; None: it is none of ours to break.

    Raises:
        Trouble: a setting is missing or wrong.
    """
    configured = settings.service(service.name)
    addresses, access = connect(service, configured.texts)
    if nodes:
        addresses = _by_node(service, addresses, nodes)
    return Endpoint(
        service=service.name,
        cluster=cluster,
        provider=ExternalProvider.name,
        addresses=addresses,
        options=resolve_options(service, options),
        instances=[instance(cluster, name) for name in nodes or ()],
        access=access,
        destructive=guard.allowed(addresses.values(), configured.allow_destructive),
        prefix=settings["run.prefix"],
    )


def _by_node(
    service: Service, addresses: Mapping[str, str], nodes: Mapping[str, NodeSettings]
) -> dict[str, str]:
    """The address of each node; the first one's is the endpoint's unless it says another."""
    first, address = next(iter(addresses.items()))
    every = nodes_of(service, {})
    _, slash, path = address.partition("/")
    found = {}
    for name, node in nodes.items():
        if node.address:
            host, port = host_and_port(service, f"nodes.{name}.address", node.address)
            found[name] = f"{joined(host, port)}{slash}{path}"
        elif name == first:
            found[name] = address
        else:
            raise Trouble(
                f"{node.section} has no address",
                f"{first} is where the endpoint is; {name} is another node of it",
                'write address = "host:port" there, as the suite reaches it',
            )
    # Clients of one that is said by its nodes come to these; what else names it is none of them.
    kept = {} if isinstance(service, NodeService) and first not in every else addresses
    return {**kept, **found}


@contextmanager
def asked(service: Service, endpoint: Endpoint) -> Iterator[None]:
    """Whatever a server answers that is not ours, or its client makes of it, becomes a Trouble.

    Raises:
        Trouble: what the server said.
    """
    try:
        yield
    except Exception as error:
        raise _told(service, endpoint, error) from error


def _told(service: Service, endpoint: Endpoint, error: Exception) -> Trouble:
    place = service.ready_line(endpoint)
    trouble = explained(error)
    if trouble is error and isinstance(error, Trouble):
        return error
    if isinstance(trouble, Trouble):
        return type(trouble)(trouble.what, f"{place}: {trouble.why}", trouble.remedy)
    return Trouble(
        f"{service.title} answers what the suite does not understand",
        f"{place}: {type(error).__name__}: {error}",
        "look at that server's version, settings and log",
    )


def wait_answers(service: Service, endpoint: Endpoint, *, within: float) -> None:
    """Wait until an endpoint answers, or it is known why it will not.

    Args:
        within: seconds.

    Raises:
        Trouble: it does not answer.
    """

    checks = iter((_FIRST_CHECK,))

    def check() -> None:
        try:
            service.check(endpoint, timeout=next(checks, _CHECK))
        except service.unready:
            # What waiting cannot mend is told at once, and by its name.
            if isinstance(service, Explaining):
                trouble = service.why_unreachable(endpoint, timeout=_CHECK)
                if trouble is not None:
                    raise trouble from None
            raise
        except Exception as error:
            raise _told(service, endpoint, error) from error

    try:
        poll(
            check,
            until=lambda _: True,
            within=within,
            awaiting=f"{service.title} at {', '.join(endpoint.addresses.values())} to answer",
            retry_on=service.unready,
        )
    except DeadlineExceeded as late:
        raise Trouble(
            f"the external {service.title} does not answer",
            str(late),
            f"check address, network and credentials; {_ORIGINS}",
        ) from late
    except NotSupported:
        raise
    except Trouble as trouble:
        raise Trouble(
            f"the external {service.title} cannot be used: {trouble.what}",
            trouble.why,
            f"{trouble.remedy}; {_ORIGINS}",
        ) from trouble
