@cache
Feature: Rate limits are exact, however many ask at once
  Whoever shares a limit must be able to use it up, and nobody gets more: not by many
  requests at the same moment, and not through another process.

  Background:
    Given a Redis server

  @CACHE-06 @critical
  Scenario Outline: Fifty clients get exactly what the <limiter> allows
    Given the <limiter> is running with a limit of 100 requests in 60 seconds
    When 50 clients make 4 requests each for "customer-1" at the same moment
    Then exactly 100 requests for "customer-1" are permitted

    Examples:
      | limiter                |
      | fixed-window-limiter   |
      | sliding-window-limiter |

  @CACHE-06
  Scenario Outline: Each key has the whole limit of the <limiter>
    Given the <limiter> is running with a limit of 10 requests in 60 seconds
    When 5 clients make 4 requests each for "customer-1" at the same moment
    And 5 clients make 4 requests each for "customer-2" at the same moment
    Then exactly 10 requests for "customer-1" are permitted
    And exactly 10 requests for "customer-2" are permitted

    Examples:
      | limiter                |
      | fixed-window-limiter   |
      | sliding-window-limiter |

  @CACHE-06
  Scenario Outline: After its window the <limiter> permits requests again
    Given the <limiter> is running with a limit of 10 requests in 1 second
    When 5 clients make requests for "customer-1" until 10 requests are permitted
    Then a request for "customer-1" is permitted within 3 seconds

    Examples:
      | limiter                |
      | fixed-window-limiter   |
      | sliding-window-limiter |

  @CACHE-06
  Scenario: A sliding window is exact at every moment
    Given the sliding-window-limiter is running with a limit of 20 requests in 1 second
    When 10 clients make requests for "customer-1" until 60 requests are permitted
    Then no window has more permitted requests than the limit, and none is refused below the limit
