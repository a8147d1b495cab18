@queues
Feature: RabbitMQ delivers what it has confirmed
  A sink may forget an event as soon as the broker has confirmed it. From then on it
  must be delivered: until a consumer has acknowledged it, or dead-lettered with its reason.

  Background:
    Given a RabbitMQ broker

  @SINK-06 @critical
  Scenario: Confirmed messages are delivered once, unchanged and in order
    Given a queue "events"
    When 500 messages are published to the queue "events"
    Then all published messages are confirmed
    And the queue "events" delivers every confirmed message once, unchanged and in order

  @SINK-06
  Scenario: Messages are redelivered that were unacknowledged when a connection was lost
    Given a queue "events"
    And 20 messages were published to the queue "events"
    And consumer "A" consumes the queue "events"
    When consumer "A" receives 20 messages
    And consumer "A" acknowledges 12 messages
    And the connection of consumer "A" is lost
    And consumer "B" consumes the queue "events"
    Then consumer "B" receives the 8 unacknowledged messages, marked as redelivered
    And the queue "events" has 0 ready messages

  @SINK-06
  Scenario: Messages that a consumer requeues are redelivered
    Given a queue "events"
    And 20 messages were published to the queue "events"
    And consumer "A" consumes the queue "events"
    When consumer "A" acknowledges 15 messages
    And consumer "A" requeues 5 messages
    Then consumer "A" receives the 5 unacknowledged messages, marked as redelivered
    And the queue "events" has 0 ready messages

  @SINK-06
  Scenario: Messages that a consumer rejects are dead-lettered with their reason
    Given the queue "events" with the dead-letter queue "events.dead"
    And 30 messages were published to the queue "events"
    And consumer "A" consumes the queue "events"
    When consumer "A" rejects 5 messages
    And consumer "A" acknowledges 20 messages
    And consumer "A" rejects 5 messages
    Then within 5 seconds the queue "events.dead" receives the 10 dead letters of the queue "events"
    And each dead letter of the queue "events" has the reason "rejected"
    And the queue "events" has 0 ready messages

  @SINK-06
  Scenario: Messages that expire are dead-lettered with their reason
    Given the queue "events" with the dead-letter queue "events.dead"
    When 20 messages with a time to live of 500 milliseconds are published to the queue "events"
    Then within 5 seconds the queue "events.dead" receives the 20 dead letters of the queue "events"
    And each dead letter of the queue "events" has the reason "expired"
    And the queue "events" has 0 ready messages

  @SINK-06
  Scenario: A message that no queue takes is returned to its publisher
    Given a queue "events"
    When 3 messages are published with the routing key "nowhere"
    Then 3 messages are returned with the reason "NO_ROUTE"
    And the queue "events" has 0 ready messages

  @SINK-06
  Scenario: A consumer is delivered as many messages as its prefetch count
    Given a queue "events"
    And 30 messages were published to the queue "events"
    When consumer "A" consumes the queue "events" with a prefetch count of 5
    Then consumer "A" has received 5 messages
    And the queue "events" has 25 ready messages

  @SINK-06
  Scenario: A consumer that acknowledges messages is delivered the next ones
    Given a queue "events"
    And 30 messages were published to the queue "events"
    When consumer "A" consumes the queue "events" with a prefetch count of 5
    And consumer "A" acknowledges 2 messages
    Then consumer "A" has received 7 messages
    And the queue "events" has 23 ready messages

  @SINK-06 @timeout:120
  Scenario Outline: Confirmed messages survive when the broker <ends>
    Given a queue "events"
    # RabbitMQ confirms a queue seconds before it is on the disk; a stop writes it down.
    And the RabbitMQ broker was restarted
    And 200 messages were published to the queue "events"
    When the RabbitMQ broker <ends> and is started again
    Then the queue "events" delivers every confirmed message once, unchanged and in order

    Examples:
      | ends       |
      | is stopped |
      | crashes    |
