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

  @COORD-01
  Scenario: A range has the keys in between, in order
    Given an etcd server
    When these keys are put
      | key        | value  |
      | app/2/port | 8002   |
      | app/10     | ten    |
      | app/2      | größer |
      | app        | alone  |
      | app/3/port | 8003   |
      | apple      | fruit  |
    Then the keys that begin with "app/" are these, in order
      | key        | value  |
      | app/10     | ten    |
      | app/2      | größer |
      | app/2/port | 8002   |
      | app/3/port | 8003   |
    And the keys from "app/2" up to "app/3/port" are these, in order
      | key        | value  |
      | app/2      | größer |
      | app/2/port | 8002   |
    When the keys that begin with "app/2" are deleted
    Then the keys that begin with "app" are these, in order
      | key        | value |
      | app        | alone |
      | app/10     | ten   |
      | app/3/port | 8003  |
      | apple      | fruit |

  Rule: A watcher misses nothing

    @COORD-01
    Scenario: A watcher is told of every change
      Given an etcd server
      And the keys that begin with "jobs/" are watched
      When 200 changes are made to keys that begin with "jobs/"
      Then the watcher is told of every change within 10 seconds, once and in order

    @COORD-01
    Scenario: A watcher that comes later is told of what it has missed
      Given an etcd server
      When 50 changes are made to keys that begin with "jobs/"
      And the keys that begin with "jobs/" are watched from the first change on
      And 50 changes are made to keys that begin with "jobs/"
      Then the watcher is told of every change within 10 seconds, once and in order

    @COORD-01 @nightly @timeout:120
    Scenario Outline: A watcher is told of every change while <node> <fault>
      Given an etcd cluster of 3 nodes
      And the keys that begin with "jobs/" are watched
      When at least 90 changes are made to keys that begin with "jobs/" while <node> <fault>
      Then the watcher is told of every change within 20 seconds, once and in order

      Examples:
        | node       | fault                     |
        | node 1     | has crashed               |
        | node 1     | is paused                 |
        | the leader | has crashed               |
        | node 1     | is cut off from its peers |

  Rule: A key lives as long as its lease

    @COORD-01
    Scenario: A lease that nobody keeps alive takes its key along
      Given an etcd server
      When "worker/a" is put with a lease of 2 seconds
      Then "worker/a" is there until its lease ends, and gone within 3 seconds after that

    @COORD-01
    Scenario: A lease that is kept alive does not end
      Given an etcd server
      When "worker/a" is put with a lease of 2 seconds
      And the lease of "worker/a" is kept alive for 5 seconds
      Then "worker/a" is there until its lease ends, and gone within 3 seconds after that

    @COORD-01
    Scenario: A lease that is revoked takes its key along at once
      Given an etcd server
      When "worker/a" is put with a lease of 60 seconds
      And the lease of "worker/a" is revoked
      Then within 1 second the key "worker/a" is not there

  Rule: A transaction is carried out wholly or not at all

    @COORD-01
    Scenario: Transfers between accounts keep their total
      Given an etcd server
      When 4 clients each make 10 transfers between 5 accounts
      Then every reading of all accounts shows the same total
