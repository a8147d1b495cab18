@messaging
Feature: Dead-letter routing
  A message that the pipeline cannot process is dead-lettered as it came, and does
  not stop the others.

  Background:
    Given a Kafka broker
    And the churn pipeline is running

  @PIPE-05 @seed @critical
  Scenario: Invalid messages are dead-lettered, valid ones are processed
    When these messages are published among 20 valid customers
      | message                        | error type    |
      | that is not JSON               | invalid_json  |
      | with a missing field           | missing_field |
      | with a value of the wrong type | wrong_type    |
      | with a value out of range      | out_of_range  |
    Then exactly these messages are dead-lettered, unchanged, within 15 seconds
    And the dead letters' error types are
      | error type    |
      | invalid_json  |
      | missing_field |
      | wrong_type    |
      | out_of_range  |
    And each dead letter names its source topic and time
    And every valid customer gets one prediction within 15 seconds

  @PIPE-05
  Scenario Outline: A message <flaw> is dead-lettered with its reason
    When a message "<flaw>" is published among 10 valid customers
    Then exactly that message is dead-lettered, unchanged, within 15 seconds
    And the dead letter's error type is "<error type>"
    And each dead letter names its source topic and time
    And every valid customer gets one prediction within 15 seconds

    Examples: malformed
      | flaw                  | error type    |
      | that is not JSON      | invalid_json  |
      | that is not text      | invalid_json  |
      | that is not an object | not_an_object |
      | that is empty         | empty_message |
      | that is null          | null_message  |

    Examples: JSON to lenient parsers only
      | flaw                          | error type        |
      | with a duplicate field        | duplicate_field   |
      | with NaN for a number         | not_a_number      |
      | with a number beyond a double | number_too_large  |
      | that is nested too deeply     | nested_too_deeply |

    Examples: against the contract
      | flaw                             | error type        |
      | with a missing field             | missing_field     |
      | with an unknown field            | unknown_field     |
      | with a value of the wrong type   | wrong_type        |
      | with a malformed date            | bad_format        |
      | with a value that is not allowed | not_allowed_value |
      | with a value out of range        | out_of_range      |

    Examples: against the size limit
      | flaw              | error type |
      | that is too large | too_large  |

  @PIPE-05
  Scenario: Poison in a row does not stop the pipeline
    When 50 messages "that is not JSON" are published among 50 valid customers
    Then exactly these messages are dead-lettered, unchanged, within 15 seconds
    And every valid customer gets one prediction within 15 seconds

  @PIPE-05
  Scenario: A dead letter as large as its contract allows carries its original
    When a message is published whose dead letter is as large as its contract allows
    Then exactly these messages are dead-lettered, unchanged, within 15 seconds

  @PIPE-05
  Scenario: A dead letter that would be too large names its message instead
    When a message is published whose dead letter is 1 byte larger than its contract allows
    Then the dead letter tells that message's offset instead of carrying it, within 15 seconds

  @PIPE-05
  Scenario: The pipeline's own counters say what went in and came out
    When a message "that is not JSON" is published among 20 valid customers
    Then exactly that message is dead-lettered, unchanged, within 15 seconds
    And every valid customer gets one prediction within 15 seconds
    And the churn pipeline's counters agree within 5 seconds

  @PIPE-05
  Scenario: A dead letter carries the key and the headers of its original
    When a message "with a missing field" is published among 10 valid customers
    Then exactly that message is dead-lettered, unchanged, within 15 seconds
    And each dead letter has the key and headers of its original

  @PIPE-05
  Scenario: A dead letter tells people which field breaks which rule
    When these messages are published among 10 valid customers
      | message                          |
      | with a missing field             |
      | with an unknown field            |
      | with a value of the wrong type   |
      | with a value that is not allowed |
      | with a value out of range        |
    Then exactly these messages are dead-lettered, unchanged, within 15 seconds
    And each dead letter's error text names the field and the rule that it breaks
