"""What a machine may lack: Java, Maven, a network, space, ports, the right time."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

from tests.troubles.case import trouble
from tests.troubles.configuration import SEED
from tests.troubles.sandbox import Outcome, Sandbox

MACHINE = "The machine"
#: Nobody listens on the discard port of loopback.
_NO_NETWORK = " ".join(
    f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort=9 -D{scheme}.nonProxyHosts="
    for scheme in ("http", "https")
)


def not_root() -> str:
    """Why a machine cannot be changed for a test."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return "it takes root and Linux to make a file system or a network for it"
    return ""


def in_namespace(box: Sandbox, prepare: str, *arguments: str, **env: str) -> Outcome:
    """Run ``stackproof`` in mount and network namespaces of its own, after ``prepare``."""
    command = " ".join([sys.executable, "-m", "stackproof", *arguments])
    unshare = shutil.which("unshare")
    assert unshare is not None
    paths = box.environ()["PATH"] + os.pathsep + os.environ["PATH"]
    script = f"set -e; ip link set lo up 2>/dev/null || true; {prepare}; exec {command}"
    argv = [unshare, "--mount", "--net", "sh", "-c", script]
    return box.program(argv, PATH=paths, **env)


@trouble(MACHINE, "No Java", "no Java was found", "neither on the PATH nor in JAVA_HOME",
         remedy="install Java 17 or newer")  # fmt: skip
def no_java(box: Sandbox) -> Outcome:
    box.without("java")
    return box.features(*SEED, "--stack", "native")


@trouble(MACHINE, "A Java that is too old", "Java 11.0.2 is too old", "17 or newer is needed",
         remedy="JAVA_HOME")  # fmt: skip
def old_java(box: Sandbox) -> Outcome:
    box.command("java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    return box.features(*SEED, "--stack", "native")


@trouble(MACHINE, "A Java that does not start", "Java does not start", "libjvm")
def broken_java(box: Sandbox) -> Outcome:
    box.command("java", "echo 'error while loading shared libraries: libjvm.so' >&2; exit 127")
    return box.features(*SEED, "--stack", "native")


@trouble(MACHINE, "No Maven when it is needed", "Apache Kafka .* cannot be obtained",
         "not on the PATH", remedy="install Maven")  # fmt: skip
def no_maven(box: Sandbox) -> Outcome:
    box.without("mvn")
    return box.features(*SEED, "--stack", "native", STACKPROOF_CACHE=str(box.root / "cache"))


@trouble(MACHINE, "A registry that cannot be reached", "Apache Kafka .* could not be obtained",
         "Maven ended with exit code 1", remedy="look at the network")  # fmt: skip
def registry_unreachable(box: Sandbox) -> Outcome:
    return box.features(
        *SEED, "--stack", "native", STACKPROOF_CACHE=str(box.root / "cache"),
        MAVEN_OPTS=f"-Dmaven.repo.local={box.root / 'repository'} {_NO_NETWORK}"
        " -Dmaven.wagon.http.retryHandler.count=0 -Daether.connector.http.retryHandler.count=0",
    )  # fmt: skip


@trouble(MACHINE, "A damaged cache is mended",
         "Apache Kafka .* damaged in the cache .*obtained anew", remedy="")  # fmt: skip
def cache_damaged(box: Sandbox) -> Outcome:
    # The damage is told and mended; here it cannot be, as Maven is taken away.
    from stackproof.obtain import Cache
    from stackproof.services import service

    jars = service("kafka").artifacts()[0]
    ours = Cache(box.root / "cache")
    shutil.copytree(Cache().ensure(jars, print), ours.path(jars), copy_function=os.link)
    victim = next((ours.path(jars) / "lib").glob("kafka_*.jar"))
    victim.unlink()
    box.without("mvn")
    return box.features(*SEED, "--stack", "native", STACKPROOF_CACHE=str(box.root / "cache"))


@trouble(MACHINE, "A cache that cannot be written", "Apache Kafka .* could not be put into",
         "Not a directory|File exists", remedy="STACKPROOF_CACHE")  # fmt: skip
def cache_not_writable(box: Sandbox) -> Outcome:
    file = box.write("occupied", "a file, no directory\n")
    return box.features(*SEED, "--stack", "native", STACKPROOF_CACHE=str(file))


@trouble(MACHINE, "A full disk below the cache", "Apache Kafka .* could not be put into the",
         "No space left", remedy="free some space", missing=not_root)  # fmt: skip
def disk_full(box: Sandbox) -> Outcome:
    place = box.root / "small"
    place.mkdir()
    return in_namespace(
        box, f"mount -t tmpfs -o size=256k none {place}",
        "run", "--no-report", *SEED, "--stack", "native", STACKPROOF_CACHE=str(place),
    )  # fmt: skip


@trouble(MACHINE, "No room for the run's directory", "the run's directory cannot be made",
         "Not a directory|File exists", remedy="STACKPROOF_RUNS|space|writable")  # fmt: skip
def runs_not_writable(box: Sandbox) -> Outcome:
    file = box.write("taken", "a file, no directory\n")
    return box.features(*SEED, STACKPROOF_RUNS=str(file))


@trouble(MACHINE, "Reports that cannot be written", "the reports cannot be written",
         "Not a directory|File exists", remedy="STACKPROOF_REPORTS")  # fmt: skip
def reports_not_writable(box: Sandbox) -> Outcome:
    file = box.write("reports-file", "a file, no directory\n")
    return box.features(*SEED, "--reports", str(file / "reports"))


@trouble(MACHINE, "No port is free", "no free port was found", "are in use",
         remedy="end some programs", missing=not_root)  # fmt: skip
def ports_exhausted(box: Sandbox) -> Outcome:
    # A server on all addresses and every port of the range, in a network of its own.
    server = box.write("occupy.py", _OCCUPY)
    return in_namespace(
        box,
        f"ulimit -n 20000; {sys.executable} {server} ready & "
        "while ! test -e ready; do :; done",
        "run", "--no-report", *SEED, "--stack", "native",
    )  # fmt: skip


_OCCUPY = """\
import os, signal, socket, sys
from pathlib import Path

held = []
for port in range(20000, 32000):
    held.append(socket.socket())
    held[-1].bind(("127.0.0.1", port))
Path(sys.argv[1]).touch()
os.environ.clear()
signal.alarm(20)
signal.pause()
"""


@trouble(MACHINE, "A clock that is far off", "the clock of this machine is wrong", "1999",
         remedy="set the clock",
         missing=lambda: "" if libfaketime() else "libfaketime is not installed")  # fmt: skip
def clock_off(box: Sandbox) -> Outcome:
    return box.features(*SEED, LD_PRELOAD=libfaketime(), FAKETIME="1999-12-31 23:00:00")


def libfaketime() -> str:
    """The library that shifts a program's clock; empty when it is not installed."""
    found = [p for p in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1") if p.is_file()]
    return str(found[0]) if found else ""


@trouble(MACHINE, "A port that is in use", r"port \d+ is in use", "process .* listens on it",
         remedy="leave the port out")  # fmt: skip
def port_in_use(box: Sandbox) -> Outcome:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return box.run("up", f"kafka:{server.getsockname()[1]}", STACK="native")


@trouble(MACHINE, "A run that is interrupted", "interrupted by Ctrl-C: ", remedy="", code=130)
def interrupted(box: Sandbox) -> Outcome:
    return box.interrupted(
        "run", "--no-report", "features/messaging", "--stack", "native",
        when=lambda: list((box.root / "reports" / "logs").glob("kafka*.log")),
    )  # fmt: skip
