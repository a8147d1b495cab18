@cache
Feature: Metrics in a cache count everything once
  Whoever counts there counts with many others at once, and asks for the latest or the
  greatest at any time.

  Background:
    Given a Redis server
    And the metrics-store is running

  @CACHE-08 @critical
  Scenario: Clients that count at once lose no count
    When 8 clients each increment the counter "visits" 50 times at once
    Then the increments were answered by 1 to 400, each once

  @CACHE-08
  Scenario: A top list has those with the most points, in order
    When 4 clients each give points 100 times in the top list "scores" at once
    Then the first 10 of the top list "scores" have the most points, in order

  @CACHE-08
  Scenario: Measurements are found by their time, until they are dropped
    When a measurement for each of 300 seconds is kept in "load", in any order
    Then "load" has the measurements of the seconds 90 to 149, in order
    When measurements of "load" from before second 120 are dropped
    Then "load" has the measurements of the seconds 90 to 149, in order
