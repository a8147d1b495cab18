@cache
Feature: Messages by Redis
  A channel hands a message to whoever listens at that moment. A stream keeps its entries:
  a group shares them out, and what a consumer has not finished goes to another one.

  Rule: Channels

    @CACHE-03 @critical
    Scenario: Subscribers are handed what is published to their channels
      Given a Redis server
      And "anna" subscribes to the channel "orders.new"
      And "bert" subscribes to the channels "orders.*"
      When 100 messages are published to the channel "orders.new"
      And 100 messages are published to the channel "orders.paid"
      And 100 messages are published to the channel "customers"
      Then "anna" receives what was published since it subscribed within 5 seconds, once and in order
      And "bert" receives what was published since it subscribed within 5 seconds, once and in order

    @CACHE-03
    Scenario: A late subscriber is handed nothing from before
      Given a Redis server
      And "anna" subscribes to the channel "orders"
      When 50 messages are published to the channel "orders"
      And "late" subscribes to the channel "orders"
      And 50 messages are published to the channel "orders"
      Then "late" receives what was published since it subscribed within 5 seconds, once and in order
      And "anna" receives what was published since it subscribed within 5 seconds, once and in order

    @CACHE-03
    Scenario: A subscriber that stalls is disconnected, and hinders nobody
      Given a Redis server that disconnects subscribers who are 1 MB behind
      And "anna" subscribes to the channel "orders"
      And "stalled" subscribes to the channel "orders" and reads nothing
      When messages of 100 kilobytes are published to the channel "orders" until a subscriber is disconnected
      And 50 messages are published to the channel "orders"
      Then "anna" receives what was published since it subscribed within 10 seconds, once and in order
      And "stalled" finds its connection closed within 10 seconds

    @CACHE-03 @performance
    Scenario: A message is delivered within 10 milliseconds
      Given a Redis server
      And "anna" subscribes to the channel "orders"
      When 200 messages are published to the channel "orders", each when the one before was received
      Then the median delivery latency is at most 10 milliseconds in the best of 3 rounds

  Rule: Streams

    @CACHE-04 @critical
    Scenario: The consumers of a group share the entries
      Given a Redis server
      And the stream "orders" with the group "billing"
      When 300 entries are added to the stream
      And 3 consumers read and acknowledge the stream
      Then each entry was handed to one consumer, and is handed on only from one that died

    @CACHE-04
    Scenario: Each group is handed all entries
      Given a Redis server
      And the stream "orders" with the groups "billing" and "shipping"
      When 150 entries are added to the stream
      And 2 consumers of the group "billing" read and acknowledge the stream
      And 50 entries are added to the stream
      And 2 consumers of the group "billing" read and acknowledge the stream
      And 1 consumers of the group "shipping" read and acknowledge the stream
      Then each entry was handed to one consumer of the group "billing"
      And each entry was handed to one consumer of the group "shipping"

    @CACHE-04 @critical
    Scenario Outline: What a dead consumer has not acknowledged is <claimed> by one other
      Given a Redis server
      And the stream "orders" with the group "billing"
      When 100 entries are added to the stream
      And a consumer reads 60 entries and dies
      Then 60 entries of the stream are pending
      When 4 consumers <claim> at once what has been pending for 2 seconds
      And 2 consumers read and acknowledge the stream
      Then each entry was handed to one consumer, and is handed on only from one that died

      Examples:
        | claimed      | claim      |
        | claimed      | claim      |
        | auto-claimed | auto-claim |

    @CACHE-04
    Scenario: A trimmed stream has its latest entries
      Given a Redis server
      And the stream "orders" with the group "billing"
      When 150 entries are added to the stream
      And 2 consumers read and acknowledge the stream
      And the stream is trimmed to 100 entries
      Then the stream has its latest 100 entries, and no older ones
      When 20 entries are added to the stream, which keeps 80
      And 2 consumers read and acknowledge the stream
      Then the stream has its latest 80 entries, and no older ones

    @CACHE-04
    Scenario: A stream that is trimmed about has its latest entries, and few older ones
      Given a Redis server
      And the stream "orders" with the group "billing"
      When 450 entries are added to the stream
      And 2 consumers read and acknowledge the stream
      And the stream is trimmed to about 120 entries
      Then the stream has its latest 120 entries, and at most 100 older ones

    @CACHE-04 @performance
    Scenario: A stream takes and gives 10,000 entries a second
      Given a Redis server
      And the stream "orders" with the group "billing"
      When 20000 entries are added in pipelines, read and acknowledged
      Then the append rate is more than 10000 entries a second in the best of 3 rounds
      And the read rate is more than 10000 entries a second in the best of 3 rounds
