import sys
import threading
from types import SimpleNamespace

import pytest
from coverage import CoverageData

from stackproof.errors import Trouble
from stackproof.history import History
from stackproof.polling import DeadlineExceeded
from stackproof.processes.run import Run
from stackproof.settings import SystemSettings
from stackproof.systems.background import Background
from stackproof.systems.launching import RunningSystem

STAYS = "import signal\nprint('ready: yes', flush=True)\nsignal.pause()\n"
STUBBORN = "import signal\nsignal.signal(15, signal.SIG_IGN)\n" + STAYS
ORDERLY = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(CODE))\n" + STAYS


@pytest.fixture
def launch(tmp_path):
    cleanups = []
    values = {"run.systems_end": "kill"}
    session = SimpleNamespace(
        directory=tmp_path, run=Run("r1", tmp_path), history=History("t"),
        add_cleanup=cleanups.append, scaled=lambda seconds: seconds,
        settings=values, cleanups=cleanups,
    )  # fmt: skip

    def make(program="", command=None, **settings):
        settings = {"ready_line": "ready: ", "ready_within": 10.0, **settings}
        command = command or (sys.executable, "-c", program)
        return RunningSystem(
            session,
            SystemSettings("demo", tuple(command), tmp_path, **settings),
            {"input": "in", "python": sys.executable},
        )

    yield make
    for cleanup in reversed(cleanups):
        cleanup()


def test_it_starts_and_crashes(launch):
    system = launch(STAYS)
    instance = system.start()
    assert instance.alive()
    assert system.death() is None
    system.crash()
    assert not instance.alive()
    assert system.instances == []


def test_an_unexpected_end_is_seen(launch):
    system = launch(STAYS)
    system.start().kill()
    assert "demo-1 was killed by SIGKILL" in system.death()


def test_a_program_that_ends_at_once_shows_its_log(launch):
    system = launch("import sys; print('no such broker'); sys.exit(3)")
    with pytest.raises(Trouble, match="failed to start") as found:
        system.start()
    assert "exit code 3" in str(found.value)
    assert "no such broker" in str(found.value)


def test_a_program_that_never_becomes_ready_shows_its_log(launch):
    system = launch("import signal; print('waiting for Godot', flush=True); signal.pause()",
                    ready_within=0.5)  # fmt: skip
    with pytest.raises(Trouble, match="was not ready within") as found:
        system.start()
    assert "waiting for Godot" in str(found.value)


def test_a_program_that_does_not_exist_is_named(launch):
    with pytest.raises(Trouble, match="cannot be launched") as found:
        launch(command=("no-such-program",)).start()
    assert "no-such-program" in str(found.value)


def test_fields_are_filled_in(launch):
    system = launch("import sys; print('ready: ' + sys.argv[1]); import signal; signal.pause()")
    system.settings.__dict__["command"] = (*system.settings.command, "<{input}> {{x}}")
    instance = system.start()
    assert instance.argv[-1] == "<in> {x}"


def test_an_unknown_field_lists_the_known(launch):
    with pytest.raises(Trouble, match="input, port, python") as found:
        launch(command=("x", "{topic}")).start()
    assert "{topic} is no field" in str(found.value)


def test_a_regular_stop_has_exit_code_0(launch):
    system = launch(ORDERLY.replace("CODE", "0"))
    system.start()
    system.stop()


@pytest.mark.parametrize(
    ("program", "says"),
    [(ORDERLY.replace("CODE", "4"), "exit code 4"), (STUBBORN, "did not stop within")],
)
def test_any_other_stop_is_a_failure(launch, program, says):
    system = launch(program, stop_within=1.0)
    instance = system.start()
    with pytest.raises(AssertionError, match=says):
        system.stop()
    assert not instance.alive()


def test_stopping_what_does_not_run_is_a_trouble(launch):
    with pytest.raises(Trouble, match="no instance of demo runs"):
        launch().stop()


@pytest.mark.parametrize(("end", "says"), [("kill", False), ("stop", True)])
def test_how_a_system_ends_with_its_scenario(launch, tmp_path, end, says):
    program = "import signal, sys\n"
    program += "signal.signal(15, lambda *_: (print('told', flush=True), sys.exit(0)))\n" + STAYS
    system = launch(program)
    system._session.settings["run.systems_end"] = end
    instance = system.start()
    system._session.cleanups.pop()()
    assert not instance.alive()
    assert ("told" in (tmp_path / "demo-1.log").read_text()) == says


def test_a_system_that_ignores_its_end_is_killed(launch):
    system = launch(STUBBORN, stop_within=0.2)
    system._session.settings["run.systems_end"] = "stop"
    instance = system.start()
    system._session.cleanups.pop()()
    assert not instance.alive()


def test_coverage_of_a_system_that_is_stopped_with_its_scenario(launch, tmp_path):
    (tmp_path / "demo.py").write_text(ORDERLY.replace("CODE", "0"))
    (tmp_path / "coverage.ini").write_text("[run]\nparallel = true\nsource = .\nsigterm = true\n")
    system = launch(command=(sys.executable, "demo.py"),
                    environment={"COVERAGE_PROCESS_START": "coverage.ini"})  # fmt: skip
    system._session.settings["run.systems_end"] = "stop"
    system.start()
    assert not list(tmp_path.glob(".coverage*"))
    system._session.cleanups.pop()()
    (file,) = tmp_path.glob(".coverage.*")
    data = CoverageData(str(file))
    data.read()
    assert data.lines(str(tmp_path / "demo.py")) == [1, 2, 3, 4, 5]


def test_publishing_in_the_background_ends_with_its_error():
    def publish(portion):
        raise AssertionError("2 of 100 acknowledged")

    with pytest.raises(AssertionError, match="2 of 100"):
        Background(list(range(250)), publish).finish(within=5)


def test_publishing_in_the_background_takes_portions_in_order():
    seen = []
    background = Background(list(range(250)), seen.append)
    background.finish(within=5)
    assert [len(portion) for portion in seen] == [100, 100, 50]
    assert [n for portion in seen for n in portion] == list(range(250))
    assert background.left == 0


def test_publishing_in_the_background_has_a_deadline():
    release = threading.Event()
    background = Background(list(range(150)), lambda _: release.wait(10))
    with pytest.raises(DeadlineExceeded, match="150 left"):
        background.finish(within=0.2)
    release.set()
