@messaging @timeout:120
Feature: Subscribers get scores
  Every valid subscriber gets one score; what cannot be scored is dead-lettered as it came.

  Background:
    Given the scorer is running

  Scenario: Fifty subscribers get their scores
    When 50 valid subscribers are published
    Then every valid subscriber gets one score within 15 seconds
    And each score satisfies its contract
    And each score is keyed like its subscriber
    And the scorer's lag is zero within 5 seconds

  Scenario: What is no JSON is dead-lettered
    When a message "that is not JSON" is published among 10 valid subscribers
    Then exactly that message is dead-lettered, unchanged, within 15 seconds
    And the dead letter's error type is "invalid_json"
    And every valid subscriber gets one score within 15 seconds

  Scenario: No subscriber is lost when the scorer crashes
    When valid subscribers keep arriving
    And the scorer crashes after 300 scores
    And the scorer is started again
    Then every valid subscriber gets at least one score within 30 seconds
    And only subscribers with uncommitted offsets get a second score
