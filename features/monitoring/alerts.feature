@monitoring @timeout:120
Feature: Alerts fire for what is wrong, and for nothing else
  An alert fires at its threshold for the series that has reached it, stays quiet below,
  and ends when all is well. Whoever is on call gets a mail.

  @MON-04 @MAIL-01 @critical
  Scenario: An alert fires above its threshold, is mailed, and ends
    Given a Prometheus that evaluates the rules of "rules/queues.yml"
    And Prometheus sends its alerts to an Alertmanager with the routes of "rules/routes.yml"
    And a Pushgateway that Prometheus scrapes
    When the batch job "shop" pushes these metrics
      | metric       | type  | labels         | value |
      | queue_length | gauge | queue="orders" | 101   |
      | queue_length | gauge | queue="mails"  | 100   |
    Then within 15 seconds the alert "QueueTooLong" fires for exactly these series
      | labels                                      |
      | job="shop", queue="orders", severity="page" |
    And the mailbox "oncall@example.com" receives within 15 seconds a message where
      | field     | is                                            |
      | $.subject | firing: 1 of QueueTooLong                     |
      | $.text    | firing: orders has 101 entries, more than 100 |
    When the batch job "shop" pushes these metrics
      | metric       | type  | labels         | value |
      | queue_length | gauge | queue="orders" | 100   |
      | queue_length | gauge | queue="mails"  | 99    |
    Then within 15 seconds the alert "QueueTooLong" does not fire
    And the mailbox "oncall@example.com" receives within 15 seconds a message where
      | field     | is                          |
      | $.subject | resolved: 1 of QueueTooLong |
