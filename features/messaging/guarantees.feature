@messaging @timeout:240
Feature: What is promised holds under faults, and what is lost is found
  Guarantees of delivery, from none to exactly once. Where loss is allowed it is provoked for
  certain, and must be found and named: a checker that finds nothing there proves nothing.

  @MSG-04 @BEYOND-01
  Scenario: At most once, acks=0: what a crashed broker took with it is lost
    Given a Kafka cluster of 3 brokers
    And a topic "orders" with 1 partition
    And 50 messages are on all replicas of "orders", published with acks=0
    When the leader of "orders" is paused
    And 100 messages are published to "orders" with acks=0
    And the old leader of "orders" crashes
    And the old leader of "orders" recovers
    And 400 messages are published to "orders"
    Then exactly these 100 messages are lost

  @MSG-04 @BEYOND-01 @nightly
  Scenario: At most once, acks=1: what only a deposed leader had is lost
    Given a Kafka cluster of 3 brokers
    And a topic "orders" with 1 partition
    And 50 messages are on all replicas of "orders", published with acks=1
    When the leader of "orders" is cut off from the other brokers
    And another broker is the leader of "orders"
    And 100 messages are published to "orders" with acks=1
    And the old leader of "orders" crashes
    And the old leader of "orders" recovers
    And 400 messages are published to "orders"
    Then exactly these 100 messages are lost

  @MSG-04 @BEYOND-01 @nightly
  Scenario: acks=all with one replica in sync: what an unclean election throws away is lost
    Given a Kafka cluster of 3 brokers
    When these topics are created
      | topic  | partitions | replicas | unclean.leader.election.enable | min.insync.replicas |
      | orders | 1          | 2        | true                           | 1                   |
    And a follower of "orders" crashes
    And the leader of "orders" is the only replica in sync within 30 seconds
    And 100 messages are published to "orders" with acks=all
    And the leader of "orders" crashes
    And the old follower of "orders" recovers
    And the old leader of "orders" recovers
    And 400 messages are published to "orders"
    Then exactly these 100 messages are lost

  @MSG-04 @BEYOND-01 @nightly
  Scenario: acks=all without replicas: what was not synced is lost with the power
    Given a Kafka cluster of 1 broker
    And a topic "orders" with 1 partition
    When 100 messages are published to "orders" with acks=all
    And the leader of "orders" loses power
    And the old leader of "orders" recovers
    And 400 messages are published to "orders"
    Then exactly these 100 messages are lost

  @MSG-04 @BEYOND-01 @nightly
  Scenario: At least once: what is sent again for want of an answer is stored twice
    Given a Kafka cluster of 1 broker
    And a topic "orders" with 1 partition
    And a producer without idempotence that waits 700 milliseconds for answers publishes to "orders" in the background
    When broker 1 answers its clients 1400 milliseconds late
    And broker 1 recovers
    And 100 more messages are acknowledged within 60 seconds
    Then every message has been acknowledged within 60 seconds
    And "orders" holds every acknowledged message, in order, at least once
    And some messages are in "orders" twice

  @MSG-04 @BEYOND-01 @nightly
  Scenario: Idempotent: what is sent again for want of an answer is stored once
    Given a Kafka cluster of 1 broker
    And a topic "orders" with 1 partition
    And an idempotent producer that waits 700 milliseconds for answers publishes to "orders" in the background
    When broker 1 answers its clients 1400 milliseconds late
    And broker 1 recovers
    And 100 more messages are acknowledged within 60 seconds
    Then every message has been acknowledged within 60 seconds
    And "orders" holds every acknowledged message, in order, exactly once

  @MSG-04 @BEYOND-01
  Scenario: At most once: what a consumer commits before it sends is lost with the consumer
    Given a Kafka broker
    And a topic "orders" with 3 partitions
    And a topic "invoices" with 3 partitions
    When 300 messages are published to "orders"
    And a consumer of group "invoicing" copies 50 messages from "orders" to "invoices"
    And the consumer commits 50 more messages and ends before it has sent them
    And another consumer of the same group copies the rest
    Then exactly 50 messages are missing in the copy, and none is there twice

  @MSG-04 @BEYOND-01
  Scenario: At least once: what a consumer sends before it commits is there twice
    Given a Kafka broker
    And a topic "orders" with 3 partitions
    And a topic "invoices" with 3 partitions
    When 300 messages are published to "orders"
    And a consumer of group "invoicing" copies 50 messages from "orders" to "invoices"
    And the consumer sends 50 more messages and ends before it has committed them
    And another consumer of the same group copies the rest
    Then exactly 50 messages are in the copy twice, and none is missing

  @MSG-04 @BEYOND-01
  Scenario Outline: Exactly once: copied in transactions while a leader <ends>
    Given a Kafka cluster of 3 brokers
    And a topic "orders" with 3 partitions
    And a topic "invoices" with 3 partitions
    And an idempotent producer publishes to "orders" in the background
    And messages of "orders" are copied to "invoices" in transactions in the background
    When the leader of "invoices" <ends>
    And 500 more messages are copied within 60 seconds
    And the old leader of "invoices" recovers
    And 500 more messages are copied within 60 seconds
    Then every message is in the copy exactly once

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
    And 20 messages are published to "orders" in an open transaction
    When the transaction is aborted
    And another producer with the same transactional ID commits 5 messages
    Then no message of the transaction is ever received as committed
    And a read_committed consumer of "orders" receives exactly 5 messages within 10 seconds
    And a read_uncommitted consumer of "orders" receives exactly 25 messages within 10 seconds

  @MSG-04 @BEYOND-01
  Scenario: A zombie is fenced by its successor
    Given a Kafka broker
    And a topic "orders" with 1 partition
    And 20 messages are published to "orders" in an open transaction
    When another producer with the same transactional ID commits 5 messages
    Then the first producer cannot commit its transaction any more
    And no message of the transaction is ever received as committed
    And a read_committed consumer of "orders" receives exactly 5 messages within 10 seconds
    And a read_uncommitted consumer of "orders" receives exactly 25 messages within 10 seconds

  @MSG-04 @BEYOND-01
  Scenario: A transaction that hangs open holds up readers of committed messages until its timeout
    Given a Kafka broker
    And a topic "orders" with 1 partition
    And 20 messages are published to "orders" in an open transaction with a timeout of 12 seconds
    When the producer of the transaction does nothing more
    And 10 messages are published to "orders"
    Then a read_committed consumer of "orders" receives exactly 0 messages within 10 seconds
    And a read_uncommitted consumer of "orders" receives exactly 30 messages within 10 seconds
    And a read_committed consumer of "orders" receives exactly 10 messages within 40 seconds
    And no message of the transaction is ever received as committed
