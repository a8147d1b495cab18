@streams @timeout:120
Feature: Streams survive what goes wrong
  A message that cannot be processed is dead-lettered and stops nothing, and whatever ends
  the stream, no vector is lost.

  Background:
    Given a Kafka broker

  @STREAM-04 @critical
  Scenario Outline: Poison is dead-lettered with its reason by the <stream>
    Given the <stream> is running
    When these messages are published among 40 valid vectors
      | message                    | error type      |
      | that is truncated          | not_decodable   |
      | that is no vector          | not_decodable   |
      | that is empty              | not_decodable   |
      | that is null               | not_decodable   |
      | with another dimension     | wrong_dimension |
      | with NaN for a component   | not_finite      |
      | with an infinite component | not_finite      |
      | of length zero             | zero_vector     |
    Then exactly these messages are dead-lettered, unchanged, within 15 seconds
    And the dead letters' error types are
      | error type      |
      | not_decodable   |
      | not_decodable   |
      | not_decodable   |
      | not_decodable   |
      | wrong_dimension |
      | not_finite      |
      | not_finite      |
      | zero_vector     |
    And each dead letter names its source topic and time
    And each dead letter has the key and headers of its original
    And every valid vector gets one output within 15 seconds

    Examples:
      | stream                     |
      | vector stream              |
      | exactly-once vector stream |

  @STREAM-04
  Scenario: Poison in a row does not stop the stream
    Given the vector stream is running
    When 50 messages "that is truncated" are published among 50 valid vectors
    Then exactly these messages are dead-lettered, unchanged, within 15 seconds
    And every valid vector gets one output within 15 seconds

  @STREAM-04
  Scenario: Without a broker the stream gives up and says why
    Given the vector stream's topics exist
    When the vector stream is started where no broker listens
    Then the vector stream ends with exit code 3 within 20 seconds and logs "Connection refused"

  @STREAM-04
  Scenario: A stream that is started before its broker waits for it
    Given the exactly-once vector stream's topics exist
    When broker 1 has crashed
    And the exactly-once vector stream is started and logs "waiting for the broker"
    And broker 1 recovers
    And 100 valid vectors are published
    Then every valid vector gets one output within 30 seconds

  @STREAM-04
  Scenario Outline: No vector is lost when the stream <ends> in the middle of its work
    Given the vector stream is running
    When valid vectors keep arriving
    And the vector stream <ends> after 300 outputs
    And the vector stream is started again
    Then every valid vector gets at least one output within 30 seconds
    And only vectors with uncommitted offsets get a second output

    Examples:
      | ends       |
      | is stopped |
      | crashes    |

  @STREAM-04 @MSG-04
  Scenario Outline: Every vector comes out exactly once although the stream <ends>
    Given the exactly-once vector stream is running
    When valid vectors keep arriving
    And the exactly-once vector stream <ends> after 300 outputs
    And the exactly-once vector stream is started again
    Then every valid vector gets one output within 40 seconds

    Examples:
      | ends       |
      | is stopped |
      | crashes    |

  @STREAM-04 @MSG-04
  Scenario: An instance that takes over leaves the older one nothing to do
    Given the exactly-once vector stream is running
    When valid vectors keep arriving
    And another instance of the exactly-once vector stream takes over after 300 outputs
    And 600 valid vectors are published
    Then the older instance of the exactly-once vector stream ends with exit code 4 within 20 seconds and logs "fenced"
    And every valid vector gets one output within 40 seconds
