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
    return saved(delivered("a", "b", "c"), tmp_path / "clean.jsonl")


@pytest.fixture
def losing(tmp_path: Path) -> str:
    story = delivered("a", "b")
    story.sent("c", offset=2)
    return saved(story, tmp_path / "losing.jsonl.gz")


def test_a_clean_history_passes(clean: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", clean]) == 0
    assert "clean.jsonl" in capsys.readouterr().out


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
    assert main(["check", str(tmp_path / "none.jsonl")]) == 2
    captured = capsys.readouterr()
    assert "none.jsonl" in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("content", [b"", b"not a history\n", b"\xff\xfe\x00"])
def test_a_file_of_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    for name in ("other.jsonl", "other.jsonl.gz"):
        (tmp_path / name).write_bytes(content)
        assert main(["check", str(tmp_path / name)]) == 2
        assert name in capsys.readouterr().err


def test_a_file_cut_short(clean: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(clean)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert main(["check", clean]) == 2
    assert "clean.jsonl" in capsys.readouterr().err


def test_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
