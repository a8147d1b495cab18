"""A server that dies in the middle of a scenario: no demand holds for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vocabulary.test_documents import ROOT, run

STEPS = '''
from behave import when
from stackproof import actions
from stackproof.session.needs import Need, needs_by

@when("the {service} server dies")
@needs_by(lambda service: Need(service, True, ()))
def dies(context, service):
    """Kills it for good."""
    (instance,) = context.session.endpoint(service).instances
    context.session.act(service, instance, actions.Crash())
'''
FEATURE = """
Feature: Dead servers

  @timeout:120
  Scenario: messages that must not come to a queue
    Given a RabbitMQ broker
    And a queue "q"
    When this message is published to "q"
      \"\"\"
      {"id": 1}
      \"\"\"
    Then "q" receives within 5 seconds a message where
      | field | is |
      | $.id  | 1  |
    When the rabbitmq server dies
    Then "q" receives no such message for 1 second
      | field | is |
      | $.id  | 2  |

  @timeout:120
  Scenario: messages that must not come to a topic
    Given a Kafka broker
    And a topic "t" with 1 partition
    Then for 1 second "t" holds exactly these messages, in order
      | body |
    When the kafka server dies
    Then "t" receives no such message for 1 second
      | field | is |
      | $.id  | 1  |

  Scenario: a key that must not be there
    Given a Redis server
    Then within 1 second the key "k" is not there
    When the redis server dies
    Then for 1 second the key "k" is not there

  Scenario: a key that is to be gone
    Given a Redis server
    When the redis server dies
    Then within 1 second the key "k" is not there

  Scenario: a row that must not be there
    Given a PostgreSQL server
    And "CREATE TABLE t (id int)" has been run
    When the postgresql server dies
    Then for 1 second the table "t" has no row where
      | field | is |
      | $.id  | 1  |
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Verdict and reason of each scenario."""
    place: Path = tmp_path_factory.mktemp("dead")
    (place / "steps").mkdir()
    for file in (ROOT / "steps").glob("*.py"):
        (place / "steps" / file.name).symlink_to(file)
    (place / "environment.py").symlink_to(ROOT / "environment.py")
    (place / "steps" / "dying.py").write_text(STEPS)
    (place / "dead.feature").write_text(FEATURE)
    return run(place, str(place / "dead.feature"))


def test_nothing_is_said_of_what_a_dead_server_holds(found: dict[str, tuple[str, str]]) -> None:
    assert len(found) == 5
    assert {verdict for verdict, _ in found.values()} == {"broken"}
    for name, (_, reason) in found.items():
        assert "the connection to" in reason, name
        assert "is lost" in reason, name
