@faults @BEYOND-02 @timeout:120
Feature: A broken node costs what its service says, and no more
  Whatever breaks, each service keeps its own promise, and serves again when the node is back.

  Rule: What is on a disk stays

    Scenario Outline: Nothing acknowledged is lost while <node> <fault>: <writes>
      Given <service>
      When <writes> while <node> <fault>
      Then nothing acknowledged is lost
      And writes are acknowledged again within <seconds> seconds after the fault is over

      Examples: on every pull request
        | service                              | writes                                    | node        | fault       | seconds |
        | a PostgreSQL primary with 2 replicas | rows are inserted                         | the primary | has crashed | 20      |
        | a RabbitMQ broker                    | messages are published to a durable queue | node 1      | is paused   | 20      |
        | a Kafka cluster of 3 brokers         | records are produced                      | broker 2    | is paused   | 10      |
        | a mail server                        | mails are sent                            | the server  | has crashed | 10      |
        | an etcd cluster of 3 nodes           | keys are put                              | the leader  | is paused   | 20      |
        | an object store                      | objects are uploaded                      | the server  | has crashed | 10      |

      @nightly @VEC-07
      Examples: Milvus
        | service           | writes               | node       | fault                                     | seconds |
        | a vector database | vectors are inserted | the server | has crashed                               | 60      |
        | a vector database | vectors are inserted | the server | is stopped                                | 60      |
        | a vector database | vectors are inserted | the server | is paused                                 | 20      |
        | a vector database | vectors are inserted | the server | is cut off from its clients               | 20      |
        | a vector database | vectors are inserted | the server | answers its clients 300 milliseconds late | 20      |
        | a vector database | vectors are inserted | the server | resets its clients' connections           | 20      |

      @nightly
      Examples: Mailpit
        | service       | writes         | node       | fault                                     | seconds |
        | a mail server | mails are sent | the server | is stopped                                | 10      |
        | a mail server | mails are sent | the server | is paused                                 | 10      |
        | a mail server | mails are sent | the server | is cut off from its clients               | 10      |
        | a mail server | mails are sent | the server | answers its clients 300 milliseconds late | 10      |
        | a mail server | mails are sent | the server | has 50 kilobytes a second for its clients | 10      |
        | a mail server | mails are sent | the server | resets its clients' connections           | 10      |
        | a mail server | mails are sent | the server | has a full disk                           | 20      |

      @nightly
      Examples: S3
        | service         | writes               | node       | fault                                     | seconds |
        | an object store | objects are uploaded | the server | is stopped                                | 10      |
        | an object store | objects are uploaded | the server | is paused                                 | 10      |
        | an object store | objects are uploaded | the server | is cut off from its clients               | 10      |
        | an object store | objects are uploaded | the server | answers its clients 300 milliseconds late | 10      |
        | an object store | objects are uploaded | the server | has 50 kilobytes a second for its clients | 10      |
        | an object store | objects are uploaded | the server | resets its clients' connections           | 10      |
        | an object store | objects are uploaded | the server | has a full disk                           | 20      |

      @nightly
      Examples: OpenSearch
        | service         | writes            | node       | fault                                     | seconds |
        | a search engine | documents are put | the server | has crashed                               | 60      |
        | a search engine | documents are put | the server | is stopped                                | 60      |
        | a search engine | documents are put | the server | is paused                                 | 20      |
        | a search engine | documents are put | the server | is cut off from its clients               | 20      |
        | a search engine | documents are put | the server | answers its clients 300 milliseconds late | 20      |
        | a search engine | documents are put | the server | has 50 kilobytes a second for its clients | 20      |
        | a search engine | documents are put | the server | resets its clients' connections           | 20      |
        | a search engine | documents are put | the server | has a full disk                           | 60      |
        | a search engine | documents are put | the server | has lost power                            | 60      |

      @nightly
      Examples: Prometheus
        | service      | writes             | node       | fault                                     | seconds |
        | a Prometheus | series are written | the server | has crashed                               | 20      |
        | a Prometheus | series are written | the server | is stopped                                | 20      |
        | a Prometheus | series are written | the server | is paused                                 | 20      |
        | a Prometheus | series are written | the server | is cut off from its clients               | 20      |
        | a Prometheus | series are written | the server | answers its clients 300 milliseconds late | 20      |
        | a Prometheus | series are written | the server | has 50 kilobytes a second for its clients | 20      |
        | a Prometheus | series are written | the server | resets its clients' connections           | 20      |
        | a Prometheus | series are written | the server | has a full disk                           | 20      |

      @nightly
      Examples: PostgreSQL, the node that is written to
        | service                              | writes            | node        | fault                                     | seconds |
        | a PostgreSQL primary with 2 replicas | rows are inserted | the primary | is stopped                                | 20      |
        | a PostgreSQL primary with 2 replicas | rows are inserted | the primary | is paused                                 | 10      |
        | a PostgreSQL primary with 2 replicas | rows are inserted | the primary | is cut off from its clients               | 10      |
        | a PostgreSQL primary with 2 replicas | rows are inserted | the primary | answers its clients 300 milliseconds late | 10      |
        | a PostgreSQL primary with 2 replicas | rows are inserted | the primary | has 50 kilobytes a second for its clients | 10      |
        | a PostgreSQL primary with 2 replicas | rows are inserted | the primary | resets its clients' connections           | 10      |
        | a PostgreSQL primary with 2 replicas | rows are inserted | the primary | has a full disk                           | 20      |

      @nightly
      Examples: PostgreSQL, another node
        | service                              | writes            | node      | fault                     | seconds |
        | a PostgreSQL primary with 2 replicas | rows are inserted | replica 1 | has crashed               | 5       |
        | a PostgreSQL primary with 2 replicas | rows are inserted | replica 1 | is stopped                | 5       |
        | a PostgreSQL primary with 2 replicas | rows are inserted | replica 1 | is paused                 | 5       |
        | a PostgreSQL primary with 2 replicas | rows are inserted | replica 1 | is cut off from its peers | 5       |
        | a PostgreSQL primary with 2 replicas | rows are inserted | replica 1 | cannot send to its peers  | 5       |

      @nightly
      Examples: PostgreSQL with Patroni, another node; see failover.feature for the primary
        | service                                      | writes            | node   | fault                     | seconds |
        | a PostgreSQL cluster of 2 nodes with Patroni | rows are inserted | node 2 | has crashed               | 10      |
        | a PostgreSQL cluster of 2 nodes with Patroni | rows are inserted | node 2 | is paused                 | 10      |
        | a PostgreSQL cluster of 2 nodes with Patroni | rows are inserted | node 2 | is cut off from its peers | 10      |

      @nightly
      Examples: Kafka; see brokers.feature for more
        | service                      | writes               | node     | fault                       | seconds |
        | a Kafka cluster of 3 brokers | records are produced | broker 2 | has crashed                 | 10      |
        | a Kafka cluster of 3 brokers | records are produced | broker 2 | is cut off from its peers   | 10      |
        | a Kafka cluster of 3 brokers | records are produced | broker 2 | is cut off from its clients | 10      |
        | a Kafka cluster of 3 brokers | records are produced | broker 2 | has a full disk             | 10      |

      @nightly
      Examples: RabbitMQ
        | service           | writes                                                                | node   | fault                                     | seconds |
        | a RabbitMQ broker | messages are published to a durable queue that has survived a restart | node 1 | has crashed                               | 60      |
        | a RabbitMQ broker | messages are published to a durable queue that has survived a restart | node 1 | is stopped                                | 60      |
        | a RabbitMQ broker | messages are published to a durable queue                             | node 1 | is cut off from its clients               | 10      |
        | a RabbitMQ broker | messages are published to a durable queue                             | node 1 | answers its clients 300 milliseconds late | 10      |
        | a RabbitMQ broker | messages are published to a durable queue                             | node 1 | has 50 kilobytes a second for its clients | 10      |
        | a RabbitMQ broker | messages are published to a durable queue                             | node 1 | resets its clients' connections           | 10      |
        | a RabbitMQ broker | messages are published to a durable queue                             | node 1 | has a full disk                           | 60      |

      @nightly
      Examples: RabbitMQ, another node of a cluster
        | service                       | writes                                   | node   | fault                     | seconds |
        | a RabbitMQ cluster of 3 nodes | messages are published to a quorum queue | node 2 | has crashed               | 10      |
        | a RabbitMQ cluster of 3 nodes | messages are published to a quorum queue | node 2 | is stopped                | 10      |
        | a RabbitMQ cluster of 3 nodes | messages are published to a quorum queue | node 2 | is paused                 | 20      |
        | a RabbitMQ cluster of 3 nodes | messages are published to a quorum queue | node 2 | is cut off from its peers | 20      |

      @nightly
      Examples: etcd, alone
        | service        | writes       | node   | fault                                     | seconds |
        | an etcd server | keys are put | node 1 | has crashed                               | 20      |
        | an etcd server | keys are put | node 1 | is stopped                                | 20      |
        | an etcd server | keys are put | node 1 | is paused                                 | 20      |
        | an etcd server | keys are put | node 1 | is cut off from its clients               | 20      |
        | an etcd server | keys are put | node 1 | answers its clients 300 milliseconds late | 20      |
        | an etcd server | keys are put | node 1 | has 50 kilobytes a second for its clients | 20      |
        | an etcd server | keys are put | node 1 | resets its clients' connections           | 20      |
        | an etcd server | keys are put | node 1 | has a full disk                           | 20      |

      @nightly
      Examples: etcd, one of three
        | service                    | writes       | node       | fault                     | seconds |
        | an etcd cluster of 3 nodes | keys are put | the leader | has crashed               | 20      |
        | an etcd cluster of 3 nodes | keys are put | the leader | is stopped                | 20      |
        | an etcd cluster of 3 nodes | keys are put | the leader | is paused                 | 20      |
        | an etcd cluster of 3 nodes | keys are put | the leader | is cut off from its peers | 20      |
        | an etcd cluster of 3 nodes | keys are put | the leader | cannot send to its peers  | 20      |
        | an etcd cluster of 3 nodes | keys are put | node 2     | has crashed               | 20      |
        | an etcd cluster of 3 nodes | keys are put | node 2     | is stopped                | 20      |
        | an etcd cluster of 3 nodes | keys are put | node 2     | is paused                 | 20      |
        | an etcd cluster of 3 nodes | keys are put | node 2     | is cut off from its peers | 20      |
        | an etcd cluster of 3 nodes | keys are put | node 2     | cannot send to its peers  | 20      |

      @nightly
      Examples: ZooKeeper, alone
        | service            | writes             | node   | fault                                     | seconds |
        | a ZooKeeper server | znodes are created | node 1 | has crashed                               | 20      |
        | a ZooKeeper server | znodes are created | node 1 | is stopped                                | 20      |
        | a ZooKeeper server | znodes are created | node 1 | is paused                                 | 20      |
        | a ZooKeeper server | znodes are created | node 1 | is cut off from its clients               | 20      |
        | a ZooKeeper server | znodes are created | node 1 | answers its clients 300 milliseconds late | 20      |
        | a ZooKeeper server | znodes are created | node 1 | has 50 kilobytes a second for its clients | 20      |
        | a ZooKeeper server | znodes are created | node 1 | resets its clients' connections           | 20      |
        | a ZooKeeper server | znodes are created | node 1 | has a full disk                           | 20      |

      @nightly
      Examples: ZooKeeper, one of three; followers connect to their leader, not it to them
        | service                         | writes             | node       | fault                     | seconds |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | the leader | has crashed               | 20      |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | the leader | is stopped                | 20      |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | the leader | is paused                 | 20      |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | the leader | is cut off from its peers | 20      |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | node 2     | has crashed               | 20      |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | node 2     | is stopped                | 20      |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | node 2     | is paused                 | 20      |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | node 2     | is cut off from its peers | 20      |
        | a ZooKeeper ensemble of 3 nodes | znodes are created | node 2     | cannot send to its peers  | 20      |

    @nightly
    Scenario Outline: Nothing acknowledged is lost in a rolling restart: <writes>
      Given <service>
      When <writes> while all nodes are restarted, one after the other
      Then nothing acknowledged is lost
      And writes are acknowledged again within 20 seconds after the fault is over

      Examples:
        | service                              | writes             |
        | a PostgreSQL primary with 2 replicas | rows are inserted  |
        | an etcd cluster of 3 nodes           | keys are put       |
        | a ZooKeeper ensemble of 3 nodes      | znodes are created |

  Rule: What is kept in memory alone lives as long as its server

    Scenario Outline: Nothing acknowledged is lost while the server <fault>: <writes>
      Given <service>
      When <writes> while the server <fault>
      Then nothing acknowledged is lost
      And writes are acknowledged again within 10 seconds after the fault is over

      Examples: on every pull request
        | service        | writes             | fault     |
        | a Redis server | keys are set       | is paused |
        | a Pushgateway  | metrics are pushed | is paused |

      @nightly
      Examples: its connections
        | service         | writes             | fault                                     |
        | a Redis server  | keys are set       | is cut off from its clients               |
        | a Redis server  | keys are set       | answers its clients 300 milliseconds late |
        | a Redis server  | keys are set       | has 50 kilobytes a second for its clients |
        | a Redis server  | keys are set       | resets its clients' connections           |
        | a Pushgateway   | metrics are pushed | is cut off from its clients               |
        | a Pushgateway   | metrics are pushed | answers its clients 300 milliseconds late |
        | a Pushgateway   | metrics are pushed | has 50 kilobytes a second for its clients |
        | a Pushgateway   | metrics are pushed | resets its clients' connections           |
        | an Alertmanager | alerts are raised  | is paused                                 |
        | an Alertmanager | alerts are raised  | is cut off from its clients               |
        | an Alertmanager | alerts are raised  | answers its clients 300 milliseconds late |
        | an Alertmanager | alerts are raised  | has 50 kilobytes a second for its clients |
        | an Alertmanager | alerts are raised  | resets its clients' connections           |

    @nightly
    Scenario Outline: All that was there is gone when the server <fault>: <writes>
      Given <service>
      When <writes> while the server <fault>
      Then everything written before the fault is gone
      And writes are acknowledged again within 10 seconds after the fault is over

      Examples:
        | service         | writes             | fault       |
        | a Redis server  | keys are set       | has crashed |
        | a Redis server  | keys are set       | is stopped  |
        | a Pushgateway   | metrics are pushed | has crashed |
        | a Pushgateway   | metrics are pushed | is stopped  |
        | an Alertmanager | alerts are raised  | has crashed |
        | an Alertmanager | alerts are raised  | is stopped  |

    # Nobody takes over from it, and it has nothing when it is back: its replicas follow it.
    @nightly
    Scenario Outline: All that was there is gone when the primary <fault>: keys are set
      Given a Redis primary with 2 replicas
      When keys are set while the primary <fault>
      Then everything written before the fault is gone
      And writes are acknowledged again within 10 seconds after the fault is over

      Examples:
        | fault       |
        | has crashed |
        | is stopped  |

    @nightly
    Scenario Outline: Nothing acknowledged is lost while <node> <fault>: keys are set
      Given a Redis primary with 2 replicas
      When keys are set while <node> <fault>
      Then nothing acknowledged is lost
      And writes are acknowledged again within 10 seconds after the fault is over

      Examples:
        | node        | fault                                     |
        | the primary | is paused                                 |
        | the primary | is cut off from its peers                 |
        | the primary | answers its clients 300 milliseconds late |
        | replica 1   | has crashed                               |
        | replica 1   | is paused                                 |
        | replica 1   | is cut off from its peers                 |
        | replica 1   | cannot send to its peers                  |
