"""What steps share and leave to later ones, and the tables that they read."""

from __future__ import annotations

from pathlib import Path

import pytest
from behave.model import Table

from stackproof.errors import PremiseNotMet, Trouble
from stackproof.processes.run import Run
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.session.tables import column, topic_specs
from stackproof.settings import load

LOSS = Kept[int]("a loss", "a message is lost")


class Fixture:
    def __init__(self, session: ScenarioSession, called: str = "first"):
        self.session, self.called = session, called


@pytest.fixture
def session(tmp_path: Path) -> ScenarioSession:
    return ScenarioSession(
        scenario_id="s001", name="some", settings=load(tmp_path, environment={}), seed=1,
        run=Run("r1a2b3c4d", tmp_path), reports=tmp_path, endpoints={}, call=print,
    )  # fmt: skip


def test_a_fixture_is_made_once(session: ScenarioSession) -> None:
    made = session.use(Fixture)
    assert made.session is session
    assert session.use(Fixture) is made


def test_with_other_arguments_it_is_another_one(session: ScenarioSession) -> None:
    first, far = session.use(Fixture), session.use(Fixture, called="far")
    assert (first.called, far.called) == ("first", "far")
    assert session.use(Fixture, called="far") is far


def test_what_a_step_has_left(session: ScenarioSession) -> None:
    session.keep(LOSS, 0)
    assert session.kept(LOSS) == 0
    with pytest.raises(PremiseNotMet, match=r"needs another(.|\n)*message is lost"):
        session.kept(Kept[int]("another", "a message is lost"))


def table(*headings: str, rows: list[list[str]]) -> Table:
    return Table(headings, rows=rows)


def test_a_column_of_a_table() -> None:
    found = table("message", "reason", rows=[["a", "b"], ["c", "d"]])
    assert column(found, "reason") == ["b", "d"]
    for wrong in (found, None):
        with pytest.raises(Trouble, match=r"needs a table with a column 'topic'"):
            column(wrong, "topic")


def test_topics_of_a_table() -> None:
    headings = ("topic", "partitions", "cleanup.policy")
    one, two = topic_specs(table(*headings, rows=[["a", "3", "compact"], ["b", "1", ""]]))
    assert (one.name, one.partitions, one.config) == ("a", 3, {"cleanup.policy": "compact"})
    assert (two.name, two.partitions, two.config) == ("b", 1, {})
    with pytest.raises(Trouble, match="is no number"):
        topic_specs(table(*headings, rows=[["a", "three", ""]]))
