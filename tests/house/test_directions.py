"""The contracts of import-linter: every package has its place, and each contract can be broken."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from stackproof.services import service_names

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
LINT = (Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo")
#: An import that each contract forbids: from which module of what.
WRONG = {
    "Who may call whom": ("stackproof.polling", "stackproof.errors"),
    "No circle within a package": ("stackproof.history.columns", "stackproof.history.record"),
    "A system under test knows nothing of the suite": ("reference.churn_pipeline.model", "tests"),
    "The suite knows no system under test, and steps call it": ("stackproof.names", "reference"),
    "Steps call neither the runner nor what runs servers": ("steps.cache", "stackproof.stack.site"),
    "A scenario knows no service": ("stackproof.session.scenario", "stackproof.services.redis"),
    "Faults ask the run to break things; they know no fixture of a service": (
        "stackproof.faults.traffic", "stackproof.services.kafka.fixture"),
    "Systems are no matter of who runs servers": (
        "stackproof.systems.places", "stackproof.stack.native"),
    "A report is made from evidence alone": ("stackproof.reporting.junit", "stackproof.services"),
    "Clients record what they do; they start nothing": (
        "stackproof.services.redis.client", "stackproof.processes.run"),
    "Histories are checked offline, without clients": ("stackproof.history.lag", "kafka"),
    "What is said of one service knows no other": (
        "stackproof.services.rabbitmq", "stackproof.services.redis"),
    "Within a service: fixture, server, probe, client, names": (
        "stackproof.services.postgresql.client", "stackproof.services.postgresql.server"),
}  # fmt: skip


def modules_of(package: str) -> set[str]:
    """Names of a package's own modules and packages."""
    folder = ROOT / package.replace(".", "/")
    found = {p.parent if p.name == "__init__.py" else p.with_suffix("")
             for p in [*folder.glob("*.py"), *folder.glob("*/__init__.py")]} - {folder}  # fmt: skip
    return {".".join(path.relative_to(ROOT).parts) for path in found}


def test_every_package_has_its_layer():
    layers = next(contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")
    listed = [module.strip() for layer in layers for module in re.split(r"[|:]", layer)]
    there = modules_of("stackproof") - {"stackproof.session"} | modules_of("stackproof.session")
    assert sorted(listed) == sorted(there | {"steps"}), "list it in [tool.importlinter]"


def test_every_package_says_what_it_may_touch():
    files = [f for f in (ROOT / "stackproof").rglob("__init__.py") if "template" not in f.parts]
    assert [f.parent.name for f in files if "may touch" not in f.read_text()] == []


def test_every_service_is_independent():
    there = {f"stackproof.services.{name}" for name in service_names()}
    independent = {module for contract in CONTRACTS for module in contract.get("modules", ())}
    unknown = {module for contract in CONTRACTS for module in contract.get("forbidden_modules", ())
               if contract["name"] == "A scenario knows no service"}  # fmt: skip
    assert there <= independent, "list it in [tool.importlinter]"
    assert there <= unknown, "list it there, too"


def test_each_contract_is_broken_by_a_wrong_import(tmp_path):
    for package in ("stackproof", "steps", "reference"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for importer, imported in WRONG.values():
        with (tmp_path / importer.replace(".", "/")).with_suffix(".py").open("a") as file:
            file.write(f"\n\ndef later():\n    import {imported}\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(LINT, cwd=tmp_path, env=environment, capture_output=True, text=True,
                          timeout=120)  # fmt: skip
    assert done.returncode == 1, done.stderr
    _, *told = re.split(r"^(.+)\n-+\n", done.stdout.partition("Broken contracts")[2], flags=re.M)
    broken = dict(zip(told[::2], told[1::2], strict=True))
    assert set(broken) >= {contract["name"] for contract in CONTRACTS} == set(WRONG)
    for contract, (importer, imported) in WRONG.items():
        blamed = rf"\.{importer.rpartition('.')[2]} -> \S*\b{imported.rpartition('.')[2]}\s+\("
        assert re.search(blamed, broken[contract]), contract
