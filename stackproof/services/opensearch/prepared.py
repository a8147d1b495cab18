"""The launcher of a node, compiled, and what makes its start quick."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from stackproof.access import OPEN
from stackproof.obtain import Cache, Say
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.services.opensearch.known import SERVER
from stackproof.services.prepared import PreparedJars, java, run_once
from stackproof.services.web import Web

HEAP_MB = 256
LAUNCHER, CLASSES = "launcher.jar", "classes.jsa"
_SOURCE = Path(__file__).with_name("Launcher.java")
_COMPILER = "ecj-*.jar"  # so that a Java without a compiler of its own suffices
#: Logs go to the console, as in a container.
LOGGING = Path(__file__).with_name("log4j2.properties").read_text(encoding="utf-8")


def command(jars: Path, prepared: Path, settings: Sequence[str], archive: str) -> list[str]:
    """A node in the working directory; ``archive``: the flag that makes or uses the classes'."""
    compiler = {*(jars / "lib").glob(_COMPILER)}
    # Explicit and sorted: class-data sharing demands the same string each time.
    classes = [prepared / LAUNCHER, *sorted({*(jars / "lib").glob("*.jar")} - compiler)]
    return [
        java(), f"-Xmx{HEAP_MB}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *archive.split(),
        "-Dlog4j2.disable.jmx=true",
        "-cp", os.pathsep.join(map(str, classes)), "Launcher", *settings,
    ]  # fmt: skip


class Prepared(PreparedJars):
    """The compiled launcher, and the archive of loaded classes (AppCDS), made by one run.

    Both are bound to the exact jars, the archive also to the exact Java and place.
    """

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Compile the launcher, run a node once, and keep its class archive."""
        say(f"{self.title}: running a node once")
        jars = cache.path(self.jars)
        place = into / "scratch"  # inside the artifact's place, which is cleared whatever happens
        (place / "config").mkdir(parents=True)
        (place / "config" / "log4j2.properties").write_text(LOGGING, encoding="utf-8")
        self._compile(jars / "lib", place / "compiled", into / LAUNCHER, cache)
        port, between = free_port(), free_port()
        settings = [
            f"-Epath.home={place}", f"-Enode.name={SERVER}", f"-Ehttp.port={port}",
            f"-Etransport.port={between}", f"-Enetwork.host={LOOPBACK}",
            "-Ediscovery.type=single-node",
        ]  # fmt: skip
        argv = command(jars, into, settings, f"-XX:ArchiveClassesAtExit={into / CLASSES}")
        run_once(
            self.title, argv, partial(_exercise, f"{LOOPBACK}:{port}"), place=place, cache=cache
        )
        shutil.rmtree(place)
        if not (into / CLASSES).exists():
            say(f"{self.title}: this Java makes no class archive; starts take twice as long")

    def _compile(self, lib: Path, into: Path, jar: Path, cache: Cache) -> None:
        (compiler,) = lib.glob(_COMPILER)
        self.run_tool(
            cache,
            [java(), "-jar", str(compiler), "--release", "17", "-nowarn", "-d", str(into),
             "-cp", os.pathsep.join(str(one) for one in sorted(lib.glob("*.jar"))), str(_SOURCE)],
            into, remedy="mend what it names",
        )  # fmt: skip
        with zipfile.ZipFile(jar, "w") as packed:
            for file in sorted(into.glob("*.class")):
                packed.write(file, file.name)


def _exercise(address: str, node: subprocess.Popen) -> None:
    """Touch what every scenario touches, so that its classes get into the archive."""
    lines = {"content-type": "application/x-ndjson"}
    with closing(Web(address, OPEN, timeout=60)) as web:
        poll(
            lambda: web.json("GET", "/_cluster/health"), within=120, retry_on=(OSError,),
            awaiting="the node's first answer",
            alive=lambda: None if node.poll() is None else "it has ended",
        )  # fmt: skip
        web.json("PUT", "/warm-up", json={"settings": {"number_of_replicas": 0}})
        document = {"text": "some words", "word": "one", "number": 1, "at": "2026-01-31"}
        action = {"index": {"_id": "1", "version": 1, "version_type": "external"}}
        bulk = "".join(json.dumps(line) + "\n" for line in (action, document))
        web.json("POST", "/warm-up/_bulk?refresh=true", data=bulk, headers=lines)
        web.json("GET", "/warm-up/_doc/1")
        query = {
            "bool": {
                "must": [{"match": {"text": "words"}}, {"match_phrase": {"text": "some"}}],
                "filter": [{"range": {"number": {"gte": 1}}}, {"term": {"word": "one"}}],
            }
        }
        web.json("POST", "/warm-up/_search?scroll=1m", json={"query": query, "sort": ["number"]})
        web.json("POST", "/warm-up/_count", json={"query": query})
        web.json("GET", "/_cat/indices?format=json")
        web.json("DELETE", "/warm-up")
