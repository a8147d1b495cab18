@queues @SINK-06
Feature: A queue keeps to its limits
  How long a message lives, how many there may be, which goes first: what was declared
  with the queue holds for whoever publishes to it.

  Background:
    Given a RabbitMQ broker

  Scenario: Messages expire that stay in a queue for longer than it allows
    Given the queue "events" with the dead-letter queue "events.dead"
      | argument    | value |
      | message-ttl | 500   |
    When 20 messages are published to the queue "events"
    Then within 5 seconds the queue "events.dead" receives the 20 dead letters of the queue "events"
    And each dead letter of the queue "events" has the reason "expired"

  Scenario: The shorter time to live counts
    Given the queue "events" with the dead-letter queue "events.dead"
      | argument    | value |
      | message-ttl | 60000 |
    When 10 messages with a time to live of 300 milliseconds are published to the queue "events"
    Then within 5 seconds the queue "events.dead" receives the 10 dead letters of the queue "events"

  Scenario: An expired message is not handed out, even if it stands behind one that lives
    Given a queue "events"
    And 1 messages were published to the queue "events"
    When 5 messages with a time to live of 200 milliseconds are published to the queue "events"
    And their time to live is over
    Then the queue "events" delivers every confirmed message once, unchanged and in order

  Scenario Outline: The oldest messages make room in a full <type> queue
    Given the queue "events" with the dead-letter queue "events.dead"
      | argument   | value  |
      | queue-type | <type> |
      | max-length | 10     |
    When 15 messages are published to the queue "events"
    Then within 5 seconds the queue "events.dead" receives the 5 dead letters of the queue "events"
    And each dead letter of the queue "events" has the reason "maxlen"
    And the queue "events" delivers every confirmed message once, unchanged and in order

    Examples:
      | type    |
      | classic |
      | quorum  |

  Scenario: A full queue refuses further messages
    Given a queue "events"
      | argument   | value          |
      | max-length | 10             |
      | overflow   | reject-publish |
    When 15 messages are published to the queue "events"
    Then 5 messages are refused by the broker
    And the queue "events" delivers every confirmed message once, unchanged and in order

  Scenario: Urgent messages go first, those of one priority in order
    Given a queue "events"
      | argument     | value |
      | max-priority | 5     |
    And 20 messages were published to the queue "events"
    And 20 messages with the priority 1 were published to the queue "events"
    And 20 messages with the priority 5 were published to the queue "events"
    And 20 messages with the priority 3 were published to the queue "events"
    Then the queue "events" delivers every confirmed message once, unchanged and in order
