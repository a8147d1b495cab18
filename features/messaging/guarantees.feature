@messaging @timeout:240
Feature: What is promised holds under faults, and what is lost is found
  Guarantees of delivery, from none to exactly once. Where loss is allowed it is provoked for
  certain, and must be found and named: a checker that finds nothing there proves nothing.

  @MSG-04 @BEYOND-01
  Scenario: At most once, acks=0: what a crashed broker took with it is found lost
    Given a Kafka cluster of 3 brokers
    When messages to "orders" are acknowledged with acks=0 by a leader that hangs and then crashes
    Then the loss of all of them is found and named

  @MSG-04 @BEYOND-01 @nightly
  Scenario: At most once, acks=1: what only a deposed leader had is found lost
    Given a Kafka cluster of 3 brokers
    When messages to "orders" are acknowledged with acks=1 by a leader that is cut off and then crashes
    Then the loss of all of them is found and named

  @MSG-04 @BEYOND-01 @nightly
  Scenario: What an unclean election throws away is found lost
    Given a Kafka cluster of 3 brokers
    When messages to "orders" are acknowledged with acks=all by the only replica in sync before an unclean election
    Then the loss of all of them is found and named

  @MSG-04 @BEYOND-01 @nightly
  Scenario: What was neither synced nor replicated is found lost with the power
    Given a Kafka cluster of 1 broker
    When messages to "orders" are acknowledged with acks=all by an unreplicated broker that then loses power
    Then the loss of all of them is found and named

  @MSG-04 @BEYOND-01 @nightly
  Scenario: At least once: what is repeated for want of an answer is found stored twice
    Given a Kafka cluster of 1 broker
    And a topic "orders" with 1 partition
    When a producer without idempotence publishes to "orders" while answers come later than it waits
    Then every message has been acknowledged within 60 seconds
    And "orders" holds every acknowledged message, in order, and some are found to be there twice

  @MSG-04 @BEYOND-01 @nightly
  Scenario: Idempotent: what is repeated for want of an answer is stored once
    Given a Kafka cluster of 1 broker
    And a topic "orders" with 1 partition
    When an idempotent producer publishes to "orders" while answers come later than it waits
    Then every message has been acknowledged within 60 seconds
    And "orders" holds every acknowledged message, in order, and none twice

  @MSG-04 @BEYOND-01
  Scenario: At most once: what a consumer commits before its work is found lost with the consumer
    Given a Kafka broker
    And a topic "orders" with 3 partitions
    And a topic "invoices" with 3 partitions
    When 300 messages are published to "orders"
    And "orders" is handed on to "invoices" by a consumer that commits before it sends and ends in between, and by its successor
    Then exactly what it had committed and not sent is found lost, and nothing is there twice

  @MSG-04 @BEYOND-01
  Scenario: At least once: what a consumer commits after its work is found there twice
    Given a Kafka broker
    And a topic "orders" with 3 partitions
    And a topic "invoices" with 3 partitions
    When 300 messages are published to "orders"
    And "orders" is handed on to "invoices" by a consumer that commits after it has sent and ends in between, and by its successor
    Then exactly what it had sent and not committed is found there twice, and nothing is lost

  @MSG-04 @BEYOND-01
  Scenario Outline: Exactly once: consumed, transformed and produced while a leader <ends>
    Given a Kafka cluster of 3 brokers
    And a topic "orders" with 3 partitions
    And a topic "invoices" with 3 partitions
    When messages of "orders" are transformed into "invoices" in transactions while the leader <ends>
    Then every message of "orders" is in "invoices" exactly once

    Examples: on every pull request
      | ends    |
      | crashes |

    @nightly
    Examples: cleanly
      | ends       |
      | is stopped |

  @MSG-04 @BEYOND-01
  Scenario: What was aborted is invisible to readers of committed messages
    Given a Kafka broker
    And a topic "orders" with 1 partition
    And 20 messages to "orders" in an open transaction
    When the transaction is aborted
    And a new producer with the same transactional ID commits 5 messages
    Then readers of committed messages see 5 messages, and others all 25

  @MSG-04 @BEYOND-01
  Scenario: A zombie is fenced by its successor
    Given a Kafka broker
    And a topic "orders" with 1 partition
    And 20 messages to "orders" in an open transaction
    When a new producer with the same transactional ID commits 5 messages
    Then the old producer is refused to commit
    And readers of committed messages see 5 messages, and others all 25

  @MSG-04 @BEYOND-01
  Scenario: A transaction that hangs open holds up readers of committed messages until its time is up
    Given a Kafka broker
    And a topic "orders" with 1 partition
    And 20 messages to "orders" in an open transaction
    When the transaction's producer disappears and 10 messages of no transaction follow
    Then readers of committed messages wait before it, and others see all 30
    And they see the 10 messages behind it when its time is up, and none of it ever
