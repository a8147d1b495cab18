@messaging
Feature: A reachable Kafka broker
  Before anything can be proved about a pipeline, its broker must answer.

  @PIPE-01 @seed @critical
  Scenario: The broker answers clients and administrators
    Given a Kafka broker
    Then the broker accepts connections within 1 second
    And the admin API lists the topics within 1 second
    And the cluster metadata names 1 broker and a controller
