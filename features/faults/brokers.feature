@faults @timeout:180
Feature: A broken broker costs no message
  Of three brokers one may break, in whatever way: the others go on, nothing that was
  acknowledged is lost, and the broken one comes back.

  Background:
    Given a Kafka cluster of 3 brokers
    And a topic "orders" with 3 partitions

  @FAIL-01 @BEYOND-02
  Scenario Outline: Acknowledged messages survive while a broker <fault>
    Given an idempotent producer publishes to "orders" in the background
    When broker 2 <fault>
    And 200 more messages are acknowledged within 30 seconds
    And broker 2 recovers
    And 100 more messages are acknowledged within 30 seconds
    Then every message has been acknowledged within 60 seconds
    And "orders" holds exactly the acknowledged messages, in order

    Examples: on every pull request
      | fault       |
      | has crashed |
      | is paused   |

    @nightly
    Examples: its process and its connections
      | fault                                     |
      | is stopped                                |
      | is cut off from its clients               |
      | is cut off from the other brokers         |
      | cannot send to the other brokers          |
      | answers its clients 300 milliseconds late |
      | has 50 kilobytes a second for its clients |
      | resets its clients' connections           |

    @nightly
    Examples: its disk
      | fault           |
      | has a full disk |
      | has lost power  |

  @FAIL-01 @BEYOND-02 @nightly
  Scenario: Acknowledged messages survive a rolling restart
    Given an idempotent producer publishes to "orders" in the background
    And a consumer of group "readers" reads "orders" in the background
    When all brokers are restarted, one after the other
    And 100 more messages are acknowledged within 30 seconds
    Then every message has been acknowledged within 60 seconds
    And "orders" holds exactly the acknowledged messages, in order
    And group "readers" has received every acknowledged message within 60 seconds

  @FAIL-01 @BEYOND-02
  Scenario: A broker that has crashed and come back serves again
    When broker 2 has crashed
    And broker 2 recovers
    And 500 messages are published to "orders"
    Then "orders" holds exactly the acknowledged messages, in order
