@queues @SINK-06
Feature: Queues and exchanges come, lead on and go as declared
  Where a message goes that nobody is waiting for, and what becomes of queues and
  consumers when somebody leaves.

  Background:
    Given a RabbitMQ broker

  Scenario: What an exchange cannot route goes to its alternate exchange
    Given a fanout exchange "unrouted"
    And a queue "strays"
    And the exchange "unrouted" routes everything to the queue "strays"
    And the direct exchange "orders" with the alternate exchange "unrouted"
    And a queue "new orders"
    And the exchange "orders" routes "new" to the queue "new orders"
    When 10 messages for the queue "new orders" are published to the exchange "orders" with the routing key "new"
    And 10 messages for the queue "strays" are published to the exchange "orders" with the routing key "lost"
    Then all published messages are confirmed
    And the queue "new orders" delivers every confirmed message once, unchanged and in order
    And the queue "strays" delivers every confirmed message once, unchanged and in order

  Scenario: What an exchange cannot route is returned where there is no other way
    Given a direct exchange "orders"
    And a queue "new orders"
    And the exchange "orders" routes "new" to the queue "new orders"
    When 3 messages for the queue "new orders" are published to the exchange "orders" with the routing key "old"
    Then 3 messages are returned with the reason "NO_ROUTE"

  Scenario: An exclusive queue is its consumer's alone, and goes with its connection
    Given consumer "A" declares and consumes the exclusive queue "answers"
    Then another client may not consume the queue "answers": "RESOURCE_LOCKED"
    When the connection of consumer "A" is lost
    Then within 5 seconds there is no queue "answers" any more

  Scenario: An auto-delete queue goes with its last consumer
    Given an auto-delete queue "events"
    And consumer "A" consumes the queue "events"
    And consumer "B" consumes the queue "events"
    When consumer "A" leaves
    And 5 messages are published to the queue "events"
    And consumer "B" acknowledges 5 messages
    And consumer "B" leaves
    Then within 5 seconds there is no queue "events" any more

  Scenario: A consumer is told at once when its queue is deleted
    Given a queue "events"
    And 5 messages were published to the queue "events"
    And consumer "A" consumes the queue "events"
    When consumer "A" acknowledges 5 messages
    And the queue "events" is deleted
    Then within 2 seconds consumer "A" is told that it is cancelled
