@queues
Feature: What a queue hands out
  A message comes out of a queue with the content and the headers that it was
  published with, once, in order.

  @SINK-06
  Scenario: A queue hands out each message as it was published
    Given a RabbitMQ broker
    And a queue "invoices"
    And "invoice-id" stands for "{any UUID}"
    When this message is published to "invoices" with key "first"
      """json
      {"invoice": "{invoice-id}", "paid": false}
      """
      | header | is    |
      | origin | tests |
    And this message is published to "invoices"
      """
      second
      """
    Then "invoices" receives within 10 seconds a message where
      | field         | is           |
      | key           | first        |
      | header origin | tests        |
      | $.invoice     | {invoice-id} |
      | $.paid        | false        |
    And within 10 seconds the queue "invoices" holds exactly these messages, in order
      | body                                       |
      | {"invoice": "{invoice-id}", "paid": false} |
      | second                                     |
    And "invoices" receives no such message for 1 second
      | field  | is   |
      | $.paid | true |
