"""Components under test: a class, or a program that answers lines of JSON, in its own process.

The protocol is docs/components.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stackproof.errors import NotSupported, Trouble, step_missing
from stackproof.polling import DeadlineExceeded, Died
from stackproof.ports import LOOPBACK
from stackproof.processes.process import LONGEST_LINE, ManagedProcess
from stackproof.session.places import NamedPlaces
from stackproof.systems.calls import Call, call_of
from stackproof.systems.launching import common_fields, filled
from stackproof.values import unknown_key

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

#: A program that stands alone: a class may need another Python, which has none of the suite.
_HOSTING = Path(__file__).with_name("hosting.py")
_ANSWERS_WITHIN = 30.0
#: The kind of error that says that there is no such method.
_LACKING = "NotImplementedError"
_LOG_ENDS = "its log ends:"
#: Seconds for what a process has written before its end; a child of its own may hold the pipe.
_DRAINS_WITHIN = 2.0


class ComponentError(AssertionError):
    """The component answered with an error.

    An assertion error: where no scenario asks for an error, the component has failed it.

    Attributes:
        kind: the features' word for it, or the component's own where features have none.
        text: what it says.
    """

    def __init__(self, kind: str, text: str):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


@dataclass(frozen=True)
class Role:
    """What features ask of a component.

    Attributes:
        methods: names of their parameters, in order, by the methods' names.
        errors: kinds of errors by the features' words, where the section says nothing.
        optional: those of the methods that a component need not have; scenarios that ask for one
            of them are *not supported* then.
    """

    methods: Mapping[str, tuple[str, ...]]
    errors: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


class Component:
    """A component in a process of its own; calls may be made side by side.

    Args:
        session: the scenario.
        name: of its section in ``stackproof.toml``.
        role: what features ask of it.
        fields: values for the ``{}`` fields of its command, environment and options.
        options: override those of the section.

    Attributes:
        calls: how it wants to be called, by the features' names of its methods.

    Raises:
        Trouble: it cannot be started.
    """

    def __init__(
        self,
        session: ScenarioSession,
        name: str,
        role: Role,
        fields: Mapping[str, str],
        options: Mapping[str, Any] | None = None,
    ):
        settings = session.settings.system(name)
        if not settings.component:
            raise Trouble(f"the system {name} is no component", "its section has no `component`",
                          f"add it to [systems.{name}], or name another system")  # fmt: skip
        self.name = name
        self._session = session
        self._role = role
        self.calls = _calls(name, role, settings.methods)
        self._words = _words(name, role, settings.errors)
        self._stop_within = settings.stop_within
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._over: Exception | None = None
        self._count, self._answers = 0, 0
        self._requests: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        command = settings.command or ("{python}", "-P", "{hosting}", settings.component)
        known = {"hosting": str(_HOSTING), **common_fields(session), **fields}
        argv = [filled(word, known, settings) for word in command]
        given = {
            key: filled(value, known, settings) if isinstance(value, str) else value
            for key, value in {**settings.options, **(options or {})}.items()
        }
        try:
            self._process = ManagedProcess(
                name,
                argv,
                log=session.directory / f"{name}.log",
                cwd=settings.directory,
                env={
                    **_environment(),
                    **{k: filled(v, known, settings) for k, v in settings.environment.items()},
                },
                run=session.run,
                talks=True,
            )
        except OSError as error:
            raise Trouble(f"the component {name} cannot be started",
                          f"{argv[0]}: {error.strerror}",
                          f"correct `command` in [systems.{name}]") from error  # fmt: skip
        session.add_cleanup(self.stop)
        self._reader = threading.Thread(target=self._read, daemon=True)
        for thread in (self._reader, *(threading.Thread(target=work, daemon=True)
                                       for work in (self._write, self._watch))):  # fmt: skip
            thread.start()
        try:
            self._answered(
                self._ask({"make": given}), "make", session.scaled(settings.ready_within)
            )
        except (ComponentError, DeadlineExceeded, Died) as error:
            raise Trouble(
                f"the component {name} cannot be made", self._with_log(str(error)),
                f"correct [systems.{name}] of stackproof.toml",
            ) from error  # fmt: skip

    # -- calling -------------------------------------------------------------
    def call(self, method: str, *arguments: Any, within: float = _ANSWERS_WITHIN) -> Any:
        """Call one of its methods; what it returns, as JSON has it.

        Args:
            method: by the features' name.
            arguments: one for each parameter.
            within: seconds for its answer, on a machine of usual speed.

        Raises:
            ComponentError: it answered with an error, or with what is no answer.
            Died: it has ended.
            DeadlineExceeded: it did not answer.
            NotSupported: it need not have this method, and has none.
        """
        answer = self.begin(method, *arguments)
        try:
            return self._answered(answer, method, self._session.scaled(within))
        except ComponentError as error:
            if method in self._role.optional and error.kind == _LACKING:
                raise self._lacks(method, error.text) from error
            raise

    def begin(self, method: str, *arguments: Any) -> Future[Any]:
        """Call one of its methods without waiting for what it returns.

        Raises:
            NotSupported: its section says that it has none of this name.
        """
        if method not in self.calls:
            raise self._lacks(method, f"[systems.{self.name}.methods] says so")
        return self._ask(self.calls[method].request(arguments))

    def _lacks(self, method: str, why: str) -> NotSupported:
        return NotSupported(
            f"the {self.name} has no {method}", why,
            f"name what does the same in [systems.{self.name}.methods] of stackproof.toml",
        )  # fmt: skip

    def _answered(self, answer: Future[Any], method: str, within: float) -> Any:
        try:
            return answer.result(within)
        except NoAnswer as late:
            told = f"waited for {self.name}.{method} for {within:g} s"
            if not self._answers:
                told += " and for an answer at all; is each line written out at once (flushed)?"
            raise DeadlineExceeded(self._with_log(told), None) from late

    def _with_log(self, told: str) -> str:
        """An error with the end of its log, unless that is told already."""
        return told if _LOG_ENDS in told else f"{told}; {_LOG_ENDS}\n{self._process.log_end()}"

    def _ask(self, request: dict[str, Any]) -> Future[Any]:
        answer: Future[Any] = Future()
        with self._lock:
            if self._over is not None:
                answer.set_exception(self._over)
                return answer
            self._count += 1
            self._waiting[self._count] = answer
            self._requests.put(json.dumps({"id": self._count, **request}) + "\n")
        return answer

    def _write(self) -> None:
        """Write what is asked; one that does not read its input keeps nobody else waiting."""
        # One that has ended cannot be written to: `_watch` tells everybody who waits.
        with contextlib.suppress(OSError):
            while (line := self._requests.get()) is not None:
                self._process.write(line)
            self._process.close_input()

    # -- answers -------------------------------------------------------------
    def _read(self) -> None:
        for line in self._process.lines():
            try:
                known = self._understood(line)
            except ValueError as wrong:
                shown = line[:200].decode(errors="backslashreplace").strip()
                self._end(ComponentError("no answer", f"{wrong}; it wrote {shown!r}"))
                return
            if not known:
                self._process.note(line)

    def _understood(self, line: bytes) -> bool:
        """Hand on an answer; False: the line is none.

        Raises:
            ValueError: it looks like an answer, and nobody knows to which request or what it says.
        """
        if not line.endswith(b"\n"):
            if len(line) >= LONGEST_LINE:
                raise ValueError(f"a line of more than {LONGEST_LINE >> 20} MiB")
            return False  # the end came within a line
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not text.startswith(b"{"):
            return False  # of a log, like an object without an id
        try:
            told = json.loads(text.decode())
        except UnicodeDecodeError:
            raise ValueError("an answer is in UTF-8") from None
        except ValueError:
            raise ValueError("an answer is one JSON object in one line") from None
        if "id" not in told:
            return False
        with self._lock:
            answer = self._waiting.pop(_number(told["id"]), None)
            self._answers += 1
        if answer is None:
            raise ValueError("an answer has the id of a request that waits for one")
        error = told.get("error")
        if error is None:
            answer.set_result(told.get("value"))
        elif isinstance(error, dict) and "kind" in error:
            kind = str(error["kind"])
            failure = ComponentError(self._words.get(kind, kind), str(error.get("text", "")))
            answer.set_exception(failure)
        else:
            wrong = ValueError('an error is {"kind": ..., "text": ...}')
            answer.set_exception(ComponentError("no answer", str(wrong)))
            raise wrong
        return True

    def _watch(self) -> None:
        self._process.join()
        self._reader.join(_DRAINS_WITHIN)
        self._end(Died(self._process.death() or f"{self.name} has ended"))

    def _end(self, why: Exception) -> None:
        with self._lock:
            self._over = self._over or why
            waiting, self._waiting = list(self._waiting.values()), {}
        for answer in waiting:
            answer.set_exception(self._over)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def pause(self) -> None:
        """Stop it in its tracks, with all that it has started; whoever has called it waits."""
        self._process.pause()

    def resume(self) -> None:
        """Have it go on."""
        self._process.resume()

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()

    def stop(self) -> None:
        """End its input, wait until it ends, and kill what is left of it.

        One that owes an answer is killed at once.
        """
        self._requests.put(None)
        if not self._waiting:
            with contextlib.suppress(DeadlineExceeded):
                self._process.wait(self._session.scaled(self._stop_within))
        self._process.kill()


def _environment() -> dict[str, str]:
    """What programs see besides: Python ones keep no answers back, and loopback has no proxy."""
    found = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    for name in ("no_proxy", "NO_PROXY"):
        kept = os.environ.get(name, "")
        found[name] = ",".join(filter(None, (kept, LOOPBACK, "localhost")))
    return found


class UnderTest:
    """A component of one scenario, in one process or several; each start is of new ones.

    Args:
        session: the scenario.
        name: of its section in ``stackproof.toml``.

    Attributes:
        role: what features ask of it.
    """

    role: ClassVar[Role]

    def __init__(self, session: ScenarioSession, name: str):
        self.name = name
        self._session = session
        self._processes: list[Component] = []

    def start(
        self, *, processes: int = 1, fields: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        """Start it; what runs of it is stopped before.

        Args:
            processes: how many, all alike.
            fields: values for its ``{}`` fields, besides those of every system and of services.
            options: override those of its section.

        Raises:
            Trouble: it cannot be started.
        """
        for component in self._processes:
            component.stop()
        self._processes = []
        services = self._session.settings.system(self.name).services
        known = {**self._session.use(NamedPlaces).fields(services), **(fields or {})}
        for _ in range(processes):
            component = Component(self._session, self.name, self.role, known, options)
            self._processes.append(component)

    def process(self, number: int = 0) -> Component:
        """One of its processes; numbers go round.

        Raises:
            PremiseNotMet: it was not started.
        """
        if not self._processes:
            raise step_missing(f"the {self.name}", f"the {self.name} is running")
        return self._processes[number % len(self._processes)]


def _number(ident: Any) -> int:
    """The number of a request; some languages make texts of numbers."""
    return int(ident) if isinstance(ident, int | str) and str(ident).isdecimal() else -1


def _calls(name: str, role: Role, given: Mapping[str, str]) -> dict[str, Call]:
    where = f"[systems.{name}.methods] of stackproof.toml"
    for method in given:
        if method not in role.methods:
            raise unknown_key(method, role.methods, where)
    try:
        return {
            method: call_of(given.get(method, method), parameters)
            for method, parameters in role.methods.items()
            if given.get(method, method) or method not in role.optional
        }
    except ValueError as error:
        raise Trouble(f"{where} cannot be used", str(error), "correct it") from error


def _words(name: str, role: Role, given: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The features' words by the component's kinds of errors."""
    for word in given:
        if word not in role.errors:
            raise unknown_key(word, role.errors, f"[systems.{name}.errors] of stackproof.toml")
    return {
        kind: word
        for word, usual in role.errors.items()
        for kind in given.get(word, (usual,))
    }  # fmt: skip
