@messaging @nightly @timeout:240
Feature: Another region takes over
  What is published in one region is mirrored to another one, far away; whoever has read here
  goes on there when this region is lost.

  Background:
    Given two regions with 60 milliseconds between them
    And a topic "orders" whose first 100 messages are deleted, mirrored for group "billing"

  @MSG-03 @performance
  Scenario: What is published here is there as well
    When 500 messages are published in the first region
    Then the other region holds each of them once, unchanged and in order
    And half of them arrive there within 3 seconds in the best of 3 rounds

  @MSG-03
  Scenario: A consumer goes on where it was when its region is lost
    When 300 messages are published in the first region
    And a consumer of group "billing" handles 300 messages in the first region
    And the offset of "billing" is known in the other region within 30 seconds
    And 200 more messages are published in the first region and mirrored
    And the first region is lost and the consumer of "billing" moves to the other one
    Then the consumer has missed nothing and received at most 100 messages twice
