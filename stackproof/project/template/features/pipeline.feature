@messaging
Feature: Orders are rated
  Every valid order that is published is rated once; what cannot be rated is
  dead-lettered as it came.

  Background:
    Given the order rater is running

  Scenario: Orders are rated
    When 50 valid orders are published
    Then every valid order gets one rating within 30 seconds
    And each rating satisfies its contract
    And each rating is keyed like its order
    And the order rater's lag is zero within 5 seconds

  Scenario Outline: An order <flaw> is dead-lettered
    When a message "<flaw>" is published among 10 valid orders
    Then exactly that message is dead-lettered, unchanged, within 15 seconds
    And the dead letter's error type is "<error type>"
    And every valid order gets one rating within 15 seconds

    Examples:
      | flaw                          | error type        |
      | that is not JSON              | invalid_json      |
      | with a duplicate field        | duplicate_field   |
      | with NaN for a number         | not_a_number      |
      | with a number beyond a double | number_too_large  |
      | that is nested too deeply     | nested_too_deeply |
      | with a missing field          | missing_field     |
      | with a value out of range     | out_of_range      |

  Scenario: Nothing is lost in a crash
    When valid orders keep arriving
    And the order rater crashes after 300 ratings
    And the order rater is started again
    Then every valid order gets at least one rating within 30 seconds
    And only orders with uncommitted offsets get a second rating

  Scenario: A rating is never negative
    When 50 valid orders are published
    Then every valid order gets one rating within 30 seconds
    And no rating is below 0
