@sinks
Feature: A sink whose buffer is full does what it says
  While its server is down a sink keeps so many events. What becomes of the others is a matter of
  choice: and the choice is kept to the letter.

  @SINK-03 @critical
  Scenario Outline: A full buffer <overflow>
    Given the redis-sink was started with a buffer of 20 events that <overflow> when it is full
    And 10 events were handed to the redis-sink
    And the redis-sink was flushed
    When the server behind the redis-sink crashes
    And 50 events are handed to the redis-sink
    And the server behind the redis-sink recovers
    Then within 20 seconds exactly the <which> 20 events of the redis-sink have arrived since then

    Examples:
      | overflow         | which |
      | drops the oldest | last  |
      | drops the newest | first |

  @SINK-03 @critical
  Scenario: A full buffer refuses more
    Given the redis-sink was started with a buffer of 20 events that refuses more when it is full
    And 10 events were handed to the redis-sink
    And the redis-sink was flushed
    When the server behind the redis-sink crashes
    And 50 events are handed to the redis-sink
    Then the redis-sink has refused the last 30 of them
    When the server behind the redis-sink recovers
    Then within 20 seconds every event of the redis-sink has arrived once, unchanged and in order

  @SINK-03 @critical
  Scenario: A full buffer blocks, and nothing is lost
    Given the redis-sink was started with a buffer of 20 events that blocks when it is full
    And 10 events were handed to the redis-sink
    And the redis-sink was flushed
    When the server behind the redis-sink crashes
    And a program goes on to hand 50 events to the redis-sink
    Then the redis-sink takes 20 of them, and then none for 2 seconds
    When the server behind the redis-sink recovers
    Then the redis-sink takes the others within 20 seconds
    And within 20 seconds every event of the redis-sink has arrived once, unchanged and in order
