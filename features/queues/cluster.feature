@queues @SINK-06 @nightly @timeout:180
Feature: A cluster of RabbitMQ keeps what a majority of it has
  The messages of a quorum queue are confirmed when a majority of nodes has them:
  whoever leads it may break.

  Scenario: Nothing confirmed is lost, and nothing comes again without a reason, while the leader has crashed
    Given a RabbitMQ cluster of 3 nodes
    And a queue "orders"
      | argument   | value  |
      | queue-type | quorum |
    When messages are published to and consumed from the queue "orders" while its leader has crashed
    Then the queue "orders" delivers every confirmed message once, unchanged and in order
