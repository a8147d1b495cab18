@sinks
Feature: A sink whose server is missing says so
  Events that go nowhere must not go unnoticed: whoever asks is told.

  @SINK-11 @critical
  Scenario Outline: The <sink> finds nobody, takes events, and says that they are not delivered
    Given <server>
    And the <sink> was started where nobody listens
    When 5 events are handed to the <sink>
    Then within 30 seconds the <sink> says that 5 events are not delivered

    Examples: Redis
      | sink       | server         |
      | redis-sink | a Redis server |

    @nightly
    Examples: RabbitMQ
      | sink          | server            |
      | rabbitmq-sink | a RabbitMQ broker |
