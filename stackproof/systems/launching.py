"""Launching and watching systems under test."""

from __future__ import annotations

import signal
import string
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from stackproof.errors import PremiseNotMet, Trouble, step_missing
from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.ports import free_port
from stackproof.processes.process import Ended, ManagedProcess, describe_exit, told_end
from stackproof.settings import SystemSettings
from stackproof.settings.systems import spoken
from stackproof.systems.readiness import Members, Sign, sign_of

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession


class RunningSystem:
    """The instances of one system within one scenario.

    Args:
        session: the scenario.
        settings: how the system is launched.
        fields: values for the ``{}`` fields of its command and environment; each
            instance has a free ``{port}`` and ``{metrics_port}`` besides.
        members: of its consumer group.
    """

    def __init__(
        self,
        session: ScenarioSession,
        settings: SystemSettings,
        fields: Mapping[str, str],
        members: Members = frozenset,
    ):
        self._session = session
        self.settings = settings
        self._fields = fields
        self._members = members
        self.instances: list[ManagedProcess] = []
        self._paused: list[ManagedProcess] = []
        self._metrics: dict[ManagedProcess, str] = {}
        self._launched = 0

    def start(self) -> ManagedProcess:
        """Launch one more instance and wait until it is ready.

        Raises:
            Trouble: it ended before it was ready, or was not ready in time.
        """
        instance, sign = self._launch((), {})
        self._wait_ready(instance, sign)
        self._session.history.event("start", f"{instance.name} ready")
        return instance

    def launch(self, *options: str, **fields: str) -> ManagedProcess:
        """Launch one more instance without waiting until it is ready.

        Args:
            options: what stands behind its command.
            fields: values that differ from the scenario's, e.g. the address of no broker.
        """
        return self._launch(options, fields)[0]

    def _launch(
        self, options: Sequence[str], other: Mapping[str, str]
    ) -> tuple[ManagedProcess, Sign]:
        settings = self.settings
        self._launched += 1
        name = f"{settings.name}-{self._launched}"
        ports = {"port": str(free_port()), "metrics_port": str(free_port())}
        fields = {**self._fields, **ports, **other}
        argv = [filled(word, fields, settings) for word in (*settings.command, *options)]
        environment = {k: filled(v, fields, settings) for k, v in settings.environment.items()}
        metrics = filled(settings.metrics.url, fields, settings)
        log = self._session.directory / f"{name}.log"
        sign = sign_of(
            settings, lambda text: filled(text, fields, settings), members=self._members, log=log
        )
        try:
            instance = ManagedProcess(
                name,
                argv,
                log=log,
                cwd=settings.directory,
                env=environment,
                run=self._session.run,
            )
        except OSError as error:
            raise Trouble(
                f"the system {settings.name} cannot be launched",
                f"{argv[0]}: {error.strerror}",
                f"correct `command` in [systems.{settings.name}] of stackproof.toml",
            ) from error
        self._session.add_cleanup(lambda: self._end(instance))
        self.instances.append(instance)
        self._metrics[instance] = metrics
        self._session.history.event("start", f"{name} starts")
        # A daemon: a worker that ends must not wait for it.
        threading.Thread(target=self._watch, args=(instance,), daemon=True).start()
        return instance, sign

    def _watch(self, instance: ManagedProcess) -> None:
        """Note at once when an instance ends that nobody has ended."""
        how = describe_exit(instance.join())
        if instance in self.instances:
            self._session.history.event("death", f"{instance.name} {how}")

    def _wait_ready(self, instance: ManagedProcess, sign: Sign) -> None:
        within = self._session.scaled(self.settings.ready_within)
        try:
            poll(
                sign.look,
                within=within,
                awaiting=sign.awaiting,
                describe=lambda _: sign.told(),
                alive=instance.death,
                longest_pause=0.03,
            )
        except Died as death:
            raise Trouble(
                f"the system {self.settings.name} failed to start",
                str(death),
                "its log's end above usually names the cause; its command line was: "
                + " ".join(instance.argv),
            ) from death
        except DeadlineExceeded as late:
            raise Trouble(
                f"the system {self.settings.name} was not ready within {within:g} s",
                f"{late}\nits log ends:\n{instance.log_end()}",
                "correct the sign of readiness or `ready_within` in "
                f"[systems.{self.settings.name}] of stackproof.toml, or mend the system",
            ) from late

    def ensure(self) -> None:
        """Launch an instance; see `start`."""
        self.start()

    def absent(self) -> None:
        """Nothing: no instance runs before `start`."""

    def metrics(self) -> list[str]:
        """Where each running instance tells its counters."""
        return [self._metrics[instance] for instance in self.instances]

    def death(self) -> str | None:
        """None while all instances that should run do, else which died and how."""
        return next((d for i in self.instances if (d := i.death())), None)

    def extinct(self) -> bool:
        """Whether none of those that should run lives any more."""
        return all(instance.death() for instance in self.instances)

    def stop(self, instance: ManagedProcess | None = None) -> None:
        """End one instance (the oldest) as an operator would: SIGTERM, and a while to finish.

        Raises:
            AssertionError: it had ended before, did not end in time, or not as its settings
                allow.
        """
        instance = self._take(instance)
        within = self._session.scaled(self.settings.stop_within)
        self._session.history.event("stop", f"{instance.name} told to stop")
        end = instance.terminate(within)
        self._session.history.event("stop", f"{instance.name} {end}")
        if problem := self._disorder(instance, end, within):
            raise AssertionError(told_end(instance.name, problem, instance.log_end()))

    def _disorder(self, instance: ManagedProcess, end: Ended, within: float) -> str:
        """Why that was no orderly end, in words; empty: it was."""
        if end.after is None or end.overdue is not None:
            return str(end)
        allowed = self.settings.stop_exit_codes
        if end.code in allowed:
            # A wrapper that ends alone leaves behind what it was there for.
            left = instance.left_behind(within - end.after)
            return f"{end}, but what it had started still runs: {', '.join(left)}" if left else ""
        unheard = end.code == -signal.SIGTERM
        handler = ": it, or its wrapper, has no handler for that" if unheard else ""
        return f"{end}{handler} (stop_exit_codes allows {', '.join(map(str, allowed))})"

    def crash(self, instance: ManagedProcess | None = None) -> None:
        """Kill one instance (the oldest) without warning.

        Raises:
            AssertionError: it had ended before.
        """
        instance = self._take_living(instance)
        instance.kill()
        self._session.history.event("fault", f"{instance.name} killed")

    def pause(self, instance: ManagedProcess | None = None) -> None:
        """Hold one instance (the oldest) without its knowledge; until `resume` it is none.

        Raises:
            AssertionError: it had ended before.
        """
        instance = self._take_living(instance)
        instance.pause()
        self._paused.append(instance)
        self._session.history.event("fault", f"{instance.name} paused")

    def resume(self, after: Callable[[], None]) -> None:
        """Let the instance go on that was paused last, when ``after`` has returned.

        Raises:
            PremiseNotMet: none is paused.
        """
        if not self._paused:
            name = self.settings.name
            before = f"the {spoken(name)} is paused after 300 outputs"
            raise step_missing(f"an instance of the system {name} that is paused", before)
        after()
        instance = self._paused.pop()
        self.instances.append(instance)
        self._session.history.event("start", f"{instance.name} goes on")
        instance.resume()

    def _end(self, instance: ManagedProcess) -> None:
        """The scenario is over: whatever the instance still does proves nothing any more."""
        if instance in self._paused:
            instance.resume()
        if instance in self.instances and instance.alive():
            self.instances.remove(instance)
        if self._session.settings["run.systems_end"] == "stop" and instance.alive():
            instance.terminate(self._session.scaled(self.settings.stop_within))
        instance.kill()

    def _take_living(self, instance: ManagedProcess | None) -> ManagedProcess:
        instance = self._take(instance)
        if death := instance.death():
            raise AssertionError(death)
        return instance

    def _take(self, instance: ManagedProcess | None) -> ManagedProcess:
        if not self.instances:
            raise no_instance(self.settings.name)
        instance = instance or self.instances[0]
        self.instances.remove(instance)
        return instance


def no_instance(name: str) -> PremiseNotMet:
    """A step is about an instance of a system, and none runs."""
    before = f"the {spoken(name)} is started"
    return step_missing(f"an instance of the system {name} that runs", before)


def filled(text: str, fields: Mapping[str, str], settings: SystemSettings) -> str:
    """``text`` with its ``{}`` fields filled in.

    Raises:
        Trouble: it has a field that is not among ``fields``, or braces that do not match.
    """
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise Trouble(
            f"{text!r} of the system {settings.name} cannot be filled in",
            str(error),
            "correct it in stackproof.toml; double braces stand for themselves",
        ) from error
    for name in names:
        if name not in fields:
            raise Trouble(
                f"{{{name}}} is no field for the system {settings.name}",
                f"the fields are: {', '.join(sorted(fields))}",
                f"correct {text!r} in stackproof.toml; double braces stand for themselves",
            )
    return text.format_map(fields)


def common_fields(session: ScenarioSession) -> dict[str, str]:
    """Fields that every system may use."""
    return {"python": sys.executable, "work_dir": str(session.directory), "scenario": session.id}
