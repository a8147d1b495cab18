@messaging
Feature: Dead-letter routing
  A message that the pipeline cannot process must neither get lost
  nor stop the others.

  Background:
    Given a Kafka broker
    And the churn pipeline is running

  @PIPE-05 @seed @critical
  Scenario: Invalid messages are set aside, valid ones are processed
    When these messages are published among 20 valid customers
      | kind          | error type     |
      | not JSON      | invalid_json   |
      | missing field | missing_field  |
      | wrong type    | wrong_type     |
      | out of range  | out_of_range   |
    Then the dead-letter topic receives exactly these messages, unchanged, within 15 seconds
    And it names its source topic, its error and the time
    And every valid customer gets one prediction within 15 seconds

  @PIPE-05
  Scenario Outline: A message that is <kind> is set aside with its reason
    When a message that is "<kind>" is published among 10 valid customers
    Then the dead-letter topic receives exactly that message, unchanged, within 15 seconds
    And its error type is "<error type>"
    And it names its source topic, its error and the time
    And every valid customer gets one prediction within 15 seconds

    Examples: malformed
      | kind          | error type    |
      | not JSON      | invalid_json  |
      | not text      | invalid_json  |
      | not an object | not_an_object |
      | empty         | empty_message |
      | null          | null_message  |

    Examples: against the contract
      | kind              | error type        |
      | missing field     | missing_field     |
      | unknown field     | unknown_field     |
      | wrong type        | wrong_type        |
      | bad format        | bad_format        |
      | value not allowed | not_allowed_value |
      | out of range      | out_of_range      |

    Examples: against the size limit
      | kind      | error type |
      | too large | too_large  |
