@cache
Feature: A full Redis does what its policy says
  When there is no memory left for data, some of it is evicted, or nothing more is
  taken. Which keys are evicted is approximate by design: the best ones of a few samples.

  @HA-04 @critical
  Scenario: Without eviction, writes are refused and nothing is lost
    Given a Redis server with 8 MB for data and the policy noeviction
    When 2500 values of 4 kilobytes are written, more than the server has memory for
    Then a further value is refused because the memory is full
    And every acknowledged value is there, byte for byte

  @HA-04
  Scenario Outline: By <policy> the right keys are evicted
    Given a Redis server with 8 MB for data and the policy <policy>
    When it is filled until 150 of its first keys are evicted
    Then at least 75 % of these are the ones that it is to evict

    Examples:
      | policy       |
      | allkeys-lru  |
      | allkeys-lfu  |
      | volatile-lru |
      | volatile-lfu |
      | volatile-ttl |

  @HA-04
  Scenario Outline: By <policy> no kind of keys is preferred
    Given a Redis server with 8 MB for data and the policy <policy>
    When it is filled until 150 of its first keys are evicted
    Then these are of both kinds alike

    Examples:
      | policy          |
      | allkeys-random  |
      | volatile-random |
