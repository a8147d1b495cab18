"""Each mutant has its fault, and starts like the reference: shown with the fake clients."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_END

from reference.churn_pipeline.config import Config, ConfigError
from reference.churn_pipeline.pipeline import ChurnPipeline, PipelineError
from reference.search_indexer.indexer import Indexer
from reference.vector_stream.stream import VectorStream
from tests import mutants
from tests.mutants import takes_any_setting
from tests.reference.customers import as_bytes, numbered
from tests.reference.fakes import FakeMessage, World

DIRECTORY = Path(mutants.__file__).parent
LISTED = tomllib.loads((DIRECTORY / "mutants.toml").read_text())["mutant"]
OF_STREAM = [e for e in LISTED if e.get("group") in ("stream", "figures", "indexer")]
OF_COMPONENTS = [e for e in LISTED if ":" in e.get("module", "")]
#: Modules that hold broken components, several each.
COMPONENTS = sorted({e["module"].partition(":")[0] for e in OF_COMPONENTS})
OF_REFERENCE = [e for e in LISTED if "module" in e and e not in (*OF_STREAM, *OF_COMPONENTS)]
OF_SCORER = [entry for entry in LISTED if entry.get("group") == "scorer"]
SCORER = DIRECTORY.parents[1] / "examples" / "go_scorer"
NO_MUTANTS = {
    "__main__",
    "__init__",
    "alone",
    "clients",
    "databases",
    "groups",
    "injectors",
    "lingering",
    "matrix",
    "mutant",
    "run",
    "test_matrix",
    "test_servers",
    "vocabulary",
}


def class_of(module: str) -> type[ChurnPipeline]:
    loaded = importlib.import_module(module)
    (found,) = [
        item
        for item in vars(loaded).values()
        if inspect.isclass(item) and item.__module__ == module and issubclass(item, ChurnPipeline)
    ]
    return found


def valid(number: int, **changes: object) -> FakeMessage:
    value = numbered(number, event_ts=f"2024-05-17T08:30:{number:02d}Z", **changes)
    return FakeMessage(as_bytes(value), number, 0, f"k{number}".encode(), [("h", b"1")])


def invalid(number: int, value: bytes = b'{"a text of": "some length"}') -> FakeMessage:
    return FakeMessage(value, number, 0, f"k{number}".encode(), [("h", b"1")])


def run(name: str, *messages: FakeMessage) -> World:
    return World(class_of(f"tests.mutants.{name}")).run(*messages)


def values(world: World, topic: str) -> list[dict[str, Any]]:
    return [json.loads(record["value"]) for record in world.sent_to(topic)]


def customer_numbers(world: World) -> list[int]:
    return [int(value["customerID"][:4]) for value in values(world, "out")]


def test_the_list_is_complete() -> None:
    components = {module.rpartition(".")[2] for module in COMPONENTS}
    files = {path.stem for path in DIRECTORY.glob("*.py")} - NO_MUTANTS - components
    assert {entry["name"] for entry in OF_REFERENCE} == files
    assert len(OF_REFERENCE) == len(files)


def test_the_list_of_components_is_complete() -> None:
    assert sorted(entry["module"] for entry in OF_COMPONENTS) == sorted(
        f"{module.__name__}:{name}"
        for module in map(importlib.import_module, COMPONENTS)
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and name[0] != "_"
    )


def test_the_faults_of_the_scorer_are_complete() -> None:
    built_in = set(
        re.findall(r'(?:fault [!=]= |case )"(\w+)"', (SCORER / "faults_on.go").read_text())
    )
    assert {entry["name"] for entry in OF_SCORER} == {f"scorer_{fault}" for fault in built_in}


@pytest.mark.parametrize("entry", OF_REFERENCE, ids=lambda entry: entry["name"])
def test_an_entry_names_a_program(entry: dict[str, Any]) -> None:
    assert entry["module"] == f"tests.mutants.{entry['name']}"
    assert entry["breaks"].endswith(".")
    own = [
        item
        for item in vars(importlib.import_module(entry["module"])).values()
        if inspect.isclass(item) and item.__module__ == entry["module"]
    ]
    assert any(issubclass(item, ChurnPipeline | Config) for item in own)


def test_any_setting_is_taken() -> None:
    wrong = {"broker": "b:1", "input_topic": "t", "output_topic": "t", "dead_letter_topic": "t"}
    with pytest.raises(ConfigError):
        Config(**wrong, batch_size=0)
    assert takes_any_setting._Unchecked(**wrong, batch_size=0).batch_size == 0


def test_the_broken_streams_and_indexers_are_complete() -> None:
    assert {entry["module"] for entry in OF_STREAM} == {
        f"tests.mutants.{path.parent.name}.{path.stem}"
        for path in (*DIRECTORY.glob("streams/*.py"), *DIRECTORY.glob("indexing/*.py"))
        if path.stem != "__init__"
    }
    for entry in OF_STREAM:
        assert entry["module"].endswith(f".{entry['name']}")
        loaded = importlib.import_module(entry["module"])
        assert any(
            issubclass(item, VectorStream | Indexer) and item.__module__ == entry["module"]
            for item in vars(loaded).values()
            if inspect.isclass(item)
        )


def test_losing_and_duplicating() -> None:
    sixty = [valid(number) for number in range(60)]
    assert set(range(60)) - set(customer_numbers(run("loses_one_in_fifty", *sixty))) == {49}
    twice = customer_numbers(run("duplicates", *sixty))
    assert sorted(twice) == sorted([*range(60), *range(9, 60, 10)])


def test_order_and_identity() -> None:
    four = [valid(number) for number in range(4)]
    assert customer_numbers(run("swaps_order", *four)) == [1, 0, 3, 2]
    mixed = run("mixes_up_customers", *four)
    assert customer_numbers(mixed) == [1, 0, 3, 2]
    assert [record["key"] for record in mixed.sent_to("out")] == [b"k0", b"k1", b"k2", b"k3"]
    stale = [
        value["event_ts"][-3:-1] for value in values(run("keeps_stale_event_ts", *four), "out")
    ]
    assert stale == ["00", "00", "01", "02"]


def test_predictions() -> None:
    (value,) = values(run("probability_out_of_range", valid(0)), "out")
    assert value["churn_probability"] > 1
    (record,) = run("forgets_key", valid(0)).fake_producer.records
    assert (record["key"], record["partition"]) == (None, -1)
    ignoring = run("ignores_ranges", valid(0, tenure=-5), invalid(1))
    assert (len(values(ignoring, "out")), len(values(ignoring, "dlq"))) == (1, 1)


def test_dead_letters() -> None:
    assert not run("drops_dead_letters", invalid(0)).fake_producer.records
    (cut,) = values(run("truncates_original", invalid(0)), "dlq")
    assert cut["original_message"] == '{"a text of": "s'
    (wrong,) = values(run("wrong_error_type", invalid(0)), "dlq")
    assert wrong["error_type"] == "unknown_field"
    (elsewhere,) = values(run("reports_other_source_topic", invalid(0)), "dlq")
    assert elsewhere["source_topic"] == "out"
    (mangled,) = values(run("mangles_bytes", invalid(0, b"\xffx")), "dlq")
    assert (mangled["original_message"], mangled["original_encoding"]) == ("\ufffdx", "utf-8")
    (bare,) = run("drops_headers", invalid(0)).sent_to("dlq")
    assert bare["headers"] is None
    both = run("dead_letter_and_prediction", invalid(0), invalid(1, b"junk"), invalid(2, b""))
    assert (len(values(both, "out")), len(values(both, "dlq"))) == (3, 3)
    with pytest.raises(PipelineError, match="offset 1"):
        run("stops_at_poison", valid(0), invalid(1))


def test_commits() -> None:
    assert ("commit", "in", 0, 1) not in run("never_commits", valid(0)).steps
    assert ("commit", "in", 0, 2) in run("commits_one_too_far", valid(0)).steps
    early = [step[0] for step in run("commits_before_delivering", valid(0), valid(1)).steps]
    assert early == ["subscribe", "commit", "close", "deliver", "deliver"]


def test_skipping() -> None:
    world = World(class_of("tests.mutants.skips_backlog"))
    place = SimpleNamespace(topic="in", partition=0, offset=7)
    world.pipeline.on_assign(world.fake_consumer, [place])
    assert world.steps == [("assign", ((0, OFFSET_END),))]


def test_the_largest_dead_letter() -> None:
    def budget(name: str) -> int:
        return World(class_of(f"tests.mutants.{name}")).pipeline.config.dead_letter_budget

    assert budget("never_commits") == 2_096_128
    assert budget("lets_go_at_limit") == 2_096_127
    assert budget("exceeds_limit") == 2_096_129


def test_what_only_its_group_partitions_and_counters_show() -> None:
    assert ("close",) not in run("stays_in_its_group", valid(0)).steps
    assert run("goes_by_key", valid(0)).fake_producer.records[0]["partition"] == -1
    metrics = run("miscounts", valid(0), invalid(1)).pipeline.metrics
    assert metrics.predictions._value.get() == 2


def test_ignoring_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(class_of("tests.mutants.ignores_stop_while_idle"))
    world.pipeline.stop.set()
    polls = iter(range(20))
    one = valid(0)
    monkeypatch.setattr(world.fake_consumer, "poll", lambda _: (next(polls) >= 15 and one) or None)
    for _ in range(10):
        world.pipeline.collect()
    assert next(polls) == 10
    world.pipeline.collect()
    assert next(polls) > 15


def test_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    class HungError(Exception):
        pass

    def hang(*_: object) -> None:
        raise HungError

    world = World(class_of("tests.mutants.hangs_after_40"))
    messages = [valid(number) for number in range(45)]
    monkeypatch.setattr("threading.Event.wait", hang)
    with pytest.raises(HungError):
        world.run(*messages)
    assert customer_numbers(world) == list(range(40))
    assert ("commit", "in", 0, 40) in world.steps
