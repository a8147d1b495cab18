@messaging
Feature: Publishing with acknowledgement
  What the broker has acknowledged is in the topic: once, unchanged, in order.

  Background:
    Given a Kafka broker
    And a topic "telco.raw.customers.test" with 3 partitions

  @PIPE-03 @seed @critical
  Scenario: Fifty messages are published and acknowledged
    When 50 messages are published to "telco.raw.customers.test"
    Then 50 messages are acknowledged and none failed within 3 seconds
    And "telco.raw.customers.test" holds exactly the acknowledged messages, in order

  @PIPE-03
  Scenario: Thousands of messages are published and acknowledged
    When 5000 messages are published to "telco.raw.customers.test"
    Then 5000 messages are acknowledged and none failed within 10 seconds
    And "telco.raw.customers.test" holds exactly the acknowledged messages, in order

  @PIPE-03
  Scenario: A message above the broker's limit is refused, and nothing of it is kept
    When a message of 2000000 bytes is published to "telco.raw.customers.test"
    Then publishing fails with "MessageSizeTooLarge"
    And "telco.raw.customers.test" is empty
