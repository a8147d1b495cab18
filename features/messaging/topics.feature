@messaging
Feature: Topics as configured
  A pipeline relies on partitions, retention and size limits being what was asked for.

  Background:
    Given a Kafka broker

  @PIPE-02 @seed @critical
  Scenario: The pipeline's topics are created as asked for
    When these topics are created
      | topic                        | partitions | cleanup.policy | retention.ms | max.message.bytes |
      | telco.raw.customers.test     | 3          | delete         | 3600000      |                   |
      | telco.churn.predictions.test | 3          | delete         | 3600000      |                   |
      | telco.deadletter.test        | 1          | compact,delete | 86400000     | 2097152           |
    Then each topic has the partitions and settings asked for within 2 seconds

  @PIPE-02
  Scenario: A topic that exists already is refused
    Given a topic "telco.raw.customers.test" with 3 partitions
    When a topic "telco.raw.customers.test" with 3 partitions is asked for
    Then the broker refuses the topic: "TopicAlreadyExists"

  @PIPE-02
  Scenario Outline: A topic with <what> is refused
    When a topic "<topic>" with <partitions> partitions is asked for
    Then the broker refuses the topic: "<reason>"

    Examples:
      | what               | topic               | partitions | reason            |
      | no partitions      | telco.nothing.test  | 0          | InvalidPartitions |
      | a space in between | telco raw customers | 3          | InvalidTopic      |
      | a forbidden letter | telco/raw/customers | 3          | InvalidTopic      |
