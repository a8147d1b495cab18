"""Lives for two minutes. Options: children, signals ignored, own words."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--pid-file")
parser.add_argument("--children", type=int, default=0)
parser.add_argument("--ignore", action="append", default=[])
parser.add_argument("--say", default="")
parser.add_argument("--exit", type=int)
parser.add_argument("--slow-end", action="store_true", help="ends by SIGTERM with exit code 143")
parser.add_argument("--restless", action="store_true", help="starts a child every millisecond")
options = parser.parse_args()

for name in options.ignore:
    signal.signal(getattr(signal, name), signal.SIG_IGN)
if options.slow_end:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
if options.say:
    print(options.say, flush=True)


def report(process_id: int) -> None:
    if options.pid_file:
        with Path(options.pid_file).open("a") as file:
            file.write(f"{process_id}\n")


for _ in range(options.children):
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(120)"])
    report(child.pid)
report(os.getpid())
if options.exit is not None:
    sys.exit(options.exit)
if options.restless:
    for _ in range(3000):
        child_id = os.fork()
        if not child_id:
            time.sleep(20)
            os._exit(0)
        report(child_id)
        time.sleep(0.001)
time.sleep(120)
