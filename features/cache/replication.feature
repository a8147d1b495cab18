@cache
Feature: Replicas of Redis have what is written
  What is written to the primary is read on its replicas soon after, and a replica
  that was away has everything again when it is back. Whoever wants to be sure
  waits until a replica has it: then nothing is acknowledged that only the primary has.

  @HA-03 @critical
  Scenario: What is written is read on both replicas
    Given a Redis primary with 2 replicas
    When 500 keys are set
    Then each replica holds exactly these keys within 10 seconds

  @HA-03
  Scenario: Replicas of Redis refuse to be written to
    Given a Redis primary with 2 replicas
    Then each replica of Redis refuses to be written to

  @HA-03
  Scenario Outline: A replica of Redis that <away> for a while has everything again
    Given a Redis primary with 2 replicas
    When 100 keys are set
    And replica 2 of Redis <away>
    And 100 keys are set
    And replica 2 of Redis recovers
    And 100 keys are set
    Then each replica holds exactly these keys within 30 seconds

    Examples:
      | away        |
      | has crashed |
      | is paused   |

    @nightly
    Examples: more
      | away                      |
      | is stopped                |
      | is cut off from its peers |

  @HA-03
  Scenario: A replica of Redis that stalls is noticed
    Given a Redis primary with 2 replicas
    When replica 1 of Redis is paused
    And 10 keys of 200 kilobytes are set
    Then the primary of Redis has replica 1 at least 1 MB and 2 seconds behind within 10 seconds
    And the primary of Redis has replica 2 less than 2 seconds behind within 10 seconds

  @HA-03
  Scenario: Nothing is acknowledged that only the primary has
    Given a Redis primary with 2 replicas, 1 of which each write waits for
    When 100 keys are set
    And replica 1 of Redis is paused
    And 100 keys are set
    And replica 2 of Redis is paused
    Then no write to Redis is acknowledged
    When replica 1 of Redis recovers
    And replica 2 of Redis recovers
    Then each replica holds exactly these keys within 10 seconds

  @HA-03 @performance
  Scenario: A key is read in another region within a second
    Given a Redis primary with 2 replicas in a region 150 milliseconds away
    When 20 keys are set, each as soon as every replica shows the one before
    Then the longest replication latency is at most 1 second in the best of 3 rounds
    And no replica shows a key earlier than 150 milliseconds after its write began
