"""The doctor on endpoints that answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.external.broker import SecuredBroker
from tests.external.running import watched_run, ways_in

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("name", ["TLS and SCRAM-SHA-512", "mutual TLS"])
def test_an_endpoint_that_answers(broker: SecuredBroker, name: str, tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    place.mkdir()
    way = ways_in(broker, place)[name]
    work = tmp_path / "work"
    work.mkdir()
    run = watched_run(
        work, {"STACK": "external", **way}, "--endpoints", command="doctor",
        secrets=[broker.password, broker.key_password],
    )  # fmt: skip
    answers = f"endpoint kafka: {way['KAFKA_BOOTSTRAP_SERVERS']} answers"
    assert f"ok    {answers}; destructive steps are refused" in run.output
    assert run.seen == []
