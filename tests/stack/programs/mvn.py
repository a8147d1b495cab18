"""Stands in for Maven: what it does comes from MVN, what it was told goes to MVN_SEEN."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

behaviour = os.environ.get("MVN", "")
with Path(os.environ["MVN_SEEN"]).open("a") as seen:
    seen.write(" ".join(sys.argv[1:]) + "\n")
pom = Path(sys.argv[sys.argv.index("-f") + 1]).read_text()
target = Path(next(a.partition("=")[2] for a in sys.argv if a.startswith("-DoutputDirectory=")))
if behaviour == "fails":
    print("[INFO] Scanning for projects...")
    print("[ERROR] Failed to execute goal: could not resolve org.example:nothing:1")
    print("[ERROR] Unknown host repo.example.org")
    sys.exit(1)
if behaviour == "fails silently":
    sys.exit(1)
if behaviour == "gets nothing":
    print("[WARNING] nothing to do")
    sys.exit(0)
target.mkdir()
for artifact in re.findall("<artifactId>(.*?)</artifactId><version>(.*?)</version>", pom)[1:]:
    (target / ("-".join(artifact) + ".jar")).write_text("classes")
if behaviour == "hangs":
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(120)"])
    with Path(os.environ["MVN_SEEN"]).open("a") as seen:
        seen.write(f"{os.getpid()} {child.pid}\n")
    time.sleep(120)
