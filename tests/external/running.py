"""Runs of the suite on somebody's broker, as people start them, watched while they last."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stackproof.polling import poll
from stackproof.processes.run import RUN_VARIABLE
from tests.external.broker import USER, SecuredBroker

ROOT = Path(__file__).parents[2]
#: Where a secret may lie while a scenario runs, for its owner alone.
_MAY_HOLD = re.compile(r"kafka-(client|java)\.properties\Z")
_PATIENCE = 900


def ways_in(broker: SecuredBroker, directory: Path) -> dict[str, dict[str, str]]:
    """By name: the variables of each way to log in."""
    password, key_password = directory / "password", directory / "key-password"
    for file, secret in ((password, broker.password), (key_password, broker.key_password)):
        file.touch(mode=0o600)
        file.write_text(f"{secret}\n")
    tls = {"KAFKA_TLS": "yes", "KAFKA_CA_FILE": str(broker.authority.file)}
    return {
        "TLS and SCRAM-SHA-512": {
            "KAFKA_BOOTSTRAP_SERVERS": broker.addresses["SECURED"], **tls,
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_USERNAME": USER, "KAFKA_PASSWORD_FILE": str(password),
        },
        "TLS and PLAIN": {
            "KAFKA_BOOTSTRAP_SERVERS": broker.addresses["SECURED"],
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_CA_FILE": str(broker.authority.file),
            "KAFKA_USERNAME": USER, "KAFKA_PASSWORD": broker.password,
        },
        "SCRAM-SHA-256, not encrypted": {
            "KAFKA_BOOTSTRAP_SERVERS": broker.addresses["OPENLY"],
            "KAFKA_SASL_MECHANISM": "scram-sha-256",
            "KAFKA_USERNAME": USER, "KAFKA_PASSWORD": broker.password,
        },
        "mutual TLS": {
            "KAFKA_BOOTSTRAP_SERVERS": broker.addresses["MUTUAL"], **tls,
            "KAFKA_CERTIFICATE_FILE": str(broker.client.certificate),
            "KAFKA_KEY_FILE": str(broker.client.key),
            "KAFKA_KEY_PASSWORD_FILE": str(key_password),
        },
    }  # fmt: skip


@dataclass
class Watched:
    """A run that has ended.

    Attributes:
        code: its exit code.
        output: what it printed.
        seconds: how long it took.
        verdicts: of its scenarios, by name.
        reasons: of those that have not passed, by name.
        seen: places where a secret was seen although none may be there.
        left: files in the directory of runs.
    """

    code: int
    output: str
    seconds: float
    verdicts: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def watched_run(
    directory: Path,
    environment: Mapping[str, str],
    *arguments: str,
    secrets: Sequence[str] = (),
    command: str = "run",
    cwd: Path = ROOT,
) -> Watched:
    """Run ``stackproof`` in a process of its own.

    Args:
        directory: for reports and the run's own files.
        environment: variables on top of those of this process.
        arguments: of the command.
        secrets: looked for in processes and files while it runs, and in all that it leaves.
    """
    runs = directory / "runs"
    runs.mkdir(exist_ok=True)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KAFKA_", "STACK", "INTEGRATION_")) or name == "STACKPROOF_CACHE"
    }
    inherited.pop(RUN_VARIABLE, None)
    environment = {**inherited, "STACKPROOF_RUNS": str(runs), **environment}
    if command == "run":
        arguments = ("--reports", str(directory / "reports"), *arguments)
    marks = [_mark(secret) for secret in secrets]
    printed = directory / "printed.txt"
    seen: set[str] = set()
    began = time.monotonic()
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "stackproof", command, *arguments],
            cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:

            def ended() -> bool:
                if marks:
                    seen.update(_in_command_lines(process.pid, marks), _in_files(runs, marks))
                return process.poll() is not None

            poll(ended, within=_PATIENCE, awaiting="the run to end", longest_pause=0.2)
        finally:
            process.kill()
            process.wait()
    watched = Watched(process.returncode, printed.read_text(), time.monotonic() - began)
    results = directory / "reports" / "results.json"
    if results.exists():
        for scenario in json.loads(results.read_text())["scenarios"]:
            watched.verdicts[scenario["name"]] = scenario["verdict"]
            watched.reasons[scenario["name"]] = scenario["reason"]
    watched.seen = sorted(seen | set(_in_files(directory, marks)))
    watched.left = [str(file) for file in runs.glob("*/*")]
    return watched


def _mark(secret: str) -> list[bytes]:
    """What of a secret survives escaping: its letters and digits; and these in base64."""
    core = max(re.findall(r"[0-9A-Za-z]+", secret), key=len).encode()
    assert len(core) >= 12, "a mark that could stand anywhere"
    # Whatever stands before it, one of three alignments; the ends mix with their neighbours.
    aligned = [base64.b64encode(b"\0" * shift + core)[4:-4] for shift in range(3)]
    return [core, *aligned]


def _in_command_lines(process_id: int, marks: Sequence[Sequence[bytes]]) -> Iterator[str]:
    try:
        family = [psutil.Process(process_id), *psutil.Process(process_id).children(recursive=True)]
    except psutil.Error:
        return
    for process in family:
        try:
            line = "\0".join(process.cmdline()).encode(errors="replace")
        except psutil.Error:
            continue
        if _holds(line, marks):
            yield f"the command line of {process.name()}"


def _in_files(directory: Path, marks: Sequence[Sequence[bytes]]) -> Iterator[str]:
    for file in directory.rglob("*") if marks else ():
        try:
            status = file.lstat()
            if not stat.S_ISREG(status.st_mode) or not _holds(_content(file), marks):
                continue
        except OSError:  # gone meanwhile
            continue
        private = stat.S_IMODE(status.st_mode) & 0o077 == 0
        if not (private and _MAY_HOLD.search(file.name) and "runs" in file.parts):
            yield str(file)


def _content(file: Path) -> bytes:
    content = file.read_bytes()
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def _holds(content: bytes, marks: Sequence[Sequence[bytes]]) -> bool:
    return any(variant in content for mark in marks for variant in mark)
