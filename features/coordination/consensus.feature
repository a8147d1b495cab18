@coordination
Feature: A cluster speaks with one voice
  Whoever is asked, and whatever breaks meanwhile: clients see one value, and one order of values.

  Scenario Outline: Registers in <store> are linearizable
    Given <nodes>
    When 4 clients each read, write, compare and set 5 registers in <store> 60 times
    Then every register is linearizable

    @COORD-01 @critical
    Examples: etcd
      | store | nodes          |
      | etcd  | an etcd server |

    @COORD-02 @nightly
    Examples: ZooKeeper
      | store     | nodes              |
      | ZooKeeper | a ZooKeeper server |

  @nightly @timeout:120
  Scenario Outline: Registers in <store> are linearizable while <node> <fault>
    Given <nodes>
    When 4 clients read, write, compare and set 5 registers in <store> while <node> <fault>
    Then every register is linearizable

    @COORD-01
    Examples: etcd
      | store | nodes                      | node       | fault                     |
      | etcd  | an etcd cluster of 3 nodes | the leader | is paused                 |
      | etcd  | an etcd cluster of 3 nodes | the leader | has crashed               |
      | etcd  | an etcd cluster of 3 nodes | the leader | is cut off from its peers |
      | etcd  | an etcd cluster of 3 nodes | node 2     | has crashed               |

    @COORD-02
    Examples: ZooKeeper
      | store     | nodes                           | node       | fault                     |
      | ZooKeeper | a ZooKeeper ensemble of 3 nodes | the leader | is paused                 |
      | ZooKeeper | a ZooKeeper ensemble of 3 nodes | the leader | has crashed               |
      | ZooKeeper | a ZooKeeper ensemble of 3 nodes | the leader | is cut off from its peers |
      | ZooKeeper | a ZooKeeper ensemble of 3 nodes | node 2     | has crashed               |
