"""Install a requirements file and this project into the running virtual environment.

uv installs in parallel and is several times as fast as pip; where it cannot be had,
pip does the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

UV = "uv==0.13.8"
# Loaded at every start. Compiled here once (2 s), because uv leaves that to the first import
# and some machines forbid it (PYTHONDONTWRITEBYTECODE); compiling all packages takes 10 s.
OFTEN = (
    "_distutils_hack", "allure_commons", "attr", "attrs", "behave", "confluent_kafka",
    "cucumber_expressions", "cucumber_tag_expressions", "filelock", "hamcrest", "jsonschema",
    "jsonschema_specifications", "kafka", "numpy", "parse_type", "platformdirs",
    "prometheus_client", "psutil", "referencing", "rich",
)  # fmt: skip


def compile_often() -> None:
    """Compile what every start loads; no harm when it fails."""
    packages = Path(sysconfig.get_path("purelib"))
    places = [str(packages / name) for name in OFTEN if (packages / name).is_dir()]
    places += [str(file) for file in packages.glob("*.py")]
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "-j", "0", *places],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def main(requirements: str) -> int:
    """Install; returns the exit code (2: it was not possible)."""
    root = Path(__file__).resolve().parent.parent
    environment = {
        **os.environ,
        "VIRTUAL_ENV": sys.prefix,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy"),
    }
    uv = Path(sys.executable).with_name("uv")
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    if not uv.exists():
        subprocess.run([*pip, UV], env=environment)
    fast = [str(uv), "pip", "install", "--quiet"]
    own = root / "reference" / "requirements.txt"  # the systems that are tested here
    wanted = ["-r", str(root / requirements), "-r", str(own), "-e", str(root)]
    for command in ([fast] if uv.exists() else []) + [pip]:
        if subprocess.run([*command, *wanted], env=environment).returncode == 0:
            compile_often()
            return 0
    print(
        f"\nthe packages of {requirements} could not be installed\n"
        "  why: see the installer's messages above\n"
        "  what to do: look at the network and at pip's settings, then run the same again",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
