"""What docs/components.md shows holds: the lines of its protocol, and its programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/components.md").read_text()

#: A class of another shape than the reference: other names and other ways to say it.
STORE = """
import threading, time, urllib.error, urllib.request

class Gone(Exception): pass
class Trouble(Exception): pass

class Store:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __init__(self, source, ttl=60):
        self.source, self.ttl = source, ttl
        self.kept, self.lock = {}, threading.Lock()
    def look_up(self, *, tenant, key):
        with self.lock:
            value, until = self.kept.get((tenant, key), (None, 0))
            if until > time.monotonic():
                return value
            try:
                with self.opener.open(f"{self.source}/{key}") as answer:
                    value = answer.read()
            except urllib.error.HTTPError as error:
                raise (Gone if error.code == 404 else Trouble)(str(error)) from error
            self.kept[tenant, key] = value, time.monotonic() + self.ttl
            return value
    def put(self, data, key):
        request = urllib.request.Request(f"{self.source}/{key}", data.encode(), method="PUT")
        with self.lock, self.opener.open(request):
            self.kept.pop(("qa", key), None)
"""
STORE_SECTION = """
[systems.cache-aside]
component = "store:Store"
options = { source = "{origin_url}" }
methods = { get = "look_up(tenant='qa', key=name)", update = "put(value, name)" }
errors = { missing = ["Gone", "KeyError"], unavailable = "Trouble" }
"""


def block(language: str, containing: str = "") -> str:
    """The page's first block of code of a language."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    return next(text for text in blocks if containing in text)


def verdicts(place: Path, sections: str, *features: str, name: str = "") -> dict[str, str]:
    """How scenarios of caches end with these sections in place of the reference."""
    chosen = [f"features/cache/{feature}.feature" for feature in features]
    (place / "stackproof.toml").write_text(sections)
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", *chosen, *(["--name", name] if name else []),
         "--no-report", "--stack", "native", "--reports", str(place / "reports")],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, "STACKPROOF_CONFIG": str(place / "stackproof.toml")},
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    results = json.loads((place / "reports" / "results.json").read_text())
    return {scenario["name"]: scenario["verdict"] for scenario in results["scenarios"]}


@pytest.mark.skipif(shutil.which("perl") is None, reason="there is no Perl")
def test_the_program_passes_the_features_of_caches(tmp_path: Path) -> None:
    (tmp_path / "cache.pl").write_text(block("perl"))
    found = verdicts(tmp_path, block("toml", "in Perl"), "aside")
    assert len(found) > 8 and set(found.values()) == {"passed"}, found


def test_a_class_with_other_names_passes_the_features_of_caches(tmp_path: Path) -> None:
    (tmp_path / "store.py").write_text(STORE)
    found = verdicts(tmp_path, STORE_SECTION, "aside")
    assert len(found) > 8 and set(found.values()) == {"passed"}, found


def test_the_lines_of_the_protocol_are_what_is_said(tmp_path: Path) -> None:
    lines = re.findall(r"^    (->|<-) (\{.*\})$", PAGE, re.M)
    asked = [json.loads(line) for way, line in lines if way == "->"]
    told = [json.loads(line) for way, line in lines if way == "<-"]
    (tmp_path / "shop.py").write_text(
        "class PoolExhaustedError(Exception): pass\n"
        "class Pool:\n"
        "    def __init__(self, url, size, wait): self.size = size\n"
        "    def query(self, text): return [[int(text.split()[1])]]\n"
        "    def take(self):\n"
        "        raise PoolExhaustedError(f'all {self.size} connections are taken')\n"
    )
    host = ROOT / "stackproof/systems/hosting.py"
    done = subprocess.run(
        [sys.executable, "-P", str(host), "shop:Pool"], cwd=tmp_path, capture_output=True,
        text=True, timeout=60, input="".join(json.dumps(one) + "\n" for one in asked),
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 3
    assert sorted(answers, key=lambda one: one["id"]) == sorted(told, key=lambda one: one["id"])
