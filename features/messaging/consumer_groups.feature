@messaging
Feature: Consumer groups resume where they stopped
  A consumer that is closed and started again continues after the last message that
  its group has committed: nothing twice, nothing left out.

  Background:
    Given a Kafka broker

  @PIPE-06 @seed @critical
  Scenario Outline: A group resumes on a topic with <partitions>
    Given a topic "telco.raw.customers.test" with <partitions>
    When 25 messages are published to "telco.raw.customers.test"
    And a consumer of group "churn-readers" receives 10 messages from "telco.raw.customers.test" and closes
    And a consumer of group "churn-readers" receives 15 messages from "telco.raw.customers.test" and closes
    Then the consumers of "telco.raw.customers.test" took turns without gap or overlap
    And group "churn-readers" has nothing left to read in "telco.raw.customers.test"

    Examples:
      | partitions   |
      | 1 partition  |
      | 3 partitions |

  @PIPE-06
  Scenario: The eleventh message is the first after the break
    Given a topic "telco.raw.customers.test" with 1 partition
    When 25 messages are published to "telco.raw.customers.test"
    And a consumer of group "churn-readers" receives 10 messages from "telco.raw.customers.test" and closes
    And a consumer of group "churn-readers" receives 15 messages from "telco.raw.customers.test" and closes
    Then the first message of consumer 2 is message 11
    And the consumers of "telco.raw.customers.test" took turns without gap or overlap

  @PIPE-06
  Scenario: Another group reads everything from the beginning
    Given a topic "telco.raw.customers.test" with 3 partitions
    When 25 messages are published to "telco.raw.customers.test"
    And a consumer of group "churn-readers" receives 10 messages from "telco.raw.customers.test" and closes
    And a consumer of group "auditors" receives 25 messages from "telco.raw.customers.test" and closes
    Then group "auditors" has nothing left to read in "telco.raw.customers.test"
