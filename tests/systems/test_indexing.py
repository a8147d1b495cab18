"""Which systems make documents, and which topics a system has."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackproof.errors import NotSupported
from stackproof.settings import SystemSettings
from stackproof.settings.systems import TopicSettings
from stackproof.systems.understanding import understand

HERE = Path(__file__).parents[2] / "contracts"
INPUT = {"input": HERE / "searched_order.schema.json"}
LETTERS = {"dead_letter": HERE / "search_dead_letter.schema.json"}


def system(*command: str, **more: object) -> SystemSettings:
    return SystemSettings("indexer", command, Path(), **more)  # type: ignore[arg-type]


def test_what_names_opensearch_and_no_output_makes_documents() -> None:
    assert system("{opensearch_url}", contracts=INPUT).indexes
    assert system("x", uses=("opensearch",), contracts=INPUT | LETTERS).indexes
    assert not system("{kafka}", contracts=INPUT | LETTERS).indexes
    both = {**INPUT, "output": INPUT["input"]}
    assert not system("{opensearch_url}", contracts=both).indexes
    assert not system("{opensearch_url}", "{output}", contracts=INPUT).indexes
    topics = {"output": TopicSettings()}
    assert not system("{opensearch_url}", contracts=INPUT, topics=topics).indexes


def test_a_system_without_contracts_has_all_topics() -> None:
    assert system("{kafka}").roles == ("input", "output", "dead_letter")


def test_dead_letters_that_there_are_not_are_not_supported() -> None:
    letters = understand(system("{opensearch_url}", contracts=INPUT), 1).dead_letters
    assert letters.counted() == "none"
    with pytest.raises(NotSupported, match="no dead letters"):
        _ = letters.reader
