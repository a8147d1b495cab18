@cache
Feature: A cache in front of an origin
  An origin is slow, and shall be asked as little as can be. The cache-aside keeps what it has
  loaded, drops what is updated, and keeps no error: nobody reads a stale value.

  Background:
    Given a Redis server
    And an origin with 20 customers
    And the cache-aside is running

  @CACHE-02 @critical
  Scenario: What is read again is served from the cache
    When each customer is read 5 times
    Then no stale value was read
    And the origin was asked once for each customer that was read

  @CACHE-02
  Scenario Outline: The value "<value>" is kept like any other
    Given customer 1 has the value "<value>" at the origin
    When each customer is read 5 times
    Then no stale value was read
    And the origin was asked once for each customer that was read

    Examples:
      | value |
      | 0     |
      | null  |
      | false |
      | empty |
      | ä€😀   |

  @CACHE-02
  Scenario: Many clients that read a customer at the same moment cause one load
    Given the origin takes 1 second to answer
    When 8 clients read customer 1 at the same moment
    Then no stale value was read
    And the origin was asked once for each customer that was read

  @CACHE-02 @critical
  Scenario: Nobody reads a stale value during updates
    When customer 1 is updated 200 times while 4 clients read it
    Then no stale value was read

  @CACHE-02
  Scenario: A value that was loaded before an update is not kept after it
    Given the origin takes 1 second to answer
    When a client begins to read customer 1
    And customer 1 is updated
    Then reading customer 1 returns its latest value
    And no stale value was read

  @CACHE-02
  Scenario: A customer that was not there is found once it is added
    Given customer 21 was read
    When customer 21 is added
    Then reading customer 21 returns its latest value
    And no stale value was read

  @CACHE-02
  Scenario: A customer that is not at the origin is not in the cache
    When customer 21 is read
    Then reading customer 21 returns nothing

  @CACHE-02
  Scenario: An error of the origin is told
    Given the origin is down
    When customer 1 is read
    Then the reading fails as "unavailable"

  @CACHE-02
  Scenario: An error of the origin is not kept
    Given the origin is down
    And customer 1 was read
    When the origin is up again
    Then reading customer 1 returns its latest value

  @CACHE-02
  Scenario: A change at the origin that the cache is not told of is seen after the time to live
    Given the cache-aside was restarted with a time to live of 1 second
    And customer 1 was read
    When customer 1 is changed at the origin alone
    Then reading customer 1 returns its latest value within 3 seconds
