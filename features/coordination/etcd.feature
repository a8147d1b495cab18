@coordination
Feature: Keys in etcd
  What a cluster agreed upon is what everybody reads.

  @COORD-01 @critical
  Scenario: A key holds what was put there last
    Given an etcd server
    When this value is put into the key "config/limit"
      """json
      {"requests": 100}
      """
    And this value is put into the key "config/limit"
      """json
      {"requests": 250}
      """
    Then within 2 seconds the key "config/limit" holds
      """json
      {"requests": 250}
      """
    And for 1 second the key "config/limits" is not there
