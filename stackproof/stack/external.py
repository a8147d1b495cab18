"""The external provider: somebody's endpoints. Nothing is started and nothing is stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackproof import guard, names
from stackproof.actions import Action
from stackproof.errors import NotSupported, Trouble, explained
from stackproof.obtain import Say
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes.run import Run
from stackproof.services.base import (
    Clearable,
    Endpoint,
    Explaining,
    Requirement,
    Service,
    resolve_options,
)
from stackproof.services.external import connect
from stackproof.settings import Settings

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
    """

    def __init__(self, service: Service, endpoint: Endpoint, prefix: str):
        self.endpoint = endpoint
        self._service = service
        self._prefix = prefix

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
        """Remove what this run created there; the endpoint itself stays as it is.

        Raises:
            Trouble: something is left.
        """
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

    def act(self, instance: str, action: Action) -> Any:
        """Refused: there is no hold on servers that the suite did not start."""
        raise guard.no_hold(self._service.title, f"would {action} {instance}")


class ExternalProvider:
    """Finds services on endpoints that the settings name."""

    name = "external"

    def __init__(self, run: Run, settings: Settings):
        self._run = run
        self._settings = settings

    def obtain(self, service: Service, say: Say) -> None:
        """Nothing is needed."""

    def origin(self, service: Service) -> str:
        """Not known."""
        return ""

    def obtain_means(self, options: Mapping[str, Any], say: Say) -> None:
        """Nothing is broken here."""

    def start(self, service: Service, requirement: Requirement, cluster: str) -> ExternalCluster:
        """Reach the endpoint; returns once it answered.

        Raises:
            NotSupported: the cluster is to be broken, or to be otherwise than it is.
            Trouble: it is not configured, or does not answer.
        """
        if requirement.dedicated:
            raise guard.no_hold(service.title, "stops or breaks servers")
        for option, value in requirement.options:
            if option not in getattr(service, "verified_options", ()):
                raise NotSupported(
                    f"the external {service.title} is as it is",
                    f"this scenario asks for {option} = {value!r}",
                    "run it on a stack of the suite's own (STACK=native or STACK=docker)",
                )
        endpoint = external_endpoint(self._settings, service, cluster, dict(requirement.options))
        wait_answers(service, endpoint, within=ANSWERS_WITHIN * self._settings["run.time_factor"])
        prefix = names.of_run(self._settings["run.prefix"], self._run.id)
        return ExternalCluster(service, endpoint, prefix)

    def give_up(self) -> None:
        """Nothing is under way."""


def external_endpoint(
    settings: Settings, service: Service, cluster: str, options: Mapping[str, Any]
) -> Endpoint:
    """The endpoint that the settings describe; nothing is connected yet.

    Raises:
        Trouble: a setting is missing or wrong.
    """
    configured = settings.service(service.name)
    addresses, access = connect(service, configured.texts)
    return Endpoint(
        service=service.name,
        cluster=cluster,
        provider=ExternalProvider.name,
        addresses=addresses,
        options=resolve_options(service, options),
        access=access,
        destructive=guard.allowed(addresses.values(), configured.allow_destructive),
        prefix=settings["run.prefix"],
    )


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
