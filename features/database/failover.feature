@database @timeout:300
Feature: Patroni has a replica of PostgreSQL take over
  Patroni keeps in etcd who is the primary, for 20 seconds at a time. When the
  primary falls silent, a replica is promoted, and clients that name all nodes
  find it. The old primary comes back as a replica. What only it had is lost,
  unless commits wait for a replica.

  @DB-02 @critical
  Scenario: Commits that waited for a replica survive the primary
    Given a PostgreSQL cluster of 2 nodes with Patroni, where commits wait for 1 replica
    When rows are inserted while the primary is stopped, until another node has taken over
    Then nothing acknowledged is lost
    And writes were acknowledged again at most 30 seconds after the fault

  @DB-02 @critical @nightly
  Scenario Outline: Commits that waited for a replica survive when the primary <fault>
    Given a PostgreSQL cluster of 2 nodes with Patroni, where commits wait for 1 replica
    When rows are inserted while the primary <fault>, until another node has taken over
    Then nothing acknowledged is lost
    And writes were acknowledged again at most 30 seconds after the fault

    Examples:
      | fault       |
      | has crashed |
      | is paused   |

  @DB-02 @nightly
  Scenario Outline: Clients follow when the primary <fault>
    Given a PostgreSQL cluster of 2 nodes with Patroni
    When rows are inserted while the primary <fault>, until another node has taken over
    Then nothing acknowledged is lost but what came at most 1 second before the outage
    And writes were acknowledged again at most 30 seconds after the fault

    Examples:
      | fault       |
      | has crashed |
      | is stopped  |
      | is paused   |

  @DB-02 @nightly
  Scenario: What a primary acknowledges when it is cut off is lost
    Given a PostgreSQL cluster of 2 nodes with Patroni
    When 100 rows are committed
    And the primary of PostgreSQL is cut off from its peers
    And a client goes on committing rows there until another node is the primary, and for a while
    And 100 rows are committed
    And all nodes of PostgreSQL recover
    Then nothing was acknowledged there once another node was the primary
    And some of the acknowledged rows are lost

  @DB-02 @nightly
  Scenario Outline: Nothing acknowledged is lost that waited for a replica when the primary <fault>
    Given a PostgreSQL cluster of 2 nodes with Patroni, where commits wait for 1 replica
    When 100 rows are committed
    And the primary of PostgreSQL <fault>
    And a client goes on committing rows there until another node is the primary, and for a while
    And 100 rows are committed
    And all nodes of PostgreSQL recover
    Then nothing was acknowledged there once another node was the primary
    And all acknowledged rows are there

    Examples:
      | fault                     |
      | is cut off from its peers |

  # No watchdog ends a server whose Patroni is dead: it stays a primary beside the one that was
  # promoted, and clients that know of it alone write to it. Where commits wait for a replica, those
  # clients wait for ever.
  @DB-02 @nightly
  Scenario: There are two primaries when the agent of one has died
    Given a PostgreSQL cluster of 2 nodes with Patroni
    When 100 rows are committed
    And the primary of PostgreSQL loses its agent
    And a client goes on committing rows there until another node is the primary, and for a while
    And 100 rows are committed
    And all nodes of PostgreSQL recover
    Then rows were acknowledged there although another node was the primary
    And some of the acknowledged rows are lost
