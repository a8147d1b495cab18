"""Components under test: a class, or a program that answers lines of JSON, in its own process."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from typing import TYPE_CHECKING, Any

from stackproof.errors import Trouble
from stackproof.polling import DeadlineExceeded, Died
from stackproof.processes.process import ManagedProcess
from stackproof.systems.launching import filled

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

_MADE_WITHIN = 30.0
_ANSWERS_WITHIN = 60.0


class ComponentError(Exception):
    """The component raised an error.

    Attributes:
        kind: the error's class.
        text: what it says.
    """

    def __init__(self, kind: str, text: str):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


class Component:
    """A component in a process of its own; calls may be made side by side.

    Args:
        session: the scenario.
        name: of its section in ``stackproof.toml``.
        fields: values for the ``{}`` fields of its command, environment and options.
        options: override those of the section.

    Raises:
        Trouble: it cannot be started.
    """

    def __init__(
        self,
        session: ScenarioSession,
        name: str,
        fields: Mapping[str, str],
        options: Mapping[str, Any] | None = None,
    ):
        settings = session.settings.system(name)
        if not settings.component:
            raise Trouble(f"the system {name} is no component", "its section has no `component`",
                          f"add it to [systems.{name}], or name another system")  # fmt: skip
        self.name = name
        self._session = session
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._over: Exception | None = None
        self._count = 0
        command = settings.command or (
            "{python}", "-m", "stackproof.systems.hosting", settings.component,
        )  # fmt: skip
        known = {"python": sys.executable, **fields}
        argv = [filled(word, known, settings) for word in command]
        try:
            self._process = ManagedProcess(
                name,
                argv,
                log=session.directory / f"{name}.log",
                cwd=settings.directory,
                env={k: filled(v, known, settings) for k, v in settings.environment.items()},
                run=session.run,
                talks=True,
            )
        except OSError as error:
            raise Trouble(f"the component {name} cannot be started",
                          f"{argv[0]}: {error.strerror}",
                          f"correct `command` in [systems.{name}]") from error  # fmt: skip
        session.add_cleanup(self._process.kill)
        threading.Thread(target=self._read, daemon=True).start()
        given = {
            key: filled(value, known, settings) if isinstance(value, str) else value
            for key, value in {**settings.options, **(options or {})}.items()
        }
        try:
            self._ask({"make": given}).result(session.scaled(_MADE_WITHIN))
        except (ComponentError, NoAnswer, Died) as error:
            raise Trouble(
                f"the component {name} cannot be made",
                f"{str(error) or 'it does not answer'}\nits log ends:\n{self._process.log_end()}",
                f"correct [systems.{name}] of stackproof.toml",
            ) from error

    def call(self, name: str, *arguments: Any) -> Any:
        """Call one of its methods; what it returns, as JSON has it.

        Raises:
            ComponentError: it raised an error.
            Died: it has ended.
            DeadlineExceeded: it did not answer.
        """
        within = self._session.scaled(_ANSWERS_WITHIN)
        try:
            return self.begin(name, *arguments).result(within)
        except NoAnswer as late:
            raise DeadlineExceeded(
                f"waited for {self.name}.{name} for {within:g} s", None
            ) from late

    def begin(self, name: str, *arguments: Any) -> Future[Any]:
        """Call one of its methods without waiting for what it returns."""
        return self._ask({"call": name, "arguments": list(arguments)})

    def _ask(self, request: dict[str, Any]) -> Future[Any]:
        answer: Future[Any] = Future()
        with self._lock:
            if self._over is not None:
                answer.set_exception(self._over)
                return answer
            self._count += 1
            self._waiting[self._count] = answer
            # One that has ended cannot be written to: `_read` tells everybody who waits.
            with contextlib.suppress(OSError):
                self._process.write(json.dumps({"id": self._count, **request}) + "\n")
        return answer

    def _read(self) -> None:
        for line in self._process.lines():
            try:
                told = json.loads(line)
                error = told.get("error")
                failure = error and ComponentError(str(error["kind"]), str(error["text"]))
                answer = self._waiting.pop(told["id"])
            except (ValueError, KeyError, TypeError, AttributeError):
                # From here on nobody knows which answer belongs to whom.
                self._end(ComponentError("NoAnswer", f"it wrote {line.strip()[:200]!r}"))
                return
            if failure:
                answer.set_exception(failure)
            else:
                answer.set_result(told.get("value"))
        self._process.join()
        self._end(Died(self._process.death() or f"{self.name} has ended"))

    def _end(self, why: Exception) -> None:
        with self._lock:
            self._over = why
            waiting, self._waiting = list(self._waiting.values()), {}
        for answer in waiting:
            answer.set_exception(why)
