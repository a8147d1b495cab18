"""One process of an owner's family: becomes of a kind, says its ID, and lives on.

    family.py KIND REPORT RUN_DIRECTORY

What it ends up as is always a sleeping process that no longer has this file's
arguments, unless its kind is to have them.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

kind, report, run_directory = sys.argv[1:]
SLEEP = "import sys, time; time.sleep(120)"
plain = [sys.executable, "-I", "-S", "-c", SLEEP]
bare = {"PATH": "/usr/bin:/bin"}  # no mark of the run in it


def say() -> None:
    with Path(report).open("a") as file:
        file.write(f"{kind} {os.getpid()}\n")


def daemonise() -> None:
    """Fork twice with a session of its own: no parent, no terminal, no group in common."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)


def become(argv: list[str], environment: dict[str, str], program: str = sys.executable) -> None:
    say()
    os.execve(program, argv, environment)


if kind == "child":
    become(plain, dict(os.environ))
elif kind == "daemon":
    daemonise()
    os.chdir("/")
    become(plain, dict(os.environ))
elif kind == "in its directory, environment cleared":
    daemonise()
    os.chdir(run_directory)
    become(plain, bare)
elif kind == "in its directory, environment of another run":
    daemonise()
    os.chdir(run_directory)
    become(plain, {**bare, "STACKPROOF_RUN": "r00000000"})
elif kind == "told by an argument only":
    daemonise()
    os.chdir("/")
    become([*plain, f"--data={run_directory}/data"], bare)
elif kind == "told by its program only":
    program = f"{run_directory}/server"
    shutil.copy("/bin/sleep", program)
    daemonise()
    os.chdir("/")
    become(["sleep", "120"], bare, program)
elif kind == "stopped":
    daemonise()
    say()
    os.kill(os.getpid(), signal.SIGSTOP)
elif kind == "deaf to signals":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    become(plain, dict(os.environ))
elif kind == "in the ledger only":
    os.chdir("/")
    kind = kind if os.fork() else "its child"
    become(plain, bare)
else:
    sys.exit(f"no such kind: {kind}")
