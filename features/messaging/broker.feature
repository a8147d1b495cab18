@messaging
Feature: A reachable Kafka broker
  Before anything can be proved about a pipeline, its broker must answer.

  @PIPE-01 @seed @critical
  Scenario: The broker answers clients and administrators
    Given a Kafka broker
    Then the broker accepts connections within 1 second
    And the admin API lists the topics within 1 second
    And the cluster metadata names 1 broker and a controller

  @CORE-04
  Scenario Outline: Messages survive when the broker <ends>
    Given a Kafka broker
    And a topic "telco.raw.customers.test" with 3 partitions
    When 500 messages are published to "telco.raw.customers.test"
    And the broker <ends> and is started again
    Then "telco.raw.customers.test" holds exactly the acknowledged messages, in order

    Examples:
      | ends       |
      | is stopped |
      | crashes    |
