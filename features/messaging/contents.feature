@messaging
Feature: What a message carries
  A message comes out of a topic with the content, the key and the headers
  that it was published with, once, and in the order of its partition.

  Background:
    Given a Kafka broker

  @CORE-01
  Scenario: A message is received as it was published
    Given a topic "orders" with 3 partitions
    When this message is published to "orders" with key "{any UUID as order-id}"
      """json
      {"id": "{order-id}", "amount": 12.50, "items": [{"sku": "a-1", "count": 2}]}
      """
      | header | is               |
      | trace  | trace-{order-id} |
    Then "orders" receives within 10 seconds a message where
      | field                            | is               |
      | key                              | {order-id}       |
      | header trace                     | trace-{order-id} |
      | $.id                             | {order-id}       |
      | $.amount                         | 12.5             |
      | $.items[?(@.sku == "a-1")].count | 2                |
    And "orders" receives no other such message for 1 second
    And "orders" receives no such message for 1 second
      | field | is        |
      | $.id  | {missing} |

  @CORE-01
  Scenario: A topic holds what was published, in the order of each key
    Given a topic "orders" with 3 partitions
    When this message is published to "orders" with key "first"
      """json
      {"step": 1, "total": 12345678901234567890}
      """
    And this message is published to "orders" with key "second"
      """
      no JSON: "quoted", {{braces}} and ümlauts
      """
    And this message is published to "orders" with key "first"
      """json
      {"step": 2, "total": 0.1}
      """
    Then within 10 seconds "orders" holds exactly these messages, in order
      | key    | body                                       |
      | first  | {"step": 1, "total": 12345678901234567890} |
      | second | no JSON: "quoted", {{braces}} and ümlauts  |
      | first  | {"step": 2, "total": 0.1}                  |
    And for 1 second "orders" holds exactly these messages, in any order
      | key    | body                      |
      | first  | {"step": 2, "total": 0.1} |
      | first  | {/.*"step": 1.*/}         |
      | second | {any text}                |

  @CORE-01
  Scenario: A file is published byte for byte, and a tombstone has no content
    Given a topic "orders" with 1 partition
    When the file "contents/order.json" is published to "orders"
    And a message without content is published to "orders" with key "first"
    Then within 10 seconds "orders" holds exactly these messages, in order
      | key       | body                       |
      | {missing} | {file contents/order.json} |
      | first     | {missing}                  |
    And "orders" receives within 10 seconds a message where
      | field   | is                          |
      | $.id    | A-1                         |
      | $.total | 19.90                       |
      | $.at    | {time 2026-01-31T12:00:00Z} |

  @CORE-01
  Scenario: What is received later is told from what was there before
    Given a topic "orders" with 3 partitions
    When this message is published to "orders" with key "{any UUID as first}"
      """
      {"step": 1}
      """
    And the messages that "orders" has received so far are ignored
    And this message is published to "orders" with key "{any UUID as second}"
      """
      {"step": {any number as step}}
      """
    Then within 10 seconds "orders" holds exactly these messages, in order
      | key      | $.step |
      | {second} | {step} |
