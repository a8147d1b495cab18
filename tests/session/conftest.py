"""Tiny behave projects, run by the suite's own runner in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from stackproof.polling import poll

RUNNER = "stackproof.session.runner:StackproofRunner"
HOOKS = "from stackproof.session.hooks import after_scenario, before_scenario\n"
#: A run takes one to two seconds; more only where the machine is busy with other things.
PATIENCE = 60
CONFIGURATION = f"""
[tool.behave]
paths = ["features"]
runner = "{RUNNER}"
default_format = "stackproof"
color = "off"
[tool.behave.formatters]
stackproof = "stackproof.reporting.console:ConsoleFormatter"
"""

STEPS = """
import os, subprocess, sys, time
from pathlib import Path
from behave import given, when, then, step
from stackproof.errors import NotSupported, Refused, Trouble
from stackproof.polling import poll

@step("it works")
@step("it works {again}")
def works(context, again=""): pass

@step("it fails")
def fails(context): assert False, "one is not two"

@step("it raises")
def raises(context): raise ValueError("not a number")

@step('"{name}" is noted')
def notes(context, name):
    with open("notes.txt", "a") as notes:
        notes.write(name + "\\n")

@step('it is held up until "{name}" is noted')
def held_up(context, name):
    poll(lambda: name in Path("notes.txt").read_text().split("\\n"), within=20, awaiting=name,
         retry_on=(OSError,))

@step('it starts a child called "{name}"')
def starts_child(context, name):
    sleeper = "import signal; signal.pause()"
    subprocess.Popen([sys.executable, "-S", "-c", sleeper, os.getcwd() + "/" + name])

@step("it hangs")
def hangs(context):
    import threading
    threading.Event().wait()
"""

#: A light service, and what makes the runner know it.
FAKES = '''
import socket, sys
from stackproof.services.base import ProcessSpec

SERVER = """
import socket, sys
print("listening", flush=True)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""

class NotReady(Exception):
    pass

class Echo:
    name = "echo"
    title = "Echo"
    start_within = 30.0
    command = SERVER

    def default_options(self):
        return {"brokers": 1, "mode": "plain", "heap": 100}

    def memory_mb(self, options):
        return options["brokers"] * options["heap"]

    def artifacts(self):
        return ()

    def lay_out(self, site):
        site.directory.mkdir(parents=True)
        argv = [sys.executable, "-S", "-c", self.command, str(site.port("client"))]
        return [ProcessSpec(site.cluster, argv, site.directory)]

    def addresses(self, site):
        return {"bootstrap": f"127.0.0.1:{site.port('client')}"}

    unready = (NotReady,)

    def connection_settings(self):
        return ()

    def check(self, endpoint, *, timeout):
        host, port = endpoint.addresses["bootstrap"].split(":")
        try:
            socket.create_connection((host, int(port)), timeout).close()
        except OSError as error:
            raise NotReady(str(error))

    def ready_line(self, endpoint):
        return endpoint.addresses["bootstrap"]

class Dumb(Echo):
    """Starts, and never gets ready."""
    name = "dumb"
    title = "Dumb"
    command = "import signal; signal.pause()"

class Broken(Echo):
    """Dies at once."""
    name = "broken"
    title = "Broken"
    command = "raise SystemExit('no licence')"
'''
REGISTRATION = """
from stackproof import services
services._MODULES.update(echo="fakes:Echo", dumb="fakes:Dumb", broken="fakes:Broken")
"""


@dataclass
class Outcome:
    """What one run left behind."""

    code: int
    out: str
    err: str
    directory: Path

    @property
    def text(self) -> str:
        """Everything it printed."""
        return f"{self.out}\n{self.err}"

    @property
    def results(self) -> dict[str, Any]:
        """`results.json`."""
        return json.loads((self.directory / "results.json").read_text())

    @property
    def verdicts(self) -> dict[str, str]:
        """Verdict by scenario."""
        found = [(s["name"], s["verdict"]) for s in self.results["scenarios"]]
        assert len(dict(found)) == len(found), "a scenario twice"
        return dict(found)

    def scenario(self, name: str) -> dict[str, Any]:
        """One entry of `results.json`."""
        (found,) = [s for s in self.results["scenarios"] if s["name"] == name]
        return found

    @property
    def allure(self) -> dict[str, dict[str, Any]]:
        """Allure results by name."""
        files = (self.directory / "allure-results").glob("*-result.json")
        found = [json.loads(file.read_text()) for file in files]
        named = {result["name"]: result for result in found}
        assert len(named) == len(found), "a result twice"
        return named


@dataclass
class Project:
    """A behave project in a directory of its own."""

    root: Path

    def __post_init__(self) -> None:
        self.write("pyproject.toml", CONFIGURATION)
        self.write("environment.py", HOOKS)
        self.write("steps/steps.py", STEPS)

    @property
    def runs(self) -> Path:
        """Where its runs have their directories; nobody else's are there."""
        return self.root / "runs"

    @property
    def notes(self) -> list[str]:
        """What steps and hooks have noted."""
        file = self.root / "notes.txt"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def write(self, path: str, text: str) -> Path:
        """Write a file, replacing what it held."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def feature(self, name: str, text: str) -> Path:
        """Write a feature."""
        return self.write(f"features/{name}.feature", text)

    def steps(self, text: str) -> None:
        """More step functions."""
        head = STEPS[: STEPS.index('@step("it works")')]
        self.write("steps/more.py", head + textwrap.dedent(text))

    def environment(self, text: str) -> None:
        """More hooks."""
        self.write("environment.py", HOOKS + textwrap.dedent(text))

    def with_services(self) -> None:
        """Make the light services known."""
        self.write("fakes.py", FAKES)
        self.write("environment.py", (self.root / "environment.py").read_text() + REGISTRATION)

    # -- running -------------------------------------------------------------
    def command(self, *arguments: str, program: str = "behave") -> list[str]:
        """The command line of a run."""
        return [sys.executable, "-m", program, *arguments]

    def environ(self, **env: str) -> dict[str, str]:
        """The environment of a run: nothing of the caller's settings."""
        foreign = ("STACK", "INTEGRATION_", "BEHAVE", "LOG_LEVEL", "COVERAGE")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        kept.pop("PYTHONUNBUFFERED", None)  # it hides what is lost in buffers
        own = {"STACKPROOF_RUNS": str(self.runs),
               "DOCKER_HOST": f"unix://{self.root}/no-engine.sock"}  # fmt: skip
        return {**kept, **own, **env}

    def run(self, *arguments: str, program: str = "behave", **env: str) -> Outcome:
        """Run to the end."""
        done = subprocess.run(
            self.command(*arguments, program=program),
            cwd=self.root, env=self.environ(**env), timeout=PATIENCE,
            capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr, self.root / "reports")

    def start(self, *arguments: str, program: str = "behave", **env: str) -> RunningProject:
        """Start a run and do not wait."""
        return RunningProject(self, self.command(*arguments, program=program), self.environ(**env))

    # -- what is left --------------------------------------------------------
    def processes(self) -> list[str]:
        """Living processes that a run of this project has started."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                words = process.cmdline()
                marked = process.environ().get("STACKPROOF_RUNS") == str(self.runs)
                named = any(str(self.root) in word for word in words)
                if (marked or named) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid}: {' '.join(words)[:200]}")
        return found

    def directories(self) -> list[str]:
        """Directories of runs."""
        return sorted(str(place) for place in self.runs.glob("stackproof-*/r*"))

    def assert_nothing_left(self, within: float = 10) -> None:
        """No process and no directory of any run of this project."""
        poll(
            lambda: [*self.processes(), *self.directories()],
            until=lambda left: not left,
            within=within,
            awaiting="everything of the run to be gone",
            describe="\n".join,
        )


class RunningProject:
    """A run under way, in a process group of its own."""

    def __init__(self, project: Project, command: list[str], env: Mapping[str, str]):
        self._project = project
        self._files = [project.root / "out.txt", project.root / "err.txt"]
        with self._files[0].open("w") as out, self._files[1].open("w") as err:
            self.popen = subprocess.Popen(
                command, cwd=project.root, env=env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, process_group=0,
                # Whoever runs the tests in the background of a shell is deaf to it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )  # fmt: skip

    def until(self, attempt: Callable[[], Any], awaiting: str) -> Any:
        """Wait for something that the run brings about."""

        def death() -> str | None:
            code = self.popen.poll()
            return None if code is None else f"the run ended with {code}: {self._said()}"

        return poll(attempt, within=PATIENCE, awaiting=awaiting, retry_on=(OSError,), alive=death)

    def until_noted(self, name: str) -> None:
        """Wait until a step or hook notes ``name``."""
        self.until(lambda: name in self._project.notes, f"{name} to be noted")

    def _said(self) -> str:
        return "\n".join(file.read_text(errors="replace") for file in self._files)

    def send(self, number: int) -> None:
        """Signal the run's whole process group, as a terminal does."""
        os.killpg(self.popen.pid, number)

    def end(self) -> Outcome:
        """Wait for its end."""
        code = self.popen.wait(PATIENCE)
        out, err = (file.read_text(errors="replace") for file in self._files)
        return Outcome(code, out, err, self._project.root / "reports")

    def kill(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        self.popen.kill()
        self.popen.wait()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project(tmp_path)
    yield made
    _end_all(made)


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """An empty project that the tests of a module share."""
    made = Project(tmp_path_factory.mktemp("project"))
    yield made
    _end_all(made)
    shutil.rmtree(made.root, ignore_errors=True)


def _end_all(project: Project) -> None:
    """Nothing of a failed test may outlive it: only what this project's runs started."""
    for line in project.processes():
        with suppress(psutil.Error):
            psutil.Process(int(line.partition(":")[0])).kill()
