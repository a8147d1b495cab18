@streams @timeout:120
Feature: Vectors are transformed on their way
  Every vector that is published comes out once, normalised and with its length. What was sent stays
  as it was, bit by bit; what is computed is right to single precision.

  Background:
    Given a Kafka broker

  @STREAM-01 @critical
  Scenario: Vectors come out normalised, with their lengths
    Given the vector stream is running
    When 300 valid vectors are published
    Then every valid vector gets one output within 30 seconds
    And lengths and normalised vectors are right to single precision

  @STREAM-01 @STREAM-02
  Scenario Outline: Batches of 1 MB and more are transformed by the <stream>
    Given the <stream> is running
    When 8 messages of <vectors> vectors each are published
    Then every valid vector gets one output within 30 seconds
    And lengths and normalised vectors are right to single precision

    Examples: just above 1 MB, on every pull request
      | stream        | vectors |
      | vector stream | 2000    |

    @nightly
    Examples: near the limit of 8 MB for what comes out
      | stream                     | vectors |
      | vector stream              | 7800    |
      | exactly-once vector stream | 7800    |

  @STREAM-03
  Scenario Outline: Work is balanced over <count> instances
    Given <count> instances of the vector stream share its partitions
    When 600 valid vectors are published
    Then every valid vector gets one output within 30 seconds
    And each of <count> instances has done at least <percent> % of the work

    Examples: half of a fair share
      | count | percent |
      | 2     | 25      |
      | 3     | 16      |

  @STREAM-02 @performance @nightly @timeout:300
  Scenario Outline: More than 10,000 messages a second are transformed by the <stream>
    Given the <stream>'s topics exist
    When 50000 valid vectors are published
    And the <stream> is started and processes its backlog
    Then every valid vector gets one output within 60 seconds
    And the processing rate is more than 10000 messages a second in the best of 3 rounds

    Examples:
      | stream                     |
      | vector stream              |
      | exactly-once vector stream |

  @STREAM-03 @performance @nightly @timeout:240
  Scenario: A vector comes out in less than 100 milliseconds
    Given the vector stream is running
    When 500 valid vectors are published one by one, each after the output of the one before
    Then every valid vector gets one output within 10 seconds
    And the 95th percentile processing latency is at most 100 milliseconds in the best of 3 rounds
