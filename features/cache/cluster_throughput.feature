@cache @timeout:240
Feature: A Redis Cluster does more work with more primaries
  Each primary has its share of the keys, and of the work. How much more several of them do
  depends on the machine, so that the report has the figures, and users say what they need.

  @HA-01 @performance @nightly
  Scenario Outline: A Redis Cluster of <primaries> has the throughput that users need
    Given a Redis Cluster of <primaries> with 0 replicas in all
    When 300000 operations are sent to all primaries of the Cluster at once
    Then at least 20000 operations a second are done in the best of 3 rounds

    Examples:
      | primaries   |
      | 1 primary   |
      | 2 primaries |
      | 3 primaries |
