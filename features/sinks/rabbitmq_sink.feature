@sinks
Feature: A sink publishes events to an exchange of RabbitMQ
  Whoever hands an event to a sink forgets it. It counts as delivered when the broker has confirmed
  it: from then on the broker keeps it, whatever happens.

  Background:
    Given a RabbitMQ broker

  @SINK-06 @critical
  Scenario: Events arrive by exchange and routing key: once, unchanged, in order, as persistent ones
    Given the rabbitmq-sink was started
    When 200 events are handed to the rabbitmq-sink
    Then within 10 seconds every event of the rabbitmq-sink has arrived once, unchanged and in order
    And every message of the rabbitmq-sink is persistent

  @SINK-06
  Scenario: Events that a consumer rejects are dead-lettered
    Given the rabbitmq-sink was started
    When 30 events are handed to the rabbitmq-sink
    Then within 10 seconds events of the rabbitmq-sink that a consumer rejects are dead-lettered, each once and unchanged

  @SINK-06
  Scenario: An event that no queue takes is kept until one does
    Given the rabbitmq-sink was started
    And 10 events were handed to the rabbitmq-sink
    And the rabbitmq-sink was flushed
    When no queue takes what the rabbitmq-sink publishes
    And 10 events are handed to the rabbitmq-sink
    And the rabbitmq-sink has tried to deliver them
    And a queue takes what the rabbitmq-sink publishes
    Then within 10 seconds every event of the rabbitmq-sink has arrived once, unchanged and in order

  @SINK-07
  Scenario: Stopping the rabbitmq-sink delivers every event, and leaves nothing behind
    Given the rabbitmq-sink was started
    When the network between the rabbitmq-sink and its server is cut
    And 50 events are handed to the rabbitmq-sink
    And the network between the rabbitmq-sink and its server is mended
    And the rabbitmq-sink is stopped
    Then every event of the rabbitmq-sink is there by then, once, unchanged and in order
    And the rabbitmq-sink has left neither a thread nor a connection within 10 seconds

  @SINK-07 @nightly
  Scenario: A sink that has nothing to do keeps its connection
    Given the rabbitmq-sink was started
    And 10 events were handed to the rabbitmq-sink
    And the rabbitmq-sink was flushed
    When nothing is handed to the rabbitmq-sink for 10 seconds
    And 10 events are handed to the rabbitmq-sink
    Then within 10 seconds every event of the rabbitmq-sink has arrived once, unchanged and in order
    And the rabbitmq-sink has connected to its server once

  @SINK-06
  Scenario Outline: A URL that cannot be meant is refused
    Then the rabbitmq-sink refuses the URL "<url>" and says "<told>"

    Examples:
      | url                                | told   |
      | https://user:secret@localhost:5672 | scheme |

    @nightly
    Examples: further
      | url                                   | told         |
      | amqp://                               | host         |
      | amqp://user:secret@localhost:70000    | port         |
      | amqp://user:secret@localhost:5672/a/b | virtual host |

  @SINK-06 @nightly @timeout:120
  Scenario Outline: Events that were flushed survive when the broker <ends>
    Given the rabbitmq-sink was started
    # RabbitMQ confirms a queue seconds before it is on the disk; a stop writes it down.
    And the RabbitMQ broker was restarted
    And 100 events were handed to the rabbitmq-sink
    And the rabbitmq-sink was flushed
    When the RabbitMQ broker <ends> and is started again
    Then within 30 seconds every event of the rabbitmq-sink has arrived once, unchanged and in order

    Examples:
      | ends       |
      | is stopped |
      | crashes    |

  @SINK-07 @nightly @timeout:240
  Scenario: Nothing is lost when the broker crashes amid events
    Given the rabbitmq-sink was started
    And 10 events were handed to the rabbitmq-sink
    And the rabbitmq-sink was flushed
    And the RabbitMQ broker was restarted
    When events are handed to the rabbitmq-sink before, while and after its server crashes
    Then within 60 seconds every event of the rabbitmq-sink has arrived once, unchanged and in order

  @SINK-08 @nightly @timeout:240
  Scenario: The circuit opens and closes when the broker crashes
    Given the rabbitmq-sink was started with a circuit that opens after 3 failures for 1 second
    And 10 events were handed to the rabbitmq-sink
    And the rabbitmq-sink was flushed
    And the RabbitMQ broker was restarted
    When the server behind the rabbitmq-sink crashes
    And 20 events are handed to the rabbitmq-sink
    Then the rabbitmq-sink leaves its server alone, but for one try every 1 second
    When the server behind the rabbitmq-sink recovers
    Then within 60 seconds every event of the rabbitmq-sink has arrived once, unchanged and in order
