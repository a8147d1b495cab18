@vectors @timeout:240
Feature: Searches find the nearest vectors
  What a search finds is compared with exact search over the same vectors.

  Background:
    Given a vector database

  @VEC-03 @VEC-04 @VEC-05
  Scenario Outline: Exact search finds the nearest ones by <metric>
    Given a collection "products" of vectors with 32 dimensions compared by "<metric>"
    When 1000 vectors are inserted into "products"
    Then searches in "products" find at least 100 % of the 10 nearest vectors
    And filtered searches in "products" by "price > 500" find at least 100 % of the 10 nearest vectors

    Examples: on every pull request
      | metric |
      | L2     |

    @nightly
    Examples: other metrics
      | metric |
      | IP     |
      | COSINE |

  @VEC-05 @nightly
  Scenario Outline: An index of type <index> finds at least <percent> % of the 10 nearest vectors
    Given a collection "products" of vectors with 128 dimensions
    When 20000 vectors are inserted into "products"
    And the collection "products" is indexed by "<index>" and loaded
    Then the index of "products" is "<index>" by "L2"
    And searches in "products" find at least <percent> % of the 10 nearest vectors

    Examples:
      | index    | percent |
      | FLAT     | 100     |
      | IVF_FLAT | 99      |
      | IVF_SQ8  | 95      |
      | IVF_PQ   | 70      |
      | HNSW     | 97      |
      | SCANN    | 90      |

  @VEC-05 @nightly
  Scenario: An index lives from its creation until it is dropped, and another takes its place
    Given a collection "products" of vectors with 32 dimensions
    When 3000 vectors are inserted into "products"
    And the collection "products" is indexed by "IVF_FLAT" and loaded
    Then the index of "products" is "IVF_FLAT" by "L2"
    And searches in "products" find at least 99 % of the 10 nearest vectors
    When the index of "products" is dropped
    Then the collection "products" has no index
    When the collection "products" is indexed by "HNSW" and loaded
    Then the index of "products" is "HNSW" by "L2"
    And searches in "products" find at least 97 % of the 10 nearest vectors

  @VEC-08
  Scenario: Ten clients insert at once, and each finds what it has inserted
    Given a collection "products" of vectors with 64 dimensions
    When 10 clients insert 60 vectors each into "products" at the same time
    Then the collection "products" holds exactly these vectors

  @VEC-04 @performance @nightly
  Scenario: More than 1000 vectors a second are inserted
    Given a collection "products" of vectors with 128 dimensions
    When 10000 vectors are inserted into "products" and timed
    Then the insertion rate is more than 1000 vectors a second in the best of 3 rounds
    And the collection "products" holds exactly these vectors

  @VEC-08 @performance @nightly
  Scenario: Ten clients search at once, half of the time in less than 100 milliseconds
    Given a collection "products" of vectors with 128 dimensions
    When 20000 vectors are inserted into "products"
    And the collection "products" is indexed by "HNSW" and loaded
    And 10 clients make 50 searches each in "products" at the same time, with Bounded consistency
    Then the median search latency is at most 100 milliseconds in the best of 3 rounds
