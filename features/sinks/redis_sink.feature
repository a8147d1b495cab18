@sinks
Feature: A sink brings events to a stream of Redis
  Whoever hands an event to a sink forgets it. Each must arrive: once, as it was, in order.

  Background:
    Given a Redis server

  @SINK-01 @critical
  Scenario: Events arrive once, unchanged and in order
    Given the redis-sink was started
    When 200 events are handed to the redis-sink
    Then within 10 seconds every event of the redis-sink has arrived once, unchanged and in order

  @SINK-01
  Scenario: Events of several threads arrive, in the order of each
    Given the redis-sink was started
    When 200 events are handed to the redis-sink by 8 threads
    Then within 10 seconds every event of the redis-sink has arrived once, unchanged and in order

  @SINK-01
  Scenario Outline: A URL that cannot be meant is refused
    Then the redis-sink refuses the URL "<url>" and says "<told>"

    Examples:
      | url                               | told   |
      | http://user:secret@localhost:6379 | scheme |

    @nightly
    Examples: further
      | url                                | told   |
      | redis://                           | host   |
      | redis://:secret@localhost:70000    | port   |
      | redis://:secret@localhost:port     | port   |
      | redis://:secret@localhost:6379/one | number |

  @SINK-04
  Scenario: Two sinks that start at the same moment make one consumer group
    Given the redis-sink was started in 2 processes at the same moment
    When 100 events are handed to the redis-sink
    Then within 10 seconds every event of the redis-sink has arrived once, unchanged and in order
    And the stream of the redis-sink has one consumer group

  @SINK-04
  Scenario: A sink that is started again leaves the consumer group as it is
    Given the redis-sink was started
    And 50 events were handed to the redis-sink
    Then within 10 seconds every event of the redis-sink has arrived once, unchanged and in order
    When the redis-sink is started again
    And 50 events are handed to the redis-sink
    Then within 10 seconds every event of the redis-sink has arrived once, unchanged and in order

  @SINK-05
  Scenario: A stream keeps the latest entries, so many of them
    Given the redis-sink was started with a stream of at most 100 entries
    When 250 events are handed to the redis-sink
    Then exactly the last 100 events of the redis-sink are in its stream

  @SINK-07 @critical
  Scenario: Flushing returns when every event is there
    Given the redis-sink was started
    When 200 events are handed to the redis-sink
    And the redis-sink is flushed
    Then every event of the redis-sink is there by then, once, unchanged and in order

  @SINK-07 @critical
  Scenario: Stopping delivers every event, and leaves nothing behind
    Given the redis-sink was started
    When the network between the redis-sink and its server is cut
    And 100 events are handed to the redis-sink
    And the network between the redis-sink and its server is mended
    And the redis-sink is stopped
    Then every event of the redis-sink is there by then, once, unchanged and in order
    And the redis-sink has left neither a thread nor a connection within 10 seconds
