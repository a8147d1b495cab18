@messaging @timeout:120
Feature: Customers become predictions
  Every valid customer that is published gets one prediction that belongs to it.

  Background:
    Given a Kafka broker
    And the churn pipeline is running

  @PIPE-04 @seed @critical
  Scenario: Fifty customers get their predictions
    When 50 valid customers are published
    Then every valid customer gets one prediction within 60 seconds
    And each prediction satisfies its contract
    And each prediction is keyed like its customer
    And the churn pipeline's lag is zero within 5 seconds

  @PIPE-04
  Scenario: A prediction is in the partition of its customer
    When 60 valid customers are published round-robin to all partitions
    Then every valid customer gets one prediction within 15 seconds
    And each prediction is in the partition of its customer

  @PIPE-04
  Scenario: A backlog of thousands is processed
    When 3000 valid customers are published
    Then every valid customer gets one prediction within 60 seconds
    And each prediction satisfies its contract
