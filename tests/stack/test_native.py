"""The native provider and the stack on it, with a very small server."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from stackproof import services, settings
from stackproof.actions import (
    Action,
    Crash,
    CutPeers,
    JoinPeers,
    Pause,
    Resume,
    SlowPeers,
    Start,
    Stop,
)
from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache, Say
from stackproof.polling import poll
from stackproof.processes import reaper
from stackproof.processes.run import Run
from stackproof.services.base import Requirement
from stackproof.stack import site
from stackproof.stack.choosing import Providers
from stackproof.stack.harm import packets
from stackproof.stack.native import NativeCluster, NativeProvider
from stackproof.stack.site import LocalSite
from stackproof.stack.stack import Stack
from tests.stack.conftest import PATIENCE, await_gone, await_text, lives, posix_only
from tests.stack.tiny import Tiny, ask, need


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Tiny:
    service = Tiny()
    monkeypatch.setitem(services._known, "tiny", service)
    return service


@pytest.fixture
def provider(run: Run, tmp_path: Path) -> NativeProvider:
    return NativeProvider(run, tmp_path / "logs", Cache(tmp_path / "cache"))


@pytest.fixture
def stack(run: Run, provider: NativeProvider, tiny: Tiny) -> Iterator[Stack]:
    stack = Stack(run, lambda name: provider, lambda line: None)
    yield stack
    stack.stop_all()


def nothing_runs(run: Run) -> bool:
    return not reaper.processes_of(run)


# -- starting ----------------------------------------------------------------
def test_it_starts_and_is_reached(provider: NativeProvider, tiny: Tiny, run: Run) -> None:
    cluster = provider.start(tiny, need(), "tiny-1")
    endpoint = cluster.endpoint
    assert (endpoint.service, endpoint.cluster, endpoint.provider) == ("tiny", "tiny-1", "native")
    assert endpoint.instances == ("tiny-1-1",)
    assert endpoint.options["servers"] == 1
    assert ask(endpoint.addresses["1"]) == "ok"
    assert cluster.death() is None
    (process_id,) = cluster.processes().values()
    assert [p.pid for p in reaper.processes_of(run)] == [process_id]
    assert cluster.logs()["tiny-1-1"].read_text().startswith("listening on ")
    cluster.stop()


def test_the_health_check_is_repeated_with_more_patience(
    provider: NativeProvider, tiny: Tiny
) -> None:
    cluster = provider.start(tiny, need(not_before=4), "tiny-1")
    assert "asked 4: ok" in cluster.logs()["tiny-1-1"].read_text()
    assert len(tiny.checks) >= 4
    assert tiny.checks[0] == pytest.approx(0.5)
    assert tiny.checks == sorted(tiny.checks)
    assert tiny.checks[-1] > tiny.checks[0]  # or a slow machine would miss every one
    cluster.stop()


def test_one_that_dies_at_its_start(provider: NativeProvider, tiny: Tiny, run: Run) -> None:
    with pytest.raises(Trouble, match="Tiny died while it was starting") as caught:
        provider.start(tiny, need(die="unknown option colour"), "tiny-1")
    told = str(caught.value)
    assert "tiny-1-1 ended with exit code 3; its log ends:" in told
    assert "unknown option colour" in told
    assert len(tiny.laid_out) == 1  # not tried again
    assert nothing_runs(run)
    assert not (run.directory / "tiny-1").exists()


def test_one_that_is_never_ready(provider: NativeProvider, run: Run) -> None:
    tiny = Tiny(start_within=0.3)
    with pytest.raises(Trouble, match=r"Tiny was not ready within 0\.3 s") as caught:
        provider.start(tiny, need(not_before=10**6, servers=2), "tiny-1")
    told = str(caught.value)
    assert "NotYetError: it says 'no'" in told or "ConnectionRefusedError" in told
    assert "tiny-1-1's log ends:" in told
    assert "tiny-1-2's log ends:" in told
    assert "STACKPROOF_TIME_FACTOR" in told
    assert nothing_runs(run)
    assert not (run.directory / "tiny-1").exists()


def test_a_busy_machine_gets_longer(
    provider: NativeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "getloadavg", lambda: (1000.0, 0.0, 0.0))
    with pytest.raises(Trouble, match=r"not ready within 0\.1 s") as caught:
        provider.start(Tiny(start_within=0.1), need(not_before=10**6), "tiny-1")
    assert "the machine is busy (1000 processes want its" in caught.value.why
    assert "it got 0.4 s" in caught.value.why
    late = Tiny(start_within=0.01)  # no interpreter starts in that time
    monkeypatch.setattr(site, "_LONGER", 100 * PATIENCE)
    provider.start(late, need(), "tiny-2").stop()
    monkeypatch.setattr(psutil, "getloadavg", lambda: (0.0, 0.0, 0.0))
    with pytest.raises(Trouble, match=r"not ready within 0\.01 s") as caught:
        provider.start(late, need(), "tiny-3")
    assert "busy" not in caught.value.why


def test_the_time_to_start_is_scaled(run: Run, tmp_path: Path) -> None:
    provider = NativeProvider(run, tmp_path, Cache(tmp_path), time_factor=3)
    with pytest.raises(Trouble, match=r"not ready within 0\.6 s"):
        provider.start(Tiny(start_within=0.2), need(not_before=10**6), "tiny-1")


def test_a_port_clash_is_tried_again(
    provider: NativeProvider, tiny: Tiny, run: Run, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    cluster = provider.start(tiny, need(clash=marker), "tiny-1")
    first, second = marker.read_text().split()
    assert first != second
    assert cluster.endpoint.addresses == {"1": f"127.0.0.1:{second}"}
    assert ask(f"127.0.0.1:{second}") == "ok"
    # Of the first attempt nothing is left.
    assert len(reaper.processes_of(run)) == 1
    assert [p.name for p in run.directory.iterdir() if p.is_dir()] == ["tiny-1.2"]
    cluster.stop()


def test_a_port_that_clashes_always(provider: NativeProvider, tiny: Tiny, run: Run) -> None:
    with pytest.raises(Trouble, match="Address already in use"):
        provider.start(tiny, need(die="bind: Address already in use"), "tiny-1")
    assert len(tiny.laid_out) == 3
    assert nothing_runs(run)


def test_a_stranger_that_answers_on_its_port_is_no_health(
    provider: NativeProvider, tiny: Tiny, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port was taken between its choice and its use: the server dies, the other answers."""
    other = provider.start(tiny, need(), "other")
    port = int(other.endpoint.addresses["1"].partition(":")[2])
    monkeypatch.setattr(LocalSite, "port", lambda site, role: port)
    original = Tiny.check

    def late_check(*arguments: object, **options: float) -> None:
        process = NativeCluster.processes.__get__(starting[-1])()
        await_gone(*process.values())
        original(tiny, *arguments, **options)  # type: ignore[arg-type]

    starting: list[NativeCluster] = []
    launch = NativeCluster.launch
    monkeypatch.setattr(NativeCluster, "launch", lambda c, s: (starting.append(c), launch(c, s)))
    monkeypatch.setattr(tiny, "check", late_check)
    with pytest.raises(Trouble, match="Address already in use"):
        provider.start(tiny, need(), "tiny-1")
    assert len(starting) == 3
    other.stop()


def test_a_program_that_is_not_there(
    provider: NativeProvider, tiny: Tiny, run: Run, tmp_path: Path
) -> None:
    with pytest.raises(Trouble, match="tiny-1-1 cannot be started") as caught:
        provider.start(tiny, need(program=str(tmp_path / "none")), "tiny-1")
    assert f"{tmp_path / 'none'}: No such file or directory" in str(caught.value)
    assert not (run.directory / "tiny-1").exists()


def test_a_layout_that_fails_leaves_nothing(
    provider: NativeProvider, tiny: Tiny, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(site: LocalSite) -> dict[str, str]:
        raise Trouble("no Java was found")

    monkeypatch.setattr(tiny, "addresses", fails)
    with pytest.raises(Trouble, match="no Java"):
        provider.start(tiny, need(), "tiny-1")
    assert not (run.directory / "tiny-1").exists()


def test_an_error_in_the_check_leaves_nothing(
    provider: NativeProvider, tiny: Tiny, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(endpoint: object, *, timeout: float) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(tiny, "check", broken)
    with pytest.raises(KeyError, match="a bug"):
        provider.start(tiny, need(servers=2), "tiny-1")
    assert nothing_runs(run)


def test_unknown_options_are_refused(provider: NativeProvider, tiny: Tiny, run: Run) -> None:
    with pytest.raises(Trouble, match="Tiny has no option 'brokers'") as caught:
        provider.start(tiny, need(brokers=3), "tiny-1")
    assert "it knows: child, clash, die, not_before, program, servers" in str(caught.value)
    assert tiny.laid_out == []


# -- stopping, breaking, healing ---------------------------------------------
def test_stop_removes_processes_children_and_data(
    provider: NativeProvider, tiny: Tiny, run: Run, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    cluster = provider.start(tiny, need(servers=2, child=pids), "tiny-1")
    family = [*cluster.processes().values(), *map(int, await_text(pids, lines=2).split())]
    assert len(list((run.directory / "tiny-1").glob("*/written"))) == 2
    cluster.stop()
    assert [pid for pid in family if lives(pid)] == []
    assert not (run.directory / "tiny-1").exists()
    assert cluster.logs()["tiny-1-1"].exists()  # the logs stay
    cluster.stop()  # once more does no harm


def test_one_that_resists_does_not_save_the_others(
    provider: NativeProvider, tiny: Tiny, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = provider.start(tiny, need(servers=3), "tiny-1")
    middle = cluster._processes["tiny-1-2"]
    kill = middle.kill

    def resists() -> None:
        raise TimeoutError("it hangs in the kernel")

    middle.kill = resists  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        cluster.stop()
    assert [p.pid for p in reaper.processes_of(run)] == [middle.pid]
    assert not (run.directory / "tiny-1").exists()
    kill()


def test_a_crash_and_a_restart(provider: NativeProvider, tiny: Tiny, run: Run) -> None:
    cluster = provider.start(tiny, need(servers=2), "tiny-1")
    address = cluster.endpoint.addresses["1"]
    before = cluster.processes()["tiny-1-1"]
    cluster.act("tiny-1-1", Crash())
    assert not lives(before)
    with pytest.raises(OSError, match="refused"):
        ask(address)
    assert ask(cluster.endpoint.addresses["2"]) == "ok"
    assert cluster.death() is None  # it was meant
    assert cluster.unhealed() == "tiny-1-1 was ended, and not started again"
    assert (run.directory / "tiny-1" / "tiny-1-1" / "written").exists()  # its data stay
    cluster.act("tiny-1-1", Start())
    cluster.wait_healthy(PATIENCE)
    assert cluster.processes()["tiny-1-1"] != before
    assert ask(address) == "ok"
    assert cluster.unhealed() is None
    cluster.act("tiny-1-1", Start())  # runs already
    assert cluster.processes()["tiny-1-1"] != before
    assert len(reaper.processes_of(run)) == 2
    cluster.stop()


def test_a_death_that_nobody_meant(provider: NativeProvider, tiny: Tiny) -> None:
    cluster = provider.start(tiny, need(servers=2), "tiny-1")
    cluster.act("tiny-1-1", Crash())
    cluster.act("tiny-1-1", Start())
    cluster.wait_healthy(PATIENCE)
    psutil.Process(cluster.processes()["tiny-1-1"]).kill()
    death = poll(cluster.death, within=PATIENCE, awaiting="the death to be noticed")
    assert death is not None
    assert death.startswith("tiny-1-1 ")
    assert "listening on" in death
    assert cluster.unhealed() == death
    cluster.stop()


@posix_only
def test_stop_pause_and_resume(provider: NativeProvider, tiny: Tiny, tmp_path: Path) -> None:
    cluster = provider.start(tiny, need(child=str(tmp_path / "child")), "tiny-1")
    address = cluster.endpoint.addresses["1"]
    process = psutil.Process(cluster.processes()["tiny-1-1"])
    cluster.act("tiny-1-1", Pause())
    child = psutil.Process(int((tmp_path / "child").read_text()))
    assert os.getsid(child.pid) != os.getsid(process.pid)
    for one in (process, child):
        poll(lambda one=one: one.status() == psutil.STATUS_STOPPED, within=PATIENCE,
             awaiting="the pause")  # fmt: skip
    with pytest.raises(TimeoutError):
        ask(address, timeout=0.05)  # connects, for the kernel does that, and hears nothing
    assert cluster.death() is None
    assert cluster.unhealed() == "tiny-1-1 is stopped in its tracks"
    cluster.act("tiny-1-1", Resume())
    assert ask(address) == "ok"
    assert child.status() != psutil.STATUS_STOPPED
    assert cluster.unhealed() is None
    cluster.act("tiny-1-1", Stop())
    assert not process.is_running()
    assert cluster.death() is None
    cluster.stop()


@pytest.mark.skipif(packets.unusable() is not None, reason=str(packets.unusable()))
def test_a_cut_that_is_left_is_found(provider: NativeProvider, tiny: Tiny, run: Run) -> None:
    alone = Requirement("tiny", (("servers", 2),), dedicated=True)
    cluster, other = provider.start(tiny, alone, "tiny-1"), provider.start(tiny, alone, "tiny-2")
    assert cluster.unhealed() is None
    cluster.act("tiny-1-2", CutPeers(one_way=True))
    assert cluster.unhealed() == "packets of tiny-1-2 are dropped"
    assert other.unhealed() is None
    cluster.act("tiny-1-2", JoinPeers())
    assert cluster.unhealed() is None
    cluster.stop()
    other.stop()


class Melt(Action):
    words = "melt"


def test_unknown_actions_are_not_supported(provider: NativeProvider, tiny: Tiny) -> None:
    cluster = provider.start(tiny, need(), "tiny-1")
    with pytest.raises(NotSupported, match="cannot melt an instance"):
        cluster.act("tiny-1-1", Melt())
    with pytest.raises(NotSupported, match="proxied_peers=True"):
        cluster.act("tiny-1-1", SlowPeers(1))
    cluster.stop()


def test_pausing_is_not_supported_on_windows(
    provider: NativeProvider, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = provider.start(tiny, need(), "tiny-1")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        with pytest.raises(NotSupported, match="cannot pause an instance"):
            cluster.act("tiny-1-1", Pause())
    cluster.stop()


def test_what_has_been_stopped_is_not_started_again(
    provider: NativeProvider, tiny: Tiny, run: Run
) -> None:
    cluster = provider.start(tiny, need(), "tiny-1")
    cluster.stop()
    with pytest.raises(Trouble, match="the run is ending"):
        cluster.act("tiny-1-1", Start())
    assert nothing_runs(run)


# -- the stack ---------------------------------------------------------------
def test_clusters_side_by_side(stack: Stack, run: Run) -> None:
    needs = [need(), need(servers=2), need(not_before=2), need()]
    stack.start_shared(needs)
    endpoints = [stack.shared(one) for one in needs]
    assert len({e.cluster for e in endpoints}) == 3  # equal needs share
    assert endpoints[0] == endpoints[3]
    addresses = {a for e in endpoints for a in e.addresses.values()}
    assert len(addresses) == 4
    assert {ask(address) for address in addresses} == {"ok"}
    assert len(stack.logs()) == 4
    assert run.read_state()["endpoints"] == stack.describe()
    reached = {known["reach"] for known in stack.describe().values()}
    assert reached == {", ".join(e.addresses.values()) for e in endpoints}
    stack.stop_all()
    assert nothing_runs(run)
    assert [p.name for p in run.directory.iterdir() if p.is_dir()] == []


def test_one_that_fails_is_told_and_the_others_are_stopped(stack: Stack, run: Run) -> None:
    with pytest.raises(Trouble, match="Tiny died"):
        stack.start_shared([need(), need(die="no"), need(not_before=10**6)])
    stack.stop_all()
    poll(lambda: nothing_runs(run), within=PATIENCE, awaiting="all to be stopped")


def test_a_dedicated_cluster_comes_and_goes(stack: Stack, run: Run) -> None:
    stack.start_shared([need()])
    own = stack.start(need())
    assert own.cluster != stack.shared(need()).cluster
    assert stack.deaths() == []
    stack.act(own.cluster, "tiny-2-1", Crash())
    assert stack.deaths() == []
    stack.stop(own)
    assert ask(stack.shared(need()).addresses["1"]) == "ok"
    assert list(stack.describe()) == ["tiny-1"]


def test_deaths_are_told(stack: Stack) -> None:
    stack.start_shared([need()])
    (log,) = stack.logs().values()
    (process_id,) = stack._clusters["tiny-1"].processes().values()  # type: ignore[attr-defined]
    psutil.Process(process_id).kill()
    (death,) = poll(stack.deaths, within=PATIENCE, awaiting="the death to be noticed")
    assert log.read_text().splitlines()[-1] in death


@pytest.mark.parametrize(("cluster", "instance"), [("tiny-9", "tiny-9-1"), ("tiny-1", "tiny-1-9")])
def test_what_is_not_there_cannot_be_broken(stack: Stack, cluster: str, instance: str) -> None:
    stack.start_shared([need()])
    with pytest.raises(Trouble, match=f"no instance '{instance}' of cluster '{cluster}'"):
        stack.act(cluster, instance, Crash())


def test_an_unknown_service(stack: Stack) -> None:
    with pytest.raises(Trouble, match="no service is called 'kafak'") as caught:
        stack.start(Requirement("kafak"))
    assert "did you mean 'kafka'?" in caught.value.remedy


def test_memory(stack: Stack) -> None:
    assert stack.memory_mb(need(servers=3)) == 30
    assert stack.memory_mb(Requirement("kafka", (("brokers", 3),))) == 3 * 512
    with pytest.raises(Trouble, match="Kafka has no option 'nodes'"):
        stack.memory_mb(Requirement("kafka", (("nodes", 3),)))


# -- ending while something starts -------------------------------------------
def in_thread(function: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def test_stopping_ends_a_start_in_progress(stack: Stack, tiny: Tiny, run: Run) -> None:
    tiny.start_within = 600
    thread, errors = in_thread(lambda: stack.start(need(not_before=10**6)))
    poll(lambda: tiny.checks, within=PATIENCE, awaiting="the start to be in progress")
    stack.stop_all()
    assert nothing_runs(run)  # at once, not when the thread finds out
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert [str(e).splitlines()[0] for e in errors] == ["the start of Tiny was given up"]
    assert not (run.directory / "tiny-1").exists()
    with pytest.raises(Trouble, match="the run is ending"):
        stack.start(need())


def test_a_start_that_succeeds_too_late_is_undone(
    stack: Stack, tiny: Tiny, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = NativeProvider.start

    def start(*arguments: object) -> object:
        cluster = original(*arguments)  # type: ignore[arg-type]
        stack.stop_all()
        return cluster

    monkeypatch.setattr(NativeProvider, "start", start)
    with pytest.raises(Trouble, match="the run is ending"):
        stack.start(need())
    assert nothing_runs(run)


def test_an_interruption_does_not_wait_for_the_start(
    stack: Stack, tiny: Tiny, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C and SIGTERM raise in the main thread, which waits for the clusters."""
    tiny.start_within = 600
    import stackproof.stack.stack as module

    def interrupted(*arguments: object, **options: object) -> object:
        poll(lambda: tiny.checks, within=PATIENCE, awaiting="the start to be in progress")
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stack.start_shared([need(not_before=10**6)])
    stack.stop_all()
    assert nothing_runs(run)


def test_obtaining_is_side_by_side_and_given_up(
    stack: Stack, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Artifact:
        def __init__(self, name: str) -> None:
            self.key = self.title = name

        def build(self, into: Path, cache: Cache, say: Say) -> None:
            (into / "file").touch()
            begun.append(self.key)
            meet.wait(PATIENCE)

    begun: list[str] = []
    meet = threading.Barrier(2)
    other = Tiny()
    monkeypatch.setitem(services._known, "other", other)  # type: ignore[arg-type]
    tiny.needed, other.needed = [Artifact("a")], [Artifact("b")]
    stack.obtain(["tiny", "other", "tiny"])
    assert sorted(begun) == ["a", "b"]
    stack.obtain(["tiny", "other"])  # both are there
    assert len(begun) == 2
    stack.stop_all()
    with pytest.raises(Trouble, match="the run is ending"):
        stack.obtain(["tiny"])


def test_nothing_to_do_is_done(stack: Stack) -> None:
    stack.obtain([])
    stack.start_shared([])
    stack.stop_all()


# -- the choice --------------------------------------------------------------
def test_the_provider_and_why(run: Run, tmp_path: Path) -> None:
    chosen = settings.load(tmp_path, environment={"STACK": "native"})
    providers = Providers(run, tmp_path, chosen)
    assert providers("kafka").name == "native"
    assert providers.explain(["kafka"]) == ["kafka: native processes (chosen by environment STACK)"]
    assert providers.explain([]) == []
    assert providers.summary(["kafka"]) == "native"
    assert providers.summary([]) == "none"
    auto = Providers(run, tmp_path, settings.load(tmp_path, environment={}))
    assert "no container engine" in auto.explain(["kafka"])[0]


def test_ports_of_a_site(tmp_path: Path) -> None:
    site = LocalSite("c", tmp_path, {}, Cache(tmp_path))
    assert site.port("client") == site.port("client")
    assert site.port("client") != site.port("controller")
    with socket.socket() as server:
        server.bind(("127.0.0.1", site.port("client")))


def test_memory_is_what_the_processes_use(provider: NativeProvider, tiny: Tiny) -> None:
    cluster = provider.start(tiny, need(servers=2), "tiny-1")
    used = cluster.memory()
    assert set(used) == {"tiny-1-1", "tiny-1-2"}
    assert all(1 <= amount < 500 for amount in used.values())
    cluster.stop()
    assert cluster.memory() == {}
