@search @performance @timeout:300
Feature: Searches and indexing are quick
  Each figure is that of the best of several rounds; percentiles are in the report.

  @SEARCH-03
  Scenario: A search takes half a second at most
    Given a search engine
    And an index "orders" of 400 orders
    When 4 clients make 25 searches each in the index "orders" at the same time
    Then the median search latency is at most 500 milliseconds in the best of 3 rounds

  @SEARCH-03 @nightly
  Scenario: Ten clients search among 20000 documents
    Given a search engine
    And an index "orders" of 20000 orders
    When 10 clients make 100 searches each in the index "orders" at the same time
    Then the median search latency is at most 100 milliseconds in the best of 3 rounds

  @SEARCH-03 @nightly
  Scenario: More than 500 documents a second are indexed
    Given a search engine
    And the search indexer's topics exist
    When 10000 valid orders are published
    And the search indexer is started and indexes its backlog
    Then the indexing rate is more than 500 documents a second in the best of 3 rounds

  @SEARCH-01 @nightly
  Scenario: An order is found two seconds after it was published
    Given the search indexer is running
    When 40 valid orders are published one by one, each after the output of the one before
    Then every valid order gets one document within 20 seconds
    And the 95th percentile processing latency is at most 2 seconds in the best of 3 rounds
