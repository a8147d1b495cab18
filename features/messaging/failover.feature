@messaging @timeout:400
Feature: Failover costs no message
  When the broker that has a role ends, cleanly or not, another one takes over: what was
  acknowledged by all in-sync replicas (at least two) is there, in order, and consumers go on.

  Background:
    Given a Kafka cluster of 3 brokers
    And a topic "orders" with 3 partitions

  @MSG-02 @FAIL-01 @BEYOND-01
  Scenario Outline: Nothing of <producer> is lost while <role> <ends> <times>
    Given <producer> publishes to "orders" in the background
    And a consumer of group "readers" reads "orders" in the background
    When <role> <ends> and recovers <times>
    And another consumer of group "readers" takes over
    Then every message has been acknowledged within 60 seconds
    And "orders" holds every acknowledged message, in order, <stored>
    And group "readers" has received every acknowledged message within 60 seconds
    And the report shows for how long producer and consumer were not served

    Examples: on every pull request
      | role                               | ends       | times | producer                       | stored        |
      | the leader of "orders"             | is stopped | once  | a producer without idempotence | at least once |
      | the leader of "orders"             | crashes    | once  | an idempotent producer         | exactly once  |
      | the leader of "orders"             | crashes    | once  | a producer without idempotence | at least once |
      | a follower of "orders"             | crashes    | once  | an idempotent producer         | exactly once  |
      | the controller                     | crashes    | once  | an idempotent producer         | exactly once  |
      | the group coordinator of "readers" | crashes    | once  | an idempotent producer         | exactly once  |

    @nightly
    Examples: the leader
      | role                   | ends       | times      | producer                       | stored        |
      | the leader of "orders" | is stopped | once       | an idempotent producer         | exactly once  |
      | the leader of "orders" | is stopped | five times | an idempotent producer         | exactly once  |
      | the leader of "orders" | is stopped | five times | a producer without idempotence | at least once |
      | the leader of "orders" | crashes    | five times | an idempotent producer         | exactly once  |
      | the leader of "orders" | crashes    | five times | a producer without idempotence | at least once |

    @nightly
    Examples: a follower
      | role                   | ends       | times      | producer                       | stored        |
      | a follower of "orders" | is stopped | once       | an idempotent producer         | exactly once  |
      | a follower of "orders" | is stopped | once       | a producer without idempotence | at least once |
      | a follower of "orders" | crashes    | once       | a producer without idempotence | at least once |
      | a follower of "orders" | is stopped | five times | an idempotent producer         | exactly once  |
      | a follower of "orders" | is stopped | five times | a producer without idempotence | at least once |
      | a follower of "orders" | crashes    | five times | an idempotent producer         | exactly once  |
      | a follower of "orders" | crashes    | five times | a producer without idempotence | at least once |

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
      | role                               | ends       | times      | producer                       | stored        |
      | the group coordinator of "readers" | is stopped | once       | an idempotent producer         | exactly once  |
      | the group coordinator of "readers" | is stopped | once       | a producer without idempotence | at least once |
      | the group coordinator of "readers" | crashes    | once       | a producer without idempotence | at least once |
      | the group coordinator of "readers" | is stopped | five times | an idempotent producer         | exactly once  |
      | the group coordinator of "readers" | is stopped | five times | a producer without idempotence | at least once |
      | the group coordinator of "readers" | crashes    | five times | an idempotent producer         | exactly once  |
      | the group coordinator of "readers" | crashes    | five times | a producer without idempotence | at least once |
