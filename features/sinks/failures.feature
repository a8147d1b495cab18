@sinks
Feature: A sink bears the failures of its server
  A server that is down, slow or cut off must neither hold up a program nor cost it an event: a sink
  keeps events meanwhile, leaves a server alone that fails, and delivers when it is back.

  Scenario Outline: The circuit of the <sink> opens, lets one try through at a time, and closes
    Given <server>
    And the <sink> was started with a circuit that opens after 3 failures for 1 second
    And 10 events were handed to the <sink>
    And the <sink> was flushed
    When the network between the <sink> and its server is cut
    And 20 events are handed to the <sink>
    Then the <sink> leaves its server alone, but for one try every 1 second
    When the network between the <sink> and its server is mended
    Then within 10 seconds every event of the <sink> has arrived once, unchanged and in order

    @SINK-02 @critical
    Examples: Redis
      | sink       | server         |
      | redis-sink | a Redis server |

    @SINK-08 @critical
    Examples: RabbitMQ
      | sink          | server            |
      | rabbitmq-sink | a RabbitMQ broker |

  @timeout:180
  Scenario Outline: The circuit of the <sink> opens and closes when its server <fault>
    Given the <sink> was started with a circuit that opens after 3 failures for 1 second
    And 10 events were handed to the <sink>
    And the <sink> was flushed
    When the server behind the <sink> <fault>
    And 20 events are handed to the <sink>
    Then the <sink> leaves its server alone, but for one try every 1 second
    When the server behind the <sink> recovers
    Then within 30 seconds every event of the <sink> has arrived once, unchanged and in order

    @SINK-02
    Examples: Redis
      | sink       | fault   |
      | redis-sink | crashes |

    @SINK-08 @nightly
    Examples: RabbitMQ
      | sink          | fault     |
      | rabbitmq-sink | is paused |

  @timeout:180
  Scenario Outline: Nothing is lost when the server of the <sink> <fault> amid events
    Given the <sink> was started
    When events are handed to the <sink> before, while and after its server <fault>
    Then within 30 seconds every event of the <sink> has arrived once, unchanged and in order

    @SINK-07 @critical
    Examples: Redis
      | sink       | fault     |
      | redis-sink | is paused |

    @SINK-07 @nightly
    Examples: Redis, further
      | sink       | fault                                     |
      | redis-sink | crashes                                   |
      | redis-sink | is stopped                                |
      | redis-sink | is cut off from its clients               |
      | redis-sink | answers its clients 300 milliseconds late |
      | redis-sink | resets its clients' connections           |

    @SINK-07 @nightly
    Examples: RabbitMQ
      | sink          | fault                                     |
      | rabbitmq-sink | is stopped                                |
      | rabbitmq-sink | is paused                                 |
      | rabbitmq-sink | is cut off from its clients               |
      | rabbitmq-sink | answers its clients 300 milliseconds late |
