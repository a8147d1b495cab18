@coordination
Feature: There is one leader at a time
  Candidates are elected one after the other: also when a leader falls silent, and when it comes back
  and knows nothing of its successor.

  Scenario Outline: Candidates of the <election> lead one at a time
    Given <nodes>
    And 3 candidates of the <election>
    When each candidate is elected 5 times
    Then there was one leader at a time

    @COORD-01
    Examples: etcd
      | election      | nodes          |
      | etcd-election | an etcd server |

    @COORD-02 @nightly
    Examples: ZooKeeper
      | election           | nodes              |
      | zookeeper-election | a ZooKeeper server |

  @nightly
  Scenario Outline: A leader of the <election> that is <away> is succeeded
    Given <nodes>
    And 2 candidates of the <election>
    And one candidate is elected, and the others stand by
    When the elected candidate is <away>
    Then another candidate is elected within 15 seconds
    And there was one leader at a time

    @COORD-01
    Examples: etcd
      | election      | nodes          | away   |
      | etcd-election | an etcd server | killed |

    @COORD-02
    Examples: ZooKeeper
      | election           | nodes              | away   |
      | zookeeper-election | a ZooKeeper server | killed |

  @nightly @critical
  Scenario Outline: A paused leader of the <election> is succeeded, and can proclaim nothing any more
    Given <nodes>
    And 2 candidates of the <election>
    And one candidate is elected, and the others stand by
    When the elected candidate is paused
    Then another candidate is elected within 15 seconds
    When the former leader goes on
    Then what the former leader proclaims is refused
    And there was one leader at a time

    @COORD-01
    Examples: etcd
      | election      | nodes          |
      | etcd-election | an etcd server |

    @COORD-02
    Examples: ZooKeeper
      | election           | nodes              |
      | zookeeper-election | a ZooKeeper server |

  @nightly @timeout:180
  Scenario Outline: Candidates of the <election> lead one at a time while <node> <fault>
    Given <nodes>
    And 3 candidates of the <election>
    When the candidates are elected in turn while <node> of <store> <fault>
    Then there was one leader at a time

    @COORD-01
    Examples: etcd
      | election      | store | nodes                      | node       | fault       |
      | etcd-election | etcd  | an etcd cluster of 3 nodes | the leader | is paused   |
      | etcd-election | etcd  | an etcd cluster of 3 nodes | the leader | has crashed |

    @COORD-02
    Examples: ZooKeeper
      | election           | store     | nodes                           | node       | fault       |
      | zookeeper-election | ZooKeeper | a ZooKeeper ensemble of 3 nodes | the leader | is paused   |
      | zookeeper-election | ZooKeeper | a ZooKeeper ensemble of 3 nodes | the leader | has crashed |
