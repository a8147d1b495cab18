import signal
import sys
from types import SimpleNamespace

import psutil
import pytest
from coverage import CoverageData

from stackproof.errors import PremiseNotMet, Trouble
from stackproof.history import Flow, History
from stackproof.polling import Died, poll
from stackproof.processes.run import Run
from stackproof.session.scenario import ScenarioSession
from stackproof.settings import SystemSettings
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


def test_it_is_paused_with_all_that_it_has_started_and_goes_on(launch):
    system = launch(command=("sh", "-c", f'{sys.executable} -c "{STAYS}"; true'))
    instance = system.start()
    held = [psutil.Process(instance.pid), *psutil.Process(instance.pid).children()]
    assert len(held) == 2
    system.pause()
    assert system.instances == []
    await_states(held, psutil.STATUS_STOPPED)
    system.resume(after=lambda: None)
    assert system.instances == [instance]
    await_states(held, psutil.STATUS_SLEEPING)


def await_states(processes, wanted):
    poll(
        lambda: {process.status() for process in processes},
        until=lambda found: found == {wanted},
        within=10,
        awaiting=f"all to be {wanted}",
    )


def test_one_that_is_still_paused_when_the_scenario_ends_is_ended(launch):
    system = launch(STAYS)
    instance = system.start()
    system.pause()
    system._session.cleanups[-1]()
    assert not instance.alive()


def test_none_goes_on_that_was_not_paused(launch):
    with pytest.raises(PremiseNotMet, match="is paused after 300 outputs"):
        launch(STAYS).resume(after=lambda: pytest.fail("it waits for nothing"))


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
    with pytest.raises(Trouble, match="input, metrics_port, port, python") as found:
        launch(command=("x", "{topic}")).start()
    assert "{topic} is no field" in str(found.value)


ENDS_AS_JAVA = ORDERLY.replace("CODE", "143")
RELAYS = """trap 'kill $c; wait $c; exit $?' TERM; "$0" -c "$1" & c=$!; wait $c"""
ENDS_ALONE = """trap 'exit 0' TERM; "$0" -c "$1" & wait $!"""
DIES = STAYS.replace("signal.pause()", "signal.signal(15, lambda *_: os.kill(os.getpid(), 11))")
DIES = f"import os\n{DIES}while True: signal.pause()\n"


def wrapped(shell, program):
    return ("sh", "-c", shell, sys.executable, program)


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-c", ORDERLY.replace("CODE", "0")),
        (sys.executable, "-c", ENDS_AS_JAVA),
        wrapped(RELAYS, ORDERLY.replace("CODE", "0")),
        wrapped(RELAYS, ENDS_AS_JAVA),
    ],
)
def test_a_regular_stop(launch, command):
    system = launch(command=command)
    system.start()
    system.stop()
    assert system._session.history.snapshot().events[-1].text.endswith(" s after SIGTERM")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ((sys.executable, "-c", ORDERLY.replace("CODE", "4")),
         r"demo-1 ended with exit code 4 0\.\d s after SIGTERM \(stop_exit_codes allows 0, 143\)"),
        ((sys.executable, "-c", STUBBORN), "did not stop within 1 s of SIGTERM, and was killed"),
        ((sys.executable, "-c", STAYS),
         r"was killed by SIGTERM 0\.\d s after SIGTERM: it, or its wrapper, has no handler"),
        ((sys.executable, "-c", DIES), r"was killed by SIGSEGV 0\.\d s after SIGTERM"),
        (wrapped(RELAYS, ORDERLY.replace("CODE", "4")), "ended with exit code 4"),
        (wrapped(RELAYS, DIES), r"exit code 139 \(128 \+ SIGSEGV\)"),
        (wrapped('"$0" -c "$1"; true', STAYS), "was killed by SIGTERM"),
        (wrapped(ENDS_ALONE, STAYS), r"exit code 0 .*, but what it had started still runs: python"),
    ],
)  # fmt: skip
def test_any_other_stop_is_a_failure_that_says_how_it_ended(launch, command, says):
    system = launch(command=command, stop_within=1.0)
    instance = system.start()
    with pytest.raises(AssertionError, match=says):
        system.stop()
    assert not instance.alive()


def test_a_program_that_sigterm_kills_can_be_allowed(launch):
    system = launch(STAYS, stop_exit_codes=(0, -15))
    system.start()
    system.stop()


def test_143_can_be_refused(launch):
    system = launch(ENDS_AS_JAVA, stop_exit_codes=(0,))
    system.start()
    with pytest.raises(AssertionError, match=r"exit code 143 \(128 \+ SIGTERM\)"):
        system.stop()


@pytest.mark.parametrize("end", [RunningSystem.stop, RunningSystem.crash])
def test_what_has_ended_before_can_neither_be_stopped_nor_crash(launch, end):
    system = launch(STAYS.replace("signal.pause()", "raise SystemExit('no licence')"))
    instance = system.start()
    instance.join()
    with pytest.raises(AssertionError, match=r"(?s)demo-1 ended with exit code 1.*no licence"):
        end(system)


def events(system, kind):
    return [event.text for event in system._session.history.snapshot().events if event.kind == kind]


def test_an_unexpected_death_is_noted_at_once(launch):
    system = launch(STAYS)
    system.start().send(signal.SIGSEGV)
    poll(lambda: events(system, "death"), within=10, awaiting="the death to be noted")
    assert events(system, "death") == ["demo-1 was killed by SIGSEGV"]


def test_deaths_that_were_meant_are_no_events(launch):
    system = launch(ENDS_AS_JAVA)
    one, two, three = system.start(), system.start(), system.start()
    system.stop()
    system.crash()
    while system._session.cleanups:
        system._session.cleanups.pop()()
    assert [one.alive(), two.alive(), three.alive()] == [False] * 3
    assert events(system, "death") == []


def test_stopping_what_does_not_run_is_a_trouble(launch):
    with pytest.raises(Trouble, match="an instance of the system demo that runs"):
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


def test_a_death_is_the_headline_whatever_was_lost():
    history = History("t")
    op = history.send(client="producer", topic="in", ident="a", digest=1)
    history.complete(op, "ok", partition=0, offset=0)
    session = SimpleNamespace(history=history, _verdicts=[])
    died = "demo-1 ended with exit code 1; its log ends:\nValueError: no"
    with pytest.raises(Died) as told:
        poll(lambda: 0, within=5, awaiting="1 output", alive=lambda: died)
    with pytest.raises(AssertionError, match="1 lost") as explained:
        ScenarioSession.check_after(session, told.value, Flow("outputs", "in", "out"))
    head, tail, *_ = str(explained.value).splitlines()
    assert (head, tail) == ("demo-1 ended with exit code 1; its log ends:", "ValueError: no")
