@coordination
Feature: Nodes in ZooKeeper
  What an ensemble agreed upon is what everybody reads; what belongs to a session goes with it.

  @COORD-02 @critical
  Scenario: A node holds what was set last
    Given a ZooKeeper server
    When this value is put into the znode "/config/limit"
      """json
      {"requests": 100}
      """
    And this value is put into the znode "/config/limit"
      """json
      {"requests": 250}
      """
    Then within 2 seconds the znode "/config/limit" holds
      """json
      {"requests": 250}
      """
    And for 1 second the znode "/config/limits" is not there

  @COORD-02
  Scenario: Of a transaction that is refused in part nothing is done
    Given a ZooKeeper server
    When "/made" is created and "/missing", which is not there, is deleted in one transaction
    Then the transaction is refused
    And for 1 second the znode "/made" is not there

  @COORD-02
  Scenario: An ephemeral node goes with its session
    Given a ZooKeeper server
    When "worker" creates the ephemeral znode "/workers/a"
    Then for 1 second the znode "/workers/a" holds
      """
      worker
      """
    When "worker", which has created "/workers/a", closes its session
    Then within 1 second the znode "/workers/a" is not there

  @COORD-02
  Scenario: Numbers of sequential nodes rise, whoever creates them
    Given a ZooKeeper server
    When 4 clients each create 25 sequential znodes below "/queue"
    Then all these znodes are below "/queue", and their numbers rise in the order of creation

  Rule: A watch tells of the next change

    @COORD-02
    Scenario: A watch tells of one change
      Given a ZooKeeper server
      And the znode "/config" is watched once
      When 3 changes are made to the znode "/config"
      Then the watch tells of a change within 5 seconds, and of no other change

    @COORD-02
    Scenario: A client that sets its watch again sees the last change
      Given a ZooKeeper server
      And the znode "/config" is watched again and again
      When 100 changes are made to the znode "/config"
      Then the watcher sees the last change within 5 seconds, and reads nothing older than that afterwards
