"""A project of one's own: written, refused, and planned with the steps that a wheel carries."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from stackproof import settings
from stackproof.cli import main
from stackproof.errors import Trouble
from stackproof.project import make_project
from stackproof.project.making import areas

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "stackproof" / "project" / "template"


def test_a_project_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "demo")]) == 0
    told = capsys.readouterr().out
    written = {p.relative_to(tmp_path / "demo").as_posix()
               for p in (tmp_path / "demo").rglob("*") if p.is_file()}  # fmt: skip
    assert written >= {
        "features/pipeline.feature", "steps/shipped.py", "environment.py", "stackproof.toml",
        ".gitignore", ".github/workflows/acceptance.yml", "requirements.txt", "README.md",
    }  # fmt: skip
    assert all(name in told for name in written)
    assert "@VERSION@" not in (tmp_path / "demo" / "requirements.txt").read_text()


def test_an_empty_directory_will_do(tmp_path: Path) -> None:
    assert make_project(tmp_path)


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "is not empty" in told
    assert "notes.txt" in told
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(Trouble, match="is a file"):
        make_project(tmp_path / "x")
    with pytest.raises(Trouble, match="cannot be written"):
        make_project(tmp_path / "x" / "below")


def test_shipped_features_come_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "demo"), "--with", "cache,messaging,monitoring"]) == 0
    pipeline = (tmp_path / "demo" / "pipeline.py").read_text()
    for area in ("cache", "messaging", "monitoring"):
        for source in (ROOT / "features" / area).glob("*.feature"):
            brought = tmp_path / "demo" / "features" / area / source.name
            text = source.read_text()
            if "the churn pipeline" in text:
                assert not re.search("churn|customer|prediction", brought.read_text(), re.I)
                assert "the order rater" in brought.read_text()
                metrics = re.findall(r"(orders_\w+?)(?:_total|_bucket)\b", brought.read_text())
                assert all(f'"{metric}"' in pipeline for metric in metrics)
            else:
                assert brought.read_text() == text
    assert (tmp_path / "demo" / "features" / "messaging" / "contents" / "order.json").is_file()
    assert not (tmp_path / "demo" / "features" / "streams").exists()
    assert "stackproof run features/cache" in capsys.readouterr().out


@pytest.mark.parametrize(("given", "told"), [("cahce", "did you mean 'cache'?"), ("x", "cache")])
def test_an_unknown_area_is_refused_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str, told: str
) -> None:
    assert main(["init", str(tmp_path / "demo"), "--with", f"messaging,{given}"]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_what_an_area_adds_is_what_the_suite_itself_uses(tmp_path: Path) -> None:
    make_project(tmp_path, areas())
    made = tomllib.loads((tmp_path / "stackproof.toml").read_text())["systems"]
    own = tomllib.loads((ROOT / "stackproof.toml").read_text())["systems"]
    assert {name: made[name] for name in made if name != "order-rater"} == {
        name: own[name] for name in own if name != "churn-pipeline"
    }
    assert settings.load(tmp_path, environment={}).systems.keys() == made.keys()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked: what somebody has who installs it."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=ROOT, capture_output=True)  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if not (ROOT / name).is_file() or name.startswith(("docs/", "tests/", "bench/")):
            continue
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place),
                    str(source)], check=True, timeout=300)  # fmt: skip
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def stackproof(installed: Path, where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "200"}
    return subprocess.run([sys.executable, "-m", "stackproof", *arguments], cwd=where,
                          env=environment, capture_output=True, text=True, timeout=120)  # fmt: skip


def test_a_wheel_has_the_template_and_the_steps(installed: Path) -> None:
    packed = installed / "stackproof" / "project" / "template"
    sources = [p for p in TEMPLATE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sources
    for source in sources:
        assert (packed / source.relative_to(TEMPLATE)).read_bytes() == source.read_bytes()
    steps = {p.name for p in (ROOT / "steps").glob("*.py")}
    assert {p.name for p in (installed / "stackproof_steps").glob("*.py")} == steps


def test_a_wheel_has_the_compose_files(installed: Path) -> None:
    sources = [p for p in (ROOT / "compose").rglob("*") if p.is_file()]
    assert sources
    for source in sources:
        packed = installed / "stackproof" / "compose" / source.relative_to(ROOT / "compose")
        assert packed.read_bytes() == source.read_bytes()


def test_an_installed_suite_brings_every_area(installed: Path, tmp_path: Path) -> None:
    made = stackproof(installed, tmp_path, "init", "demo", "--with", ",".join(areas()))
    assert made.returncode == 0, made.stderr
    brought = {p.name for p in (tmp_path / "demo" / "features").glob("*/*.feature")}
    assert brought == {p.name for p in (ROOT / "features").glob("*/*.feature")}
    planned = stackproof(installed, tmp_path / "demo", "run", "--plan", "--suite", "release")
    assert planned.returncode == 0, planned.stderr


def test_an_installed_suite_plans_a_new_project(installed: Path, tmp_path: Path) -> None:
    made = stackproof(installed, tmp_path, "init", "demo")
    assert made.returncode == 0, made.stderr
    planned = stackproof(installed, tmp_path / "demo", "run", "--plan")
    assert planned.returncode == 0, planned.stderr
    assert "10 scenarios in 1 feature" in planned.stdout
    assert "shared:    kafka" in planned.stdout
    found = stackproof(installed, tmp_path / "demo", "steps", "dead-lettered", "that")
    assert "exactly that message is dead-lettered" in found.stdout
    own = stackproof(installed, tmp_path / "demo", "steps", "rating")
    assert "no rating is below" in own.stdout
