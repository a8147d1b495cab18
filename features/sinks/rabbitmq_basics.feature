@sinks
Feature: RabbitMQ delivers what it has confirmed
  A sink may forget an event as soon as the broker has confirmed it. From then on it
  must be delivered: until a consumer has acknowledged it, or set aside with its reason.

  Background:
    Given a RabbitMQ broker

  @SINK-06 @critical
  Scenario: Confirmed messages are delivered once, unchanged and in order
    Given a queue "events"
    When 500 messages are sent to the queue "events"
    Then all of them are confirmed
    And the queue "events" delivers every confirmed message once, unchanged and in order

  @SINK-06
  Scenario: What a consumer had not acknowledged when its connection was lost comes again
    Given a queue "events"
    When 20 messages are sent to the queue "events"
    And a consumer of "events" receives 20 messages and acknowledges 12 of them
    And its connection is lost
    Then another consumer of "events" receives exactly the others again, marked as redelivered
    And the queue "events" holds 0 messages that nobody was handed

  @SINK-06
  Scenario: What a consumer gives back comes again
    Given a queue "events"
    When 20 messages are sent to the queue "events"
    And a consumer of "events" receives 20 messages and acknowledges 15 of them
    And it gives the others back
    Then the same consumer of "events" receives exactly the others again, marked as redelivered
    And the queue "events" holds 0 messages that nobody was handed

  @SINK-06
  Scenario: What a consumer rejects goes to the dead letters, with its reason
    Given the queue "events" with its dead letters in "events.dead"
    When 30 messages, every third of them broken, are sent to the queue "events"
    And a consumer of "events" rejects what is broken and acknowledges the others
    Then exactly the broken messages are in "events.dead" within 5 seconds, "rejected" by "events"
    And the queue "events" holds 0 messages that nobody was handed

  @SINK-06
  Scenario: What nobody fetches in time goes to the dead letters, with its reason
    Given the queue "events" with its dead letters in "events.dead"
    When 20 messages that expire after 500 milliseconds are sent to the queue "events"
    Then all messages are in "events.dead" within 5 seconds, "expired" in "events"
    And the queue "events" holds 0 messages that nobody was handed

  @SINK-06
  Scenario: A message that no queue takes is returned to its sender
    Given a queue "events"
    When 3 messages for the queue "events" are sent to "nowhere", where no queue is
    Then 3 messages are returned: "NO_ROUTE"
    And the queue "events" holds 0 messages that nobody was handed

  @SINK-06
  Scenario: A consumer is handed as many messages as it wants and no more
    Given a queue "events"
    And 30 messages were sent to the queue "events"
    When a consumer of "events" that wants at most 5 messages begins
    Then it has been handed 5 messages and the queue "events" holds the other 25

  @SINK-06
  Scenario: A consumer that is done with some messages is handed the next ones
    Given a queue "events"
    And 30 messages were sent to the queue "events"
    When a consumer of "events" that wants at most 5 messages begins
    And it acknowledges 2 messages
    Then it has been handed 7 messages and the queue "events" holds the other 23

  @SINK-06 @timeout:120
  Scenario Outline: Confirmed messages survive when the broker <ends>
    Given an old queue "events", from before the broker was last started
    And 200 messages were sent to the queue "events"
    When the RabbitMQ broker <ends> and is started again
    Then the queue "events" delivers every confirmed message once, unchanged and in order

    Examples:
      | ends       |
      | is stopped |
      | crashes    |
