@cache
Feature: Redis as a cache
  What was put into the cache comes out of it unchanged, for as long as it
  was asked to stay and no longer.

  Background:
    Given a Redis server

  @CACHE-01 @critical
  Scenario: A key holds the last value that was set
    When the key "customer:1001" is set to "active"
    And the key "customer:1001" is set to "churned"
    Then the key "customer:1001" holds "churned"

  @CACHE-01
  Scenario: A deleted key is gone, and only that one
    Given the key "customer:1001" was set to "active"
    And the key "customer:1002" was set to "active"
    When the key "customer:1001" is deleted
    Then the key "customer:1001" is not there
    And the key "customer:1002" holds "active"

  @CACHE-01
  Scenario Outline: A <type> keeps its entries
    When a <type> of 300 entries is written to the key "customers"
    Then the key "customers" holds exactly the <type> that was written

    Examples:
      | type       |
      | hash       |
      | list       |
      | set        |
      | sorted set |

  @CACHE-01
  Scenario Outline: Values written <written> are read <read>
    When 500 values are written <written>
    Then every value that was written is read back <read>, byte for byte

    Examples:
      | written         | read            |
      | one by one      | in one batch    |
      | in one batch    | in one pipeline |
      | in one pipeline | one by one      |

  @CACHE-01
  Scenario: The commands of a pipeline take effect in order, each with its own answer
    When the counter "customers" is incremented 1000 times in one pipeline
    Then the answers of the pipeline are 1 to 1000, in order
    And the key "customers" holds "1000"

  @CACHE-01 @performance
  Scenario: Setting and getting takes less than a millisecond
    When 3000 values of 100 bytes are set and got, one after the other
    Then the median SET latency is at most 1 millisecond in the best of 3 rounds
    And the median GET latency is at most 1 millisecond in the best of 3 rounds

  @HA-05 @performance
  Scenario: Operations take less than 10 milliseconds on average
    When 4000 operations on keys, hashes and lists are done, one after the other
    Then the average operation latency is at most 10 milliseconds in the best of 3 rounds

  @CACHE-02
  Scenario: An entry is there for its time to live and no longer
    When the key "session:1" is set for 1.5 seconds
    Then the key "session:1" is there for 1.5 seconds and gone at most 1 second later

  @CACHE-02
  Scenario Outline: A time to live that is made <made> counts from then on
    Given the key "session:1" was set for <first>
    When the time to live of the key "session:1" is changed to <then>
    Then the key "session:1" is there for <then> and gone at most 1 second later

    Examples:
      | made    | first      | then        |
      | shorter | 60 seconds | 1 second    |
      | longer  | 1 second   | 2.5 seconds |

  @CACHE-02
  Scenario: A key that is set anew has no time to live any more
    Given the key "session:1" was set for 60 seconds
    When the key "session:1" is set to "signed in"
    Then the key "session:1" has no time to live

  @CACHE-02
  Scenario: Cached vectors keep every bit
    When 300 vectors of 128 dimensions are cached, with NaN, infinite, denormal and negative zero values
    Then every value that was written is read back in one batch, byte for byte
