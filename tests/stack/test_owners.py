"""Commands of owners: noted before they break, bounded, told, undone by whoever ends the run."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stackproof.actions import Crash, CutPeers, Pause, Resume, Start
from stackproof.errors import NotSupported, Trouble
from stackproof.masking import Masker
from stackproof.polling import poll
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.settings.nodes import NodeSettings
from stackproof.stack import owners
from stackproof.stack.owners import Owner

NODE = "kafka-1-broker-2"
SECTION = "[services.kafka.nodes.broker-2]"
TOUCH = ("touch",)


@pytest.fixture
def run(runs: Path) -> Run:
    return Run.begin()


@pytest.fixture
def owner(run: Run, tmp_path: Path) -> Callable[..., Owner]:
    def make(within: float = 30.0, **commands: tuple[str, ...]) -> Owner:
        node = NodeSettings("broker-2", SECTION, "", commands, within)
        return Owner(run, "Kafka", {NODE: node}, directory=tmp_path, factor=1.0)

    return make


def journal(run: Run) -> dict[str, object]:
    file = run.directory / "broken-nodes.json"
    return json.loads(file.read_text()) if file.exists() else {}


def python(source: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", source, *arguments)


# -- what is run ---------------------------------------------------------------
def test_each_action_has_its_command(owner: Callable[..., Owner], tmp_path: Path) -> None:
    commands = {key: (*TOUCH, key) for key in ("kill", "start", "pause", "resume")}
    breaking = owner(**commands)
    for action, made in ((Crash(), "kill"), (Start(), "start"), (Pause(), "pause"),
                         (Resume(), "resume")):  # fmt: skip
        breaking.act(NODE, action)
        assert (tmp_path / made).exists(), "in the directory of the settings"


def test_no_shell_sees_a_command(owner: Callable[..., Owner], tmp_path: Path) -> None:
    owner(kill=(*TOUCH, "$HOME; touch other"), start=TOUCH).act(NODE, Crash())
    assert [f.name for f in tmp_path.glob("*touch*")] == ["$HOME; touch other"]


def test_what_a_command_starts_is_not_the_runs(
    owner: Callable[..., Owner], run: Run, tmp_path: Path
) -> None:
    """A server that holds its output open is not waited for, and the reaper spares it."""
    serve = "import signal; signal.pause()"
    start = f"""
import os, subprocess, sys
server = subprocess.Popen([sys.executable, "-S", "-c", {serve!r}])
open("server", "w").write(str(server.pid))
print("started", {RUN_VARIABLE!r} in os.environ)
"""
    owner(start=python(start)).act(NODE, Start())
    server = int((tmp_path / "server").read_text())
    try:
        assert server not in {p.pid for p in reaper.processes_of(run)}
    finally:
        os.kill(server, signal.SIGKILL)


# -- what is not ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("commands", "action", "lacking"),
    [
        ({"start": TOUCH}, Crash(), "kill"),
        ({"kill": (*TOUCH, "killed")}, Crash(), "start"),
        ({"pause": (*TOUCH, "killed")}, Pause(), "resume"),
        ({}, Start(), "start"),
    ],
)
def test_nothing_is_broken_without_what_heals_it(
    owner: Callable[..., Owner],
    run: Run,
    tmp_path: Path,
    commands: dict[str, tuple[str, ...]],
    action: Crash | Pause | Start,
    lacking: str,
) -> None:
    with pytest.raises(NotSupported) as caught:
        owner(**commands).act(NODE, action)
    assert caught.value.what == f"{SECTION} has no {lacking}"
    assert not (tmp_path / "killed").exists() and not journal(run)


def test_other_harm_is_not_supported(owner: Callable[..., Owner]) -> None:
    with pytest.raises(NotSupported, match="would cut the peers of broker-2"):
        owner(kill=TOUCH, start=TOUCH).act(NODE, CutPeers())


def test_nothing_is_broken_when_the_run_has_ended(
    owner: Callable[..., Owner], run: Run, tmp_path: Path
) -> None:
    breaking = owner(kill=(*TOUCH, "killed"), start=TOUCH)
    reaper.reap(run)
    with pytest.raises(Trouble, match="cannot be noted"):
        breaking.act(NODE, Crash())
    assert not (tmp_path / "killed").exists()


# -- what fails ----------------------------------------------------------------
def test_a_failed_command_is_told_with_the_end_of_its_output(owner: Callable[..., Owner]) -> None:
    kill = python("for n in range(100): print('line', n)\nraise SystemExit(5)")
    with pytest.raises(Trouble) as caught:
        owner(kill=kill, start=TOUCH).act(NODE, Crash())
    told = str(caught.value)
    assert "the kill of broker-2 of Kafka failed" in told and "ended with exit code 5" in told
    assert "line 99" in told and "line 20" not in told and SECTION in told


def test_a_command_has_a_time_limit(owner: Callable[..., Owner]) -> None:
    kill = python("import signal; print('going on', flush=True); signal.pause()")
    with pytest.raises(Trouble, match=r"(?s)did not end within 1 s.*going on.*within = "):
        owner(within=1.0, kill=kill, start=TOUCH).act(NODE, Crash())


def test_a_program_that_is_not_there_is_told(owner: Callable[..., Owner]) -> None:
    with pytest.raises(Trouble, match=r"(?s)the kill of broker-2.*no-such-program"):
        owner(kill=("no-such-program",), start=TOUCH).act(NODE, Crash())


def test_no_secret_of_a_command_is_told(owner: Callable[..., Owner]) -> None:
    hidden = ("--password=hunter two", "--token", "abc123", "API_KEY=secret!")
    kill = python("import sys; print('password=hunter3'); sys.exit(1)", *hidden)
    with pytest.raises(Trouble) as caught:
        owner(kill=kill, start=TOUCH).act(NODE, Crash())
    told = str(caught.value)
    assert not any(word in told for word in ("hunter", "two", "abc123", "secret!")), told
    assert "--password=***** --token ***** API_KEY=*****" in told


def test_registered_secrets_are_masked_in_commands() -> None:
    assert Masker(["s3cr3t"]).mask_command(["curl", "-H", "X: s3cr3t", "a b"]) == (
        "curl -H X: ***** 'a b'"
    )


# -- what is left broken -------------------------------------------------------
def test_what_heals_is_noted_before_anything_is_broken(
    owner: Callable[..., Owner], run: Run, tmp_path: Path
) -> None:
    file = run.directory / "broken-nodes.json"
    breaking = owner(kill=("cp", str(file), "noted"), start=(*TOUCH, "started"))
    breaking.act(NODE, Crash())
    noted = json.loads((tmp_path / "noted").read_text())
    assert noted[NODE]["heal"]["argv"] == [*TOUCH, "started"]
    breaking.act(NODE, Start())
    assert not journal(run)


@pytest.mark.parametrize("how", ["heal", "reap"])
def test_who_ends_it_heals(owner: Callable[..., Owner], run: Run, tmp_path: Path, how: str) -> None:
    breaking = owner(kill=(*TOUCH, "killed"), start=(*TOUCH, "started"))
    breaking.act(NODE, Crash())
    assert not (tmp_path / "started").exists()
    left = breaking.heal() if how == "heal" else reaper.reap(run)
    assert not left and (tmp_path / "started").exists() and not journal(run)


def test_a_kill_that_failed_is_healed_as_well(
    owner: Callable[..., Owner], run: Run, tmp_path: Path
) -> None:
    breaking = owner(kill=("false",), start=(*TOUCH, "started"))
    with pytest.raises(Trouble):
        breaking.act(NODE, Crash())
    assert not breaking.heal() and (tmp_path / "started").exists()


def test_what_cannot_be_healed_is_told_and_tried_again(
    owner: Callable[..., Owner], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = python("import os, sys; open('tried', 'a').write('x'); "
                   "sys.exit(0 if os.path.exists('mended') else 3)")  # fmt: skip
    breaking = owner(kill=(*TOUCH, "killed"), start=start)
    breaking.act(NODE, Crash())
    (left,) = breaking.heal()
    assert left.startswith("broker-2 of Kafka is left broken: the start of broker-2 of Kafka fail")
    assert "exit code 3" in left
    assert breaking.heal() == [left], "not tried again at once"
    assert (tmp_path / "tried").read_text() == "x"
    monkeypatch.setattr(owners, "_RETRY", 0.0)
    (tmp_path / "mended").touch()
    assert reaper.reap(run) == [] and not run.directory.exists()


def test_a_command_that_outlives_its_run_is_waited_for(
    owner: Callable[..., Owner], run: Run, tmp_path: Path
) -> None:
    """Otherwise it would break what has just been healed."""
    go = tmp_path / "go"
    os.mkfifo(go)
    kill = python("open('go').read(); open('order', 'a').write('kill ')")
    breaking = owner(within=1.0, kill=kill, start=python("open('order', 'a').write('start ')"))
    child = os.fork()
    if child == 0:  # the run, which is killed while its command is at work
        try:
            breaking.act(NODE, Crash())
        finally:
            os._exit(0)
    poll(lambda: journal(run).get(NODE, {}).get("pid"), within=30, awaiting="the command")  # type: ignore[attr-defined]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    healing = os.fork()
    if healing == 0:
        os._exit(len(breaking.heal()))
    go.write_text("")
    assert os.waitpid(healing, 0)[1] == 0
    assert (tmp_path / "order").read_text() == "kill start "
