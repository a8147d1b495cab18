@queues @SINK-06
Feature: A dead letter tells all that has befallen it
  What is rejected, expires, finds no room or comes back too often goes to the dead-letter
  exchange, and its header x-death tells each of its deaths: where, why, how often.

  Background:
    Given a RabbitMQ broker

  Scenario: A dead letter tells where and why it died, and how it had come there
    Given the queue "orders" with the dead-letter queue "orders.dead"
    And 5 messages were published to the queue "orders"
    And consumer "A" consumes the queue "orders"
    When consumer "A" rejects 5 messages
    Then within 5 seconds the queue "orders.dead" receives the 5 dead letters of the queue "orders"
    And each dead letter of the queue "orders" tells these deaths
      | queue  | reason   | exchange | routing keys | count |
      | orders | rejected |          | orders       | 1     |

  Scenario: A message that waits before it is tried again tells every attempt
    Given a queue "orders.wait"
      | argument                | value  |
      | message-ttl             | 200    |
      | dead-letter-exchange    |        |
      | dead-letter-routing-key | orders |
    And a direct exchange "retries"
    And the exchange "retries" routes "later" to the queue "orders.wait"
    And a queue "orders"
      | argument                | value   |
      | dead-letter-exchange    | retries |
      | dead-letter-routing-key | later   |
    And 5 messages were published to the queue "orders"
    And consumer "A" consumes the queue "orders"
    When consumer "A" rejects 5 messages
    And consumer "A" rejects 5 messages
    And consumer "A" receives 5 messages
    Then the last 5 messages of consumer "A" tell these deaths
      | queue       | reason   | exchange | routing keys | count |
      | orders.wait | expired  | retries  | later        | 2     |
      | orders      | rejected |          | orders       | 2     |

  Scenario: A message that comes back too often is a dead letter
    Given the queue "orders" with the dead-letter queue "orders.dead"
      | argument       | value  |
      | queue-type     | quorum |
      | delivery-limit | 2      |
    And 5 messages were published to the queue "orders"
    And consumer "A" consumes the queue "orders"
    When consumer "A" requeues 5 messages
    And consumer "A" requeues 5 messages
    And consumer "A" requeues 5 messages
    Then within 10 seconds the queue "orders.dead" receives the 5 dead letters of the queue "orders"
    And each dead letter of the queue "orders" tells these deaths
      | queue  | reason         | exchange | routing keys | count |
      | orders | delivery_limit |          | orders       | 1     |

  Scenario: Messages that expire in a circle are dropped
    Given a queue "circle"
      | argument                | value  |
      | message-ttl             | 200    |
      | dead-letter-exchange    |        |
      | dead-letter-routing-key | circle |
    When 10 messages are published to the queue "circle"
    Then the messages that expired in the queue "circle" are dropped

  # RabbitMQ tries again after three minutes; brokers that the suite has started after two seconds.
  @timeout:300
  Scenario: No dead letter is lost when its queue is full for a while
    Given a queue "orders.dead"
      | argument   | value          |
      | max-length | 5              |
      | overflow   | reject-publish |
    And a fanout exchange "orders.dlx"
    And the exchange "orders.dlx" routes everything to the queue "orders.dead"
    And a queue "orders"
      | argument             | value          |
      | queue-type           | quorum         |
      | overflow             | reject-publish |
      | dead-letter-strategy | at-least-once  |
      | dead-letter-exchange | orders.dlx     |
    And 10 messages were published to the queue "orders"
    And consumer "A" consumes the queue "orders"
    When consumer "A" rejects 10 messages
    Then within 200 seconds the queue "orders.dead" receives the 10 dead letters of the queue "orders"
    And each dead letter of the queue "orders" has the reason "rejected"
