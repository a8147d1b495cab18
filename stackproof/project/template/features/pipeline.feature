@messaging
Feature: Orders are rated
  Every valid order that is published is rated once; what cannot be rated is set
  aside as it came.

  Background:
    Given a Kafka broker
    And the churn pipeline is running

  Scenario: Orders are rated
    When 50 valid customers are published
    Then every valid customer gets one prediction within 30 seconds
    And each prediction satisfies its contract
    And each prediction is keyed like its customer
    And the churn pipeline has committed its whole input within 5 seconds

  Scenario Outline: An order <flaw> is set aside
    When a message "<flaw>" is published among 10 valid customers
    Then the dead-letter topic receives exactly that message, unchanged, within 15 seconds
    And the dead letter names the error "<error type>", its source and the time
    And every valid customer gets one prediction within 15 seconds

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
    When valid customers keep arriving
    And the churn pipeline crashes after 300 predictions
    And the churn pipeline is started again
    Then every valid customer gets a prediction within 30 seconds, repeated only where it was not committed

  Scenario: A rating is never negative
    When 50 valid customers are published
    Then every valid customer gets one prediction within 30 seconds
    And no rating is below 0
