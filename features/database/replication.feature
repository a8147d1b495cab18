@database
Feature: Replicas of PostgreSQL have what is committed
  What is committed on the primary is read on its replicas soon after. A
  synchronous replica has it before the client is told so. A replica that was
  away has everything again when it is back, and one that falls behind is
  noticed before it costs the primary its disk.

  @DB-04 @critical
  Scenario: What is committed is read on both replicas
    Given a PostgreSQL primary with 2 replicas
    When 500 rows are committed
    Then each replica holds exactly these rows within 10 seconds

  @DB-04
  Scenario: Replicas refuse to be written to
    Given a PostgreSQL primary with 2 replicas
    Then each replica refuses to be written to
    And health shows each replica less than 1 second behind within 10 seconds

  @DB-04 @critical
  Scenario Outline: A replica that <away> for a while has everything again
    Given a PostgreSQL primary with 2 replicas
    When 100 rows are committed
    And replica 2 <away>
    And 100 rows are committed
    And replica 2 recovers
    And 100 rows are committed
    Then each replica holds exactly these rows within 30 seconds

    Examples:
      | away        |
      | has crashed |
      | is stopped  |
      | is paused   |

  @DB-04 @critical
  Scenario: A commit waits while the synchronous replica is paused
    Given a PostgreSQL primary with 2 replicas, 1 of them synchronous
    When replica 1 is paused
    And transaction "order" begins at read committed
    And "order" inserts a row
    And "order" begins to commit
    Then "order" waits for a replica
    And "order" is committed once replica 1 recovers
    And each replica holds exactly these rows within 10 seconds

  @DB-04
  Scenario: A commit waits while all replicas are down
    Given a PostgreSQL primary with 2 replicas, 1 of them synchronous
    When replica 1 has crashed
    And replica 2 has crashed
    And transaction "order" begins at read committed
    And "order" inserts a row
    And "order" begins to commit
    Then "order" waits for a replica
    And "order" is committed once replica 2 recovers

  @DB-04
  Scenario: Another replica takes the place of a synchronous one that is down
    Given a PostgreSQL primary with 2 replicas, 1 of them synchronous
    When replica 1 is stopped
    And 100 rows are committed
    And replica 1 recovers
    Then each replica holds exactly these rows within 10 seconds

  @DB-04
  Scenario: A commit does not wait for asynchronous replicas
    Given a PostgreSQL primary with 2 replicas
    When replica 1 is paused
    And replica 2 has crashed
    And transaction "order" begins at read committed
    And "order" inserts a row
    And "order" begins to commit
    Then "order" is committed

  @DB-04 @performance
  Scenario: A row is read on both replicas within a second
    Given a PostgreSQL primary with 2 replicas
    When 20 rows are committed, each as soon as every replica shows the one before
    Then the longest replication latency is at most 1 second in the best of 3 rounds
    And health shows each replica less than 1 second behind within 10 seconds

  @DB-04 @performance
  Scenario: A row is read in another region within a second
    Given a PostgreSQL primary with 2 replicas in a region 150 milliseconds away
    When 20 rows are committed, each as soon as every replica shows the one before
    Then the longest replication latency is at most 1 second in the best of 3 rounds
    And no replica shows a row earlier than 150 milliseconds after its commit began

  @DB-04
  Scenario: A replica that stalls is noticed
    Given a PostgreSQL primary with 2 replicas
    When replica 1 is paused
    And 10 rows of 200 kilobytes are committed
    Then health shows replica 1 at least 1 MB and 2 seconds behind within 10 seconds

  @DB-04
  Scenario: A replica that has caught up is no longer shown as behind
    Given a PostgreSQL primary with 2 replicas
    When replica 1 is paused
    And 10 rows of 200 kilobytes are committed
    And replica 1 recovers
    Then health shows each replica less than 1 second behind within 30 seconds
    And health shows at most 1 MB kept for each replica within 30 seconds

  @DB-04
  Scenario: What a replica that is down costs the primary's disk is noticed
    Given a PostgreSQL primary with 2 replicas
    When replica 1 is stopped
    And 20 rows of 500 kilobytes are committed
    Then health shows at least 8 MB kept for replica 1 within 10 seconds

  @DB-04
  Scenario: A replica that is away for too long does not fill the primary's disk
    Given a PostgreSQL primary that keeps 32 MB for each of 2 replicas
    When replica 1 is stopped for good
    And 60 rows of 1000 kilobytes are committed
    Then health shows replica 1 as lost, with nothing kept for it
