"""`stackproof check`: saved histories, judged again."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackproof.cli import main
from stackproof.history import save
from tests.history.story import DIRECT, Story, delivered


def saved(story: Story, file: Path) -> str:
    story.history.expect(DIRECT)
    return str(save(story.history, file))


@pytest.fixture
def clean(tmp_path: Path) -> str:
    return saved(delivered("a", "b", "c"), tmp_path / "clean.npz")


@pytest.fixture
def losing(tmp_path: Path) -> str:
    story = delivered("a", "b")
    story.sent("c", offset=2)
    return saved(story, tmp_path / "losing.npz")


def test_a_clean_history_passes(clean: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", clean]) == 0
    assert "clean.npz" in capsys.readouterr().out


def test_a_violation_fails_and_is_named(losing: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", losing]) == 1
    out = capsys.readouterr().out
    assert "lost" in out
    assert "c" in out


def test_one_violation_among_several_fails(clean: str, losing: str) -> None:
    assert main(["check", clean, losing]) == 1
    assert main(["check", losing, clean]) == 1
    assert main(["check", clean, clean]) == 0


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.npz")]) == 2
    captured = capsys.readouterr()
    assert "none.npz" in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("content", [b"", b"not a history\n", b"\xff\xfe\x00"])
def test_a_file_of_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "other.npz").write_bytes(content)
    assert main(["check", str(tmp_path / "other.npz")]) == 2
    assert "other.npz" in capsys.readouterr().err


def test_a_file_cut_short(clean: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(clean)
    file.write_bytes(file.read_bytes()[:-30])
    assert main(["check", clean]) == 2
    assert "clean.npz" in capsys.readouterr().err


def test_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_lines_for_people(clean: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lines.jsonl"
    assert main(["check", clean, "--export", str(file)]) == 0
    assert '"op":"send"' in file.read_text()
    assert main(["check", clean, "--export", "-"]) == 0
    assert capsys.readouterr().out == file.read_text()
    assert main(["check", clean, "--export", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err
