@queues @SINK-06 @nightly @timeout:240
Feature: A RabbitMQ broker that runs short blocks whoever publishes, and nobody else
  Short of memory it says so to publishers, and goes on to serve consumers.

  Scenario: Publishers are blocked and consumers served while memory is short
    Given a RabbitMQ broker of its own
    And a queue "events"
    When messages of 2000 kB are published to the queue "events" until the broker blocks their publisher
    Then the queue "events" delivers every confirmed message once, unchanged and in order
