@cache @timeout:240
Feature: Sentinels have a replica of Redis take over
  When the primary falls silent, the Sentinels agree on a replica, and clients that
  ask them follow. Replicas are asynchronous: what only the old primary has is lost,
  unless clients wait for a replica.

  @HA-02 @critical
  Scenario: Writes that waited for a replica survive the primary
    Given a Redis primary with 2 replicas and 3 Sentinels, 1 of which each write waits for
    When keys are set while the primary has crashed, until another node has taken over
    Then nothing acknowledged is lost
    And writes were acknowledged again at most 30 seconds after the fault

  @HA-02 @nightly
  Scenario Outline: Clients follow when the primary <fault>
    Given a Redis primary with 2 replicas and 3 Sentinels
    When keys are set while the primary <fault>, until another node has taken over
    Then nothing acknowledged is lost but what came at most 1 second before the outage
    And writes were acknowledged again at most 30 seconds after the fault

    Examples:
      | fault       |
      | has crashed |
      | is stopped  |
      | is paused   |

  @HA-02 @nightly
  Scenario Outline: Clients are served while <node> <fault>
    Given a Redis primary with 2 replicas and 3 Sentinels
    When keys are set while <node> <fault>
    Then nothing acknowledged is lost
    And writes were acknowledged again at most 10 seconds after the fault

    Examples:
      | node       | fault                     |
      | sentinel 1 | has crashed               |
      | sentinel 1 | is cut off from its peers |

  @HA-02 @nightly
  Scenario: What a primary acknowledges when it is cut off is lost
    Given a Redis primary with 2 replicas and 3 Sentinels
    When 100 keys are set
    And the primary of Redis is cut off from its peers
    And a client goes on setting keys there until another node is the primary, and for a while
    And 100 keys are set
    And all nodes of Redis recover
    Then some of the acknowledged keys are lost

  @HA-02 @nightly
  Scenario: A primary that is cut off acknowledges nothing that needs a replica
    Given a Redis primary with 2 replicas and 3 Sentinels, 1 of which each write waits for
    When 100 keys are set
    And the primary of Redis is cut off from its peers
    And a client goes on setting keys there until another node is the primary, and for a while
    And 100 keys are set
    And all nodes of Redis recover
    Then all acknowledged keys are there
