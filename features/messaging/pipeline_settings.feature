@messaging
Feature: The pipeline refuses wrong settings
  A mistake in the settings is told at the start, before a message is touched.

  Background:
    Given a Kafka broker

  @PIPE-09
  Scenario Outline: A start with <mistake> is refused
    Given the churn pipeline's topics exist
    When the churn pipeline is started with "<mistake>"
    Then the churn pipeline refuses to start within 30 seconds and says why

    Examples:
      | mistake                              |
      | an unknown option                    |
      | a value that is no number            |
      | a value out of range                 |
      | a value that is not allowed          |
      | values that contradict each other    |
      | one topic for two purposes           |
      | a setting that breaks its guarantees |
