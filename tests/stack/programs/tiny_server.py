"""A very small server: answers each connection with `ok`, or with `no` for a while.

tiny_server.py PORT DATA [--not-before N] [--die TEXT] [--clash MARKER] [--child PIDS]
"""

import argparse
import contextlib
import socket
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("data")
parser.add_argument("--not-before", type=int, default=1, help="number of the first good answer")
parser.add_argument("--die", default="", help="print this and end with exit code 3")
parser.add_argument("--clash", default="", help="the first to come fails to bind")
parser.add_argument("--child", default="", help="start a child in its own session, note its ID")
options = parser.parse_args()

Path(options.data, "written").write_text("data")
if options.child:
    argv = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(120)"]
    child = subprocess.Popen(argv, start_new_session=True)
    with Path(options.child).open("a") as file:
        file.write(f"{child.pid}\n")
if options.die:
    print(options.die, flush=True)
    sys.exit(3)
if options.clash:
    with Path(options.clash).open("a+") as file:
        file.seek(0)
        first = not file.read()
        file.write(f"{options.port}\n")
    if first:
        sys.exit(f"OSError: [Errno 98] Address already in use: {options.port}")
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", options.port))
server.listen()
print(f"listening on {options.port}", flush=True)
asked = 0
while True:
    connection, _ = server.accept()
    asked += 1
    answer = "ok" if asked >= options.not_before else "no"
    print(f"asked {asked}: {answer}", flush=True)
    with contextlib.suppress(OSError):
        connection.sendall(answer.encode())
    connection.close()
