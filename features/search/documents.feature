@search @timeout:120
Feature: A search engine keeps what it has acknowledged
  Documents come back as they were put, each once, until they are deleted.

  Background:
    Given a search engine

  @SEARCH-01
  Scenario: A document is put and found
    Given an index "orders"
    When these documents are put into the index "orders"
      | _id | id | title     | total |
      | a/1 | 1  | red shoes | 12.50 |
      | b   | 2  | Grüße 漢字  | 1e3   |
    Then within 5 seconds the index "orders" has exactly these documents, matched by "_id"
      | id | _id | title     | total |
      | 2  | b   | Grüße 漢字  | 1000  |
      | 1  | a/1 | red shoes | 12.5  |
    And within 5 seconds the index "orders" has a document where
      | field | is |
      | $.id  | 2  |
    And for 1 second the index "orders" has no document where
      | field | is |
      | $.id  | 3  |

  @SEARCH-01
  Scenario: Documents are put, replaced and deleted
    Given an index "orders"
    When 1200 orders are put into the index "orders"
    Then the index "orders" holds exactly these documents
    When 200 orders of the index "orders" are replaced
    And 100 orders of the index "orders" are deleted
    Then the index "orders" holds exactly these documents

  @SEARCH-01
  Scenario: Searches find a document without being told that it is new
    Given an index "orders"
    When 50 orders are put into the index "orders"
    Then searches find all documents of the index "orders" within 5 seconds
