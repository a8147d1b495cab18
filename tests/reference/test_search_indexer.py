"""What the search indexer makes of messages, and of the answers to its bulk requests."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from reference.search_indexer.engine import DONE, Change, Engine, Outcome, outcome
from reference.search_indexer.indexer import Config, Indexer, RefusedError, change_of


@dataclass
class Record:
    """A message as confluent-kafka hands it out."""

    of_key: bytes | None = b"o-1"
    of_value: bytes | None = b'{"id": "o-1"}'
    at: int = 7

    def key(self) -> bytes | None:
        return self.of_key

    def value(self) -> bytes | None:
        return self.of_value

    def topic(self) -> str:
        return "orders"

    def partition(self) -> int:
        return 2

    def offset(self) -> int:
        return self.at


def test_a_message_is_the_document_of_its_key_in_the_version_of_its_offset() -> None:
    assert change_of(Record()) == Change("o-1", 7, {"id": "o-1"})
    assert change_of(Record(of_key=None)) == Change("orders-2-7", 7, {"id": "o-1"})
    assert change_of(Record(of_value=None)) == Change("o-1", 7, None)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"", "empty_message"),
        (b'{"a": ', "invalid_json"),
        (b"\xff", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
    ],
)
def test_what_can_be_no_document_is_refused(value: bytes, kind: str) -> None:
    with pytest.raises(RefusedError) as refused:
        change_of(Record(of_value=value))
    assert refused.value.kind == kind


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"status": 201}, "done"),
        ({"status": 200}, "done"),
        ({"status": 404, "result": "not_found"}, "done"),
        ({"status": 409, "error": {"type": "version_conflict_engine_exception"}}, "done"),
        ({"status": 400, "error": {"type": "mapper_parsing_exception"}}, "refused"),
        ({"status": 429, "error": {"type": "rejected_execution_exception"}}, "again"),
        ({"status": 503, "error": {"type": "unavailable_shards_exception"}}, "again"),
        ({"status": 403, "error": {"type": "cluster_block_exception"}}, "again"),
        ({"status": 404, "error": {"type": "index_not_found_exception"}}, "again"),
    ],
)
def test_what_a_part_of_an_answer_means(part: dict[str, Any], kind: str) -> None:
    assert outcome(part).kind == kind


def test_no_engine_is_tried_again_later() -> None:
    found = Engine("http://127.0.0.1:9", "orders").write([Change("a", 1, {}), Change("b", 2, None)])
    assert [one.kind for one in found] == ["again", "again"]


class Scripted(Indexer):
    """An indexer whose engine answers as it is told; nothing is sent anywhere."""

    def __init__(self, *answers: Sequence[Outcome]):
        self.config = Config(
            broker="", input_topic="orders", dead_letter_topic="d", group="g", url=""
        )
        self.stop, self.last_error = threading.Event(), ""
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]
        self.aside: list[str] = []

    def write(self, changes: Sequence[Change]) -> list[Outcome]:
        self.asked.append([one.ident for one in changes])
        return list(self.answers.pop(0))

    def set_aside(self, message: Any, error: RefusedError) -> None:
        self.aside.append(f"{message.key().decode()}: {error.kind}")

    def deliver(self) -> None:
        """Nothing is on its way."""


AGAIN, NO = Outcome("again", "429"), Outcome("refused", "bad")


def test_only_what_was_not_taken_is_sent_again() -> None:
    batch = [Record(of_key=key) for key in (b"a", b"b", b"c", b"d")]
    indexer = Scripted([DONE, AGAIN, NO, AGAIN], [AGAIN, DONE], [DONE])
    assert indexer.index(batch)
    assert indexer.asked == [["a", "b", "c", "d"], ["b", "d"], ["b"]]
    assert indexer.aside == ["c: rejected"]


def test_who_is_told_to_stop_commits_nothing_that_was_not_taken() -> None:
    indexer = Scripted([AGAIN])
    indexer.stop.set()
    assert not indexer.index([Record()])
