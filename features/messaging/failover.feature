@messaging @timeout:400
Feature: Failover costs no message
  When the broker that has a role ends, cleanly or not, another one takes over: what was
  acknowledged by all in-sync replicas (at least two) is there, in order, and consumers go on.

  Background:
    Given a Kafka cluster of 3 brokers
    And a topic "orders" with 3 partitions

  @MSG-02 @FAIL-01 @BEYOND-01
  Scenario Outline: Nothing of <producer> is lost while <role> <ends> <times>
    When messages of <producer> keep arriving in "orders" while <role> <ends> <times>
    Then every message has been acknowledged within 60 seconds
    And the final drain finds every message, in order, stored <stored>
    And the consuming group has been handed all of them within 60 seconds
    And the time without service is kept

    Examples: on every pull request
      | role                  | ends       | times | producer                       | stored        |
      | the leader            | is stopped | once  | a producer without idempotence | at least once |
      | the leader            | crashes    | once  | an idempotent producer         | exactly once  |
      | the leader            | crashes    | once  | a producer without idempotence | at least once |
      | a follower            | crashes    | once  | an idempotent producer         | exactly once  |
      | the controller        | crashes    | once  | an idempotent producer         | exactly once  |
      | the group coordinator | crashes    | once  | an idempotent producer         | exactly once  |

    @nightly
    Examples: the leader
      | role       | ends       | times      | producer                       | stored        |
      | the leader | is stopped | once       | an idempotent producer         | exactly once  |
      | the leader | is stopped | five times | an idempotent producer         | exactly once  |
      | the leader | is stopped | five times | a producer without idempotence | at least once |
      | the leader | crashes    | five times | an idempotent producer         | exactly once  |
      | the leader | crashes    | five times | a producer without idempotence | at least once |

    @nightly
    Examples: a follower
      | role       | ends       | times      | producer                       | stored        |
      | a follower | is stopped | once       | an idempotent producer         | exactly once  |
      | a follower | is stopped | once       | a producer without idempotence | at least once |
      | a follower | crashes    | once       | a producer without idempotence | at least once |
      | a follower | is stopped | five times | an idempotent producer         | exactly once  |
      | a follower | is stopped | five times | a producer without idempotence | at least once |
      | a follower | crashes    | five times | an idempotent producer         | exactly once  |
      | a follower | crashes    | five times | a producer without idempotence | at least once |

    @nightly
    Examples: the controller
      | role           | ends       | times      | producer                       | stored        |
      | the controller | is stopped | once       | an idempotent producer         | exactly once  |
      | the controller | is stopped | once       | a producer without idempotence | at least once |
      | the controller | crashes    | once       | a producer without idempotence | at least once |
      | the controller | is stopped | five times | an idempotent producer         | exactly once  |
      | the controller | is stopped | five times | a producer without idempotence | at least once |
      | the controller | crashes    | five times | an idempotent producer         | exactly once  |
      | the controller | crashes    | five times | a producer without idempotence | at least once |

    @nightly
    Examples: the group coordinator
      | role                  | ends       | times      | producer                       | stored        |
      | the group coordinator | is stopped | once       | an idempotent producer         | exactly once  |
      | the group coordinator | is stopped | once       | a producer without idempotence | at least once |
      | the group coordinator | crashes    | once       | a producer without idempotence | at least once |
      | the group coordinator | is stopped | five times | an idempotent producer         | exactly once  |
      | the group coordinator | is stopped | five times | a producer without idempotence | at least once |
      | the group coordinator | crashes    | five times | an idempotent producer         | exactly once  |
      | the group coordinator | crashes    | five times | a producer without idempotence | at least once |
