"""A scenario's own names and files for Kafka."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stackproof.access import Access
from stackproof.errors import Trouble
from stackproof.masking import mask
from stackproof.processes.run import Run
from stackproof.services.base import Endpoint
from stackproof.services.kafka import KafkaFixture
from stackproof.session.scenario import ScenarioSession
from stackproof.settings import load

ACCESS = Access(sasl_mechanism="PLAIN", username="qa", password="sword+fish-6")


@pytest.fixture
def session(tmp_path: Path) -> ScenarioSession:
    endpoint = Endpoint("kafka", "kafka-1", "external", {"bootstrap": "a:1,b:2"}, access=ACCESS)
    return ScenarioSession(
        scenario_id="s007", name="some", settings=load(tmp_path, environment={}), seed=1,
        run=Run("r1a2b3c4d", tmp_path), reports=tmp_path / "reports",
        endpoints={"kafka": endpoint}, call=print,
    )  # fmt: skip


def test_names_begin_with_prefix_and_run(session: ScenarioSession) -> None:
    assert isinstance(session.run, Run)
    assert session.own("orders") == "stackproof-r1a2b3c4d-s007-orders"
    assert session.use(KafkaFixture).own("orders") == session.own("orders")


def test_the_longest_name_of_a_topic(session: ScenarioSession) -> None:
    room = 249 - len(session.own(""))
    assert len(session.use(KafkaFixture).own("x" * room)) == 249
    with pytest.raises(Trouble, match=r"too long by 1 characters(.|\n)*Kafka takes 249"):
        session.use(KafkaFixture).own("x" * (room + 1))
    session.own("x" * (room + 1))  # others may take it


def test_files_for_systems_are_private_and_do_not_stay(session: ScenarioSession) -> None:
    fields = session.use(KafkaFixture).fields
    assert fields["kafka"] == "a:1,b:2"
    assert fields["kafka_security_protocol"] == "SASL_PLAINTEXT"
    assert fields["kafka_sasl_mechanism"] == "PLAIN"
    assert "sword+fish-6" not in str(fields)
    files = [Path(fields["kafka_client_properties"]), Path(fields["kafka_java_properties"])]
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "sword+fish-6" in file.read_text()
    session.end()
    assert not any(file.exists() for file in files)


def test_a_worker_masks_the_secrets_of_its_endpoints(session: ScenarioSession) -> None:
    """It never read the settings itself."""
    assert mask("log: sword+fish-6") == "log: *****"
