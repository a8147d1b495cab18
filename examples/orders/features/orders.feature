@messaging
Feature: Orders are invoiced
  Every valid order gets one invoice, in the topic and in the table. What is
  no order is rejected with the reason, and stops nobody.

  Background:
    Given a Kafka broker
    And a PostgreSQL server
    And the order pipeline is running

  Scenario: An order gets its invoice
    When this message is published to "orders" with key "Ann"
      """json
      {
        "id": "{any UUID as order-id}",
        "customer": "Ann",
        "items": [
          {"sku": "a-1", "count": 3, "price": 0.10},
          {"sku": "b-2", "count": 1, "price": 19.90}
        ]
      }
      """
      | header | is               |
      | trace  | trace-{order-id} |
    Then the topic "invoices" receives within 10 seconds a message where
      | field        | is                       |
      | key          | Ann                      |
      | header trace | trace-{order-id}         |
      | $.invoice    | {any UUID as invoice-id} |
      | $.order      | {order-id}               |
      | $.customer   | Ann                      |
      | $.total      | 20.20                    |
      | $.issued     | {any time as issued}     |
    And within 5 seconds the table "invoices" has exactly these rows, matched by "order"
      | order      | invoice      | customer | total | issued        |
      | {order-id} | {invoice-id} | Ann      | 20.2  | {time issued} |

  Scenario: An order that comes twice gets one invoice
    When a valid order is published to "orders" with key "first"
      | field      | is                     |
      | $.id       | {any UUID as order-id} |
      | $.customer | Bob                    |
    And a valid order is published to "orders" with key "first"
      | field      | is         |
      | $.id       | {order-id} |
      | $.customer | Bob        |
    Then the topic "invoices" receives within 10 seconds a message where
      | field      | is         |
      | $.order    | {order-id} |
      | $.customer | Bob        |
    And the topic "invoices" receives no other such message for 2 seconds
    And for 1 second the table "invoices" has exactly these rows, matched by "order"
      | order      | customer |
      | {order-id} | Bob      |

  Scenario Outline: <what> is rejected
    When this message is published to "orders" with key "bad"
      """
      <message>
      """
    And a valid order is published to "orders" with key "bad"
      | field | is                    |
      | $.id  | {any UUID as good-id} |
    Then within 10 seconds "rejected" holds exactly these messages, in order
      | key | $.error | $.reason | $.original | $.encoding | $.at       |
      | bad | <error> | {/.+/}   | <message>  | utf-8      | {any time} |
    And the topic "invoices" receives within 10 seconds a message where
      | field   | is        |
      | $.order | {good-id} |
    And the topic "invoices" receives no such message for 1 second
      | field   | is                |
      | $.order | {one of 7, seven} |

    Examples:
      | what            | message      | error        |
      | What is no JSON | order no. 7  | invalid_json |
      | NaN             | {"total":NaN | invalid_json |

  Scenario: An order whose count is wrong is rejected as it came
    When the file "orders/without_count.json" is published to "orders"
    And a message without content is published to "orders" with key "empty"
    Then within 10 seconds "rejected" holds exactly these messages, in any order
      | key       | $.error       | $.original                        | $.topic |
      | {missing} | invalid_order | {text of orders/without_count.json}  | {/.*orders/} |
      | empty     | no_order      | null                              | {/.*orders/} |
    And for 1 second "invoices" holds exactly these messages, in any order
      | $.order |
