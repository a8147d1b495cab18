@sinks @performance
Feature: Events that are sent at once are sent faster
  A round trip for each event is what limits a sink. How much a pipeline saves depends on the way to
  the server: here it is measured, not believed.

  @SINK-10
  Scenario: A pipeline is faster than single writes
    Given a Redis server of its own
    When 1000 events are sent by the redis-sink one by one and 100 at once, 3 times each
    Then sending at once is more than 2 times as fast in the best of 3 rounds
