@vectors
Feature: A vector database keeps what it has acknowledged
  Vectors and their fields come back bit by bit, at once, and until they are deleted.

  Background:
    Given a vector database

  @VEC-01
  Scenario: A client connects, is answered, and disconnects
    Then the vector database is healthy
    And a client can connect to the vector database, ask it something, and disconnect

  @VEC-02
  Scenario: A collection lives from its creation until it is dropped
    Given a collection "products" of vectors with 64 dimensions that is not loaded
    Then the collection "products" is listed, with vectors of 64 dimensions
    And the collection "products" is "NotLoad"
    When the collection "products" is indexed by "FLAT" and loaded
    Then the collection "products" is "Loaded"
    When the collection "products" is released
    Then the collection "products" is "NotLoad"
    When the collection "products" is dropped
    Then the collection "products" is not listed

  @VEC-03 @critical
  Scenario: Inserted, replaced and deleted vectors are seen at once
    Given a collection "products" of vectors with 64 dimensions
    When 1500 vectors are inserted into "products"
    Then the collection "products" holds exactly these vectors
    When 300 vectors of "products" are replaced
    Then the collection "products" holds exactly these vectors
    When 200 vectors of "products" are deleted
    Then the collection "products" holds exactly these vectors
    And "products" counts 1300 vectors

  @VEC-03 @nightly
  Scenario: With Strong consistency the first search sees what was changed
    Given a collection "products" of vectors with 64 dimensions
    When 500 vectors are inserted into "products"
    Then a search in "products" with Strong consistency sees the last change at once
    When 300 vectors of "products" are replaced
    Then a search in "products" with Strong consistency sees the last change at once
    When 200 vectors of "products" are deleted
    Then a search in "products" with Strong consistency sees the last change at once

  @VEC-03 @nightly
  Scenario Outline: With <level> consistency what was changed is seen within seconds
    Given a collection "products" of vectors with 64 dimensions
    When 500 vectors are inserted into "products"
    Then a search in "products" with <level> consistency sees the last change within 5 seconds
    When 300 vectors of "products" are replaced
    Then a search in "products" with <level> consistency sees the last change within 5 seconds
    When 200 vectors of "products" are deleted
    Then a search in "products" with <level> consistency sees the last change within 5 seconds

    Examples:
      | level      |
      | Session    |
      | Bounded    |
      | Eventually |

  @VEC-07 @critical @nightly @timeout:240
  Scenario Outline: Nothing flushed is lost when the server <ending>
    Given a collection "products" of vectors with 64 dimensions
    When 1500 vectors are inserted into "products"
    And 200 vectors of "products" are deleted
    And the collection "products" is indexed by "HNSW" and loaded
    And the collection "products" is flushed
    And the vector database <ending> and is started again
    Then the collection "products" holds exactly these vectors
    And the index of "products" is "HNSW" by "L2"
    And searches in "products" find at least 95 % of the 10 nearest vectors

    Examples:
      | ending     |
      | crashes    |
      | is stopped |

  @VEC-03
  Scenario: Filters select exactly the matching vectors
    Given a collection "products" of vectors with 8 dimensions
    When 2000 vectors are inserted into "products"
    Then each of these filters selects exactly the matching vectors of "products"
      | filter                                      |
      | price > 500                                 |
      | colour == "red"                             |
      | colour in ["red", "blue"] and price <= 250  |
      | not (colour == "red") and not (price < 900) |
      | colour like "bl%"                           |
      | price % 7 == 3                              |
      | 100 < price < 200 or id == 1                |
      | id in [1, 2, 999999]                        |
      | price > 1000                                |

  @VEC-06
  Scenario: Partitions hold what was put into them
    Given a collection "products" of vectors with 8 dimensions
    And the collection "products" has a partition "spring"
    When 300 vectors are inserted into partition "spring" of "products"
    And 200 vectors are inserted into "products"
    Then the collection "products" holds exactly these vectors
    And partition "spring" of "products" counts 300 vectors
    And searches in partition "spring" of "products" find at least 100 % of the 10 nearest vectors
    When partition "spring" of "products" is dropped
    Then the collection "products" has no partition "spring"
    And the collection "products" holds exactly these vectors
    And "products" counts 200 vectors

  @VEC-07
  Scenario Outline: A mistake is a clear error: <mistake>
    Given a collection "products" of vectors with 64 dimensions
    When 10 vectors are inserted into "products"
    Then <mistake> in "products" is refused with "<told>"
    And the collection "products" holds exactly these vectors

    Examples: on every pull request
      | mistake                        | told  |
      | a vector of another dimension  | dim   |
      | a filter that cannot be parsed | parse |

    @nightly
    Examples: more
      | mistake                                      | told      |
      | a search in a collection that is not there   | not       |
      | a filter on a field that is not there        | weight    |
      | a collection that exists with another schema | duplicate |
      | a partition that is not there                | missing   |
      | more neighbours than the server allows       | 16384     |
