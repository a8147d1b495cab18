"""Systems that run without the suite: looked at, never launched or ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from stackproof.errors import NotSupported, Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.settings import SystemSettings
from stackproof.systems.launching import filled
from stackproof.systems.readiness import Members, sign_of

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession


class AttachedSystem:
    """What `RunningSystem` is for a system that somebody else runs."""

    def __init__(
        self,
        session: ScenarioSession,
        settings: SystemSettings,
        fields: Mapping[str, str],
        members: Members,
    ):
        self._session = session
        self.settings = settings
        self._fields = fields
        self._members = members
        self.instances: list[Any] = []

    def ensure(self) -> None:
        """See that it runs, as far as its settings tell how to see that.

        Raises:
            Trouble: its sign of readiness is not there.
        """
        sign = sign_of(
            self.settings,
            lambda text: filled(text, self._fields, self.settings),
            members=self._members,
            log=None,
        )
        within = self._session.scaled(self.settings.ready_within)
        try:
            poll(sign.look, within=within, awaiting=sign.awaiting, describe=lambda _: sign.told())
        except DeadlineExceeded as late:
            raise Trouble(
                f"the attached system {self.settings.name} does not seem to run",
                str(late),
                "start it, or correct its sign of readiness in stackproof.toml",
            ) from late
        if not sign.awaiting:
            self._session.parameters["system"] = (
                f"{self.settings.name} is attached; whether it runs is not known before it answers"
            )

    def death(self) -> str | None:
        """None: nobody tells the suite of its end."""
        return None

    def extinct(self) -> bool:
        """False: nobody tells the suite of its end."""
        return False

    def metrics(self) -> NoReturn:
        """Refuse: what it has counted before is not known."""
        self._refuse("has counters that began before the scenario")

    def absent(self) -> NoReturn:
        """Refuse what needs the system not to run yet."""
        self._refuse("cannot be kept from running")

    def start(self) -> NoReturn:
        """Refuse to start one more instance."""
        self._refuse("cannot be started")

    def launch(self, *options: str, **fields: str) -> NoReturn:
        """Refuse to launch one more instance."""
        self._refuse("cannot be launched")

    def stop(self, instance: Any = None) -> NoReturn:
        """Refuse to stop it."""
        self._refuse("cannot be stopped")

    def crash(self, instance: Any = None) -> NoReturn:
        """Refuse to kill it."""
        self._refuse("cannot be made to crash")

    def pause(self, instance: Any = None) -> NoReturn:
        """Refuse to hold it."""
        self._refuse("cannot be paused")

    def resume(self, after: Any) -> NoReturn:
        """Refuse to let it go on."""
        self._refuse("cannot be paused")

    def _refuse(self, what: str) -> NoReturn:
        raise NotSupported(
            f"the system {self.settings.name} {what}",
            "it is attached (attach = true): it runs without the suite, which has no hold on it",
            "run this scenario with a system that the suite launches (command = ...)",
        )
