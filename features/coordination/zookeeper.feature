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
