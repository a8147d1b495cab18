@messaging @timeout:120
Feature: The pipeline restarts
  Whatever ends an instance of the pipeline, no customer is lost, and only customers
  with uncommitted offsets may be predicted again.

  Background:
    Given a Kafka broker

  @PIPE-04 @PIPE-06
  Scenario Outline: Nothing is lost when the pipeline <ends> in the middle of its work
    Given the churn pipeline is running
    When valid customers keep arriving
    And the churn pipeline <ends> after 300 predictions
    And the churn pipeline is started again
    Then every valid customer gets at least one prediction within 30 seconds
    And only customers with uncommitted offsets get a second prediction
    And the churn pipeline's lag is zero within 5 seconds

    Examples:
      | ends       |
      | is stopped |
      | crashes    |

  @PIPE-04 @PIPE-06
  Scenario Outline: A second instance takes over when the first <ends>
    Given the churn pipeline is running
    And a second instance of the churn pipeline is running
    When valid customers keep arriving
    And the churn pipeline <ends> after 300 predictions
    Then every valid customer gets at least one prediction within 30 seconds
    And only customers with uncommitted offsets get a second prediction

    Examples:
      | ends       |
      | is stopped |
      | crashes    |

  @PIPE-04 @PIPE-06
  Scenario: A paused instance comes back after its group has removed it
    Given the churn pipeline is running
    When valid customers keep arriving
    And the churn pipeline is paused after 300 predictions
    And the churn pipeline is resumed after its group has removed it
    Then every valid customer gets at least one prediction within 30 seconds
    And only customers with uncommitted offsets get a second prediction
    And the churn pipeline's lag is zero within 5 seconds

  @PIPE-04 @PIPE-06
  Scenario: A paused instance comes back to a group that has gone on without it
    Given the churn pipeline is running
    And a second instance of the churn pipeline is running
    When valid customers keep arriving
    And the churn pipeline is paused after 300 predictions
    And the churn pipeline is resumed after its group has removed it
    Then every valid customer gets at least one prediction within 30 seconds
    And only customers with uncommitted offsets get a second prediction

  @PIPE-06
  Scenario: An idle instance ends when it is stopped
    Given the churn pipeline is running
    When 10 valid customers are published
    And the churn pipeline has been idle for 2 seconds
    And the churn pipeline is stopped
    Then every valid customer gets one prediction within 15 seconds

  @PIPE-06
  Scenario: A stopped instance leaves its group at once
    Given the churn pipeline is running
    And a second instance of the churn pipeline is running
    When 200 valid customers are published
    And the churn pipeline is stopped
    Then the churn pipeline's group has 1 member within 1 second
    And every valid customer gets one prediction within 15 seconds

  @PIPE-04
  Scenario: A backlog from before the start is processed
    Given the churn pipeline's topics exist
    When 500 valid customers are published
    And the churn pipeline is started
    Then every valid customer gets one prediction within 30 seconds

  @PIPE-04 @PIPE-06
  Scenario: What was published during a downtime is processed
    Given the churn pipeline is running
    When 100 valid customers are published
    And the churn pipeline is stopped
    And 100 valid customers are published
    And the churn pipeline is started again
    Then every valid customer gets one prediction within 15 seconds
