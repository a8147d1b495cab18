@search @timeout:240
Feature: Messages of a topic become documents
  Every message is exactly one document, as the last message of its key says, whatever happens to
  the indexer and to the search engine.

  @SEARCH-01 @critical
  Scenario: Every message is one document, updates and tombstones included
    Given the search indexer is running
    When 300 valid orders are published
    Then every valid order gets one document within 30 seconds
    When 60 orders are published again with other contents
    And tombstones of 40 orders are published
    Then the documents are exactly what the orders say within 30 seconds

  @SEARCH-01
  Scenario Outline: Nothing is lost or doubled when the indexer <ends> in the middle of its work
    Given the search indexer is running
    When valid orders keep arriving
    And the search indexer <ends> after 100 documents
    And the search indexer is started again
    Then every valid order gets one document within 60 seconds
    And the search indexer's lag is zero within 10 seconds

    Examples: on every pull request
      | ends    |
      | crashes |

    @nightly
    Examples: in order
      | ends       |
      | is stopped |

  @SEARCH-01 @nightly
  Scenario Outline: Nothing is lost or doubled when the search engine <fault>
    Given the search indexer is running
    When 100 valid orders are published
    And valid orders keep arriving
    And the search engine <fault>
    And 30 orders are published again with other contents
    And the search engine recovers
    Then the documents are exactly what the orders say within 90 seconds
    And the search indexer's lag is zero within 10 seconds

    Examples:
      | fault                           |
      | crashes                         |
      | is paused                       |
      | resets its clients' connections |
      | has a full disk                 |

  @SEARCH-01
  Scenario: Messages that can be no documents are dead-lettered, others are documents
    Given the search indexer is running
    When these messages are published among 60 valid orders
      | message                        |
      | that is not JSON               |
      | that is not an object          |
      | that is empty                  |
      | with an unknown field          |
      | with a value of the wrong type |
      | with a malformed date          |
    Then exactly these messages are dead-lettered, unchanged, within 30 seconds
    And the dead letters' error types are
      | error type    |
      | invalid_json  |
      | not_an_object |
      | empty_message |
      | unknown_field |
      | wrong_type    |
      | bad_format    |
    And each dead letter names its source topic and time
    And the documents are exactly what the orders say within 30 seconds

  @SEARCH-01 @nightly
  Scenario: A key that can be no ID keeps no other message out
    Given the search indexer is running
    When a message with a key of 600 characters is published among 60 valid orders
    Then exactly that message is dead-lettered, unchanged, within 30 seconds
    And the dead letter's error type is "rejected"
    And the documents are exactly what the orders say within 30 seconds

  @SEARCH-02
  Scenario: Queries find the messages that fit
    Given the search indexer is running
    When 200 valid orders are published
    And tombstones of 50 orders are published
    Then the documents are exactly what the orders say within 30 seconds
    And each of these queries finds exactly the orders that fit
      | query                                                                                          |
      | {"match": {"title": "red hat"}}                                                                |
      | {"match_phrase": {"title": "red shoes"}}                                                       |
      | {"term": {"status": "Paid in part"}}                                                           |
      | {"range": {"total": {"gte": 200, "lt": 600}}}                                                  |
      | {"bool": {"must": [{"match": {"title": "blue"}}], "must_not": [{"term": {"status": "open"}}]}} |
      | {"term": {"status": "lost"}}                                                                   |
