@messaging @nightly @timeout:240
Feature: Another region takes over
  What is published in one region is mirrored to another one, far away; whoever has read here
  goes on there when this region is lost.

  Background:
    Given two regions with 60 milliseconds between them
    And a topic "orders" in the first region, whose first 100 messages have been deleted
    And MirrorMaker copies the topic and the offsets of group "billing" to the second region

  @MSG-03 @performance
  Scenario: What is published here is there as well
    When 500 messages are published in the first region and arrive in the second
    Then the second region holds exactly the messages of the first, in order
    And the median replication latency is at most 3 seconds in the best of 3 rounds

  @MSG-03
  Scenario: A consumer goes on where it was when its region is lost
    When 300 messages are published in the first region and arrive in the second
    And a consumer of group "billing" receives 300 messages in the first region and closes
    And the second region has the offset of group "billing" within 30 seconds
    And 200 messages are published in the first region and arrive in the second
    And all brokers of the first region crash
    And another consumer of group "billing" receives the rest in the second region
    Then group "billing" has received every message, and at most 100 of them twice
