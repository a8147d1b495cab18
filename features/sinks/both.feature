@sinks
Feature: The same events go to Redis and to RabbitMQ
  A program that hands its events to two sinks finds the same ones on both sides, whatever one of
  the two servers goes through.

  Background:
    Given a Redis server
    And a RabbitMQ broker

  @SINK-09 @critical
  Scenario: The same events arrive on both sides
    Given the redis-sink was started
    And the rabbitmq-sink was started
    When the same 100 events are handed to the redis-sink and the rabbitmq-sink
    Then within 10 seconds every event of the redis-sink has arrived once, unchanged and in order
    And within 10 seconds every event of the rabbitmq-sink has arrived once, unchanged and in order
    And the same events have arrived from the redis-sink and the rabbitmq-sink

  @SINK-09
  Scenario: One side is down for a while, and has the same events in the end
    Given the redis-sink was started
    And the rabbitmq-sink was started
    When the same 20 events are handed to the redis-sink and the rabbitmq-sink
    And the network between the rabbitmq-sink and its server is cut
    And the same 40 events are handed to the redis-sink and the rabbitmq-sink
    Then within 10 seconds every event of the redis-sink has arrived once, unchanged and in order
    When the network between the rabbitmq-sink and its server is mended
    Then within 20 seconds every event of the rabbitmq-sink has arrived once, unchanged and in order
    And the same events have arrived from the redis-sink and the rabbitmq-sink
