"""``python -m tests.compatibility [SERVER...]``: ``stackproof compatibility`` on other servers.

Each is obtained, started on loopback outside of any run, tried, and ended. Their pages are joined
in docs/compatibility.md. A server that cannot be had is listed there with the reason, and the
rest goes on; one that was not asked for keeps its page from before.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from stackproof.errors import EXIT_PASSED, Trouble
from stackproof.processes.run import RUN_VARIABLE
from stackproof.services import service, service_names
from tests.compatibility.servers import ELSEWHERE, SERVERS, Server, running

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "reports" / "compatibility"
JOINED = ROOT / "docs" / "compatibility.md"
_COUNTS = re.compile(r"Scenarios: (\d+) passed, (\d+) failed, (\d+) not supported")
_INTRODUCTION = """# Compatibility

Servers of other versions and makers, and what they pass of the features that need nothing but an
endpoint: written by `make compatibility`, which obtains and starts each of them. Scenarios that
stop or break servers are not among them. `stackproof compatibility NAME` (`kafka`, `redis`, or any
other service) writes such a page of an endpoint of yours, see [endpoints.md](endpoints.md).

"""


def main() -> int:
    """Try the servers and write the pages; 1 when one of those that were had wrote none."""
    parser = argparse.ArgumentParser(prog="python -m tests.compatibility", description=__doc__)
    parser.add_argument("servers", nargs="*", help="default: all")
    parser.add_argument("--time-factor", default="3")
    options = parser.parse_args()
    unknown = set(options.servers) - {server.name for server in SERVERS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; "
                     f"there are: {', '.join(server.name for server in SERVERS)}")  # fmt: skip
    PAGES.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for server in SERVERS:
        if options.servers and server.name not in options.servers:
            continue
        print(f"== {server.title}", flush=True)
        try:
            wrong += not tried(server, options.time_factor)
        except (Trouble, OSError, subprocess.SubprocessError) as trouble:
            print(f"{server.title}: {trouble}", flush=True)
            why = trouble.what if isinstance(trouble, Trouble) else str(trouble)
            _page_of(server).write_text(f"# {server.title}\n\nNot tried: {why}\n", encoding="utf-8")
    before = JOINED.read_text(encoding="utf-8") if JOINED.exists() else ""
    JOINED.write_text(joined(before), encoding="utf-8")
    return 1 if wrong else 0


def tried(server: Server, time_factor: str) -> bool:
    """Start a server and run the command on it; whether its page was written."""
    of_services = {
        variable
        for name in service_names()
        for setting in service(name).connection_settings()
        for variable in (*setting.variables, f"{name.upper()}_", "STACK")
    }
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((*of_services,)) or name in ("STACKPROOF_CACHE", "STACKPROOF_RUNS")
    }
    inherited.pop(RUN_VARIABLE, None)
    with (
        tempfile.TemporaryDirectory(prefix="compatibility-") as scratch,
        running(server, Path(scratch) / server.name, lambda line: print(line, flush=True)) as where,
    ):
        done = subprocess.run(
            [sys.executable, "-m", "stackproof", "compatibility", server.service,
             "--title", server.title, "--output", str(_page_of(server)),
             "--reports", str(PAGES / server.name), "--time-factor", time_factor],
            cwd=ROOT, stdin=subprocess.DEVNULL,
            env={**inherited, **where, "STACKPROOF_TIME_FACTOR": time_factor},
        )  # fmt: skip
    return done.returncode == EXIT_PASSED


def joined(before: str) -> str:
    """All pages there are, behind a table of them.

    Args:
        before: what this gave the last time; servers that have no page here keep that of then.
    """
    known = {part.partition("\n")[0]: part for part in re.split(r"^## ", before, flags=re.M)[1:]}
    rows, parts = [], []
    for server in SERVERS:
        if _page_of(server).exists():
            page = _page_of(server).read_text(encoding="utf-8")
            part = re.sub(r"^#", "##", page, flags=re.M).removeprefix("## ")
        elif server.title in known:
            part = known[server.title]
        else:
            continue
        found = _COUNTS.search(part)
        counts = " | ".join(found.groups()) if found else "not tried | |"
        rows.append(f"| {server.title} | {counts} |")
        parts.append(f"## {part.strip()}")
    table = ["| server | passed | failed | not supported |", "|---|---|---|---|", *rows]
    elsewhere = ["## Not tried here", "", *(f"- {n}: {why}" for n, why in ELSEWHERE.items())]
    return _INTRODUCTION + "\n".join([*table, "", *("\n\n".join(parts), ""), *elsewhere, ""])


def _page_of(server: Server) -> Path:
    return PAGES / f"{server.name}.md"


if __name__ == "__main__":
    sys.exit(main())
