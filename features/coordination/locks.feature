@coordination
Feature: A lock has one holder
  Clients that compete for a lock, or for being the leader, hold it one after the other: also when
  its holder falls silent, and when it comes back and knows nothing of it.

  Scenario Outline: Clients hold the <lock> one at a time
    Given <nodes>
    And 3 clients of the <lock>
    When each client holds the lock 50 times
    Then the lock had one holder at a time

    @COORD-01
    Examples: etcd
      | lock      | nodes          |
      | etcd-lock | an etcd server |

    @COORD-02 @nightly
    Examples: ZooKeeper
      | lock           | nodes              |
      | zookeeper-lock | a ZooKeeper server |

    @CACHE-07
    Examples: Redis
      | lock       | nodes          |
      | redis-lock | a Redis server |

  Scenario Outline: A paused holder of the <lock> is replaced, and cannot write any more
    Given <nodes>
    And 2 clients of the <lock>
    And one client holds the lock, and the others wait for the lock
    When the lock's holder is paused
    Then another client holds the lock within 15 seconds
    When the former holder goes on
    Then late writes of the former holder are refused
    And the lock had one holder at a time

    @COORD-01 @critical @nightly
    Examples: etcd
      | lock      | nodes          |
      | etcd-lock | an etcd server |

    @COORD-02 @critical
    Examples: ZooKeeper
      | lock           | nodes              |
      | zookeeper-lock | a ZooKeeper server |

    @CACHE-07 @critical @nightly
    Examples: Redis
      | lock       | nodes          |
      | redis-lock | a Redis server |

  Scenario Outline: A killed holder of the <lock> is replaced
    Given <nodes>
    And 2 clients of the <lock>
    And one client holds the lock, and the others wait for the lock
    When the lock's holder is killed
    Then another client holds the lock within 15 seconds
    And the lock had one holder at a time

    @COORD-01 @nightly
    Examples: etcd
      | lock      | nodes          |
      | etcd-lock | an etcd server |

    @COORD-02 @nightly
    Examples: ZooKeeper
      | lock           | nodes              |
      | zookeeper-lock | a ZooKeeper server |

    @CACHE-07 @nightly
    Examples: Redis
      | lock       | nodes          |
      | redis-lock | a Redis server |

  @nightly @timeout:180
  Scenario Outline: Clients hold the <lock> one at a time while <node> <fault>
    Given <nodes>
    And 3 clients of the <lock>
    When the clients hold the lock in turn while <node> of <store> <fault>
    Then the lock had one holder at a time

    @COORD-01
    Examples: etcd
      | lock      | store | nodes                      | node       | fault       |
      | etcd-lock | etcd  | an etcd cluster of 3 nodes | the leader | is paused   |
      | etcd-lock | etcd  | an etcd cluster of 3 nodes | the leader | has crashed |

    @COORD-02
    Examples: ZooKeeper
      | lock           | store     | nodes                           | node       | fault       |
      | zookeeper-lock | ZooKeeper | a ZooKeeper ensemble of 3 nodes | the leader | is paused   |
      | zookeeper-lock | ZooKeeper | a ZooKeeper ensemble of 3 nodes | the leader | has crashed |
