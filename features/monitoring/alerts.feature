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

  @MON-04
  Scenario: What stays below its threshold is quiet
    Given a Prometheus that evaluates the rules of "rules/queues.yml"
    And a Pushgateway that Prometheus scrapes
    When the batch job "shop" pushes these metrics
      | metric       | type  | labels         | value |
      | queue_length | gauge | queue="orders" | 100   |
      | queue_length | gauge | queue="mails"  | 99.9  |
    Then within 15 seconds these queries answer
      | query                        | is    |
      | queue:length:sum{job="shop"} | 199.9 |
    And for 3 seconds the alert "QueueTooLong" does not fire
    And for 1 second the alert "AllTooMuch" does not fire

  @MON-04 @nightly
  Scenario: A recording rule's series can be alerted on
    Given a Prometheus that evaluates the rules of "rules/queues.yml"
    And a Pushgateway that Prometheus scrapes
    When the batch job "shop" pushes these metrics
      | metric       | type  | labels         | value |
      | queue_length | gauge | queue="orders" | 951   |
      | queue_length | gauge | queue="mails"  | 50    |
    Then within 15 seconds the alert "AllTooMuch" fires for exactly these series
      | labels     |
      | job="shop" |

  @MON-04 @MAIL-01 @nightly
  Scenario: Alerts of a group come in one mail
    Given a Prometheus that evaluates the rules of "rules/queues.yml"
    And Prometheus sends its alerts to an Alertmanager with the routes of "rules/routes.yml"
    And a Pushgateway that Prometheus scrapes
    When the batch job "shop" pushes these metrics
      | metric       | type  | labels          | value |
      | queue_length | gauge | queue="orders"  | 101   |
      | queue_length | gauge | queue="mails"   | 102   |
      | queue_length | gauge | queue="reports" | 103   |
    Then the mailbox "oncall@example.com" receives within 30 seconds a message where
      | field     | is                        |
      | $.subject | firing: 3 of QueueTooLong |
    And the mailbox "oncall@example.com" receives no other such message for 2 seconds

  @MON-04 @MAIL-01 @nightly
  Scenario: A silenced alert fires, and nobody is told until the silence ends
    Given a Prometheus that evaluates the rules of "rules/queues.yml"
    And Prometheus sends its alerts to an Alertmanager with the routes of "rules/routes.yml"
    And a Pushgateway that Prometheus scrapes
    When alerts with the labels "queue="orders"" are silenced
    And the batch job "shop" pushes these metrics
      | metric       | type  | labels         | value |
      | queue_length | gauge | queue="orders" | 101   |
    Then within 15 seconds the alert "QueueTooLong" fires for exactly these series
      | labels                                      |
      | job="shop", queue="orders", severity="page" |
    And the mailbox "oncall@example.com" receives no such message for 4 seconds
      | field     | is                        |
      | $.subject | firing: 1 of QueueTooLong |
    When the silence ends
    Then the mailbox "oncall@example.com" receives within 15 seconds a message where
      | field     | is                        |
      | $.subject | firing: 1 of QueueTooLong |

  @MON-01 @MON-04 @MAIL-01
  Scenario: A program that has crashed is noticed, and a mail says so
    Given a Kafka broker
    And a Prometheus that evaluates the rules of "rules/targets.yml"
    And Prometheus sends its alerts to an Alertmanager with the routes of "rules/routes.yml"
    And the churn pipeline is running
    And Prometheus scrapes the churn pipeline as the job "pipeline"
    When the churn pipeline crashes
    Then within 10 seconds these queries answer
      | query              | is |
      | up{job="pipeline"} | 0  |
    And the mailbox "everybody@example.com" receives within 15 seconds a message where
      | field     | is                           |
      | $.subject | {/.*FIRING:1.*TargetDown.*/} |
