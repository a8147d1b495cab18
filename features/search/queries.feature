@search @timeout:120
Feature: Queries find what they say
  What a query finds, in which order, and how many it says there are is compared with a plain
  evaluation over the same documents.

  Background:
    Given a search engine
    And an index "orders" of 400 orders

  @SEARCH-02 @critical
  Scenario: Words, values, phrases and ranges
    Then each of these queries finds in the index "orders" exactly what it says
      | query                                                           |
      | {"match_all": {}}                                               |
      | {"match": {"title": "RED band"}}                                |
      | {"match": {"title": {"query": "red shoes", "operator": "and"}}} |
      | {"term": {"status": "Paid in part"}}                            |
      | {"terms": {"tags": ["sale", "last one"]}}                       |
      | {"match_phrase": {"title": "red shoes"}}                        |
      | {"range": {"total": {"gte": 100, "lt": 500.5}}}                 |
      | {"range": {"at": {"gt": "2026-01-15T00:00:00+01:00"}}}          |
      | {"exists": {"field": "note"}}                                   |
      | {"ids": {"values": ["o-00001", "o-00400", "o-00401"]}}          |
      | {"prefix": {"status": "pa"}}                                    |
      | {"wildcard": {"status": "*a*d"}}                                |

  @SEARCH-02
  Scenario: Texts are found by their words, keywords as a whole
    Then each of these queries finds in the index "orders" exactly what it says
      | query                                 |
      | {"term": {"title": "Red"}}            |
      | {"term": {"title": "red"}}            |
      | {"term": {"title": "red shoes"}}      |
      | {"term": {"status": "paid"}}          |
      | {"match": {"status": "paid in part"}} |
      | {"match": {"status": "Paid in part"}} |

  @SEARCH-02
  Scenario: Clauses are combined
    Then each of these queries finds in the index "orders" exactly what it says
      | query                                                                                                                                            |
      | {"bool": {"must": [{"match": {"title": "red"}}], "filter": [{"range": {"count": {"gte": 10}}}]}}                                                 |
      | {"bool": {"filter": [{"term": {"status": "open"}}], "must_not": [{"match": {"title": "hat"}}]}}                                                  |
      | {"bool": {"should": [{"term": {"count": 3}}, {"match_phrase": {"note": "red hat"}}]}}                                                            |
      | {"bool": {"must": [{"match": {"title": "blue"}}], "should": [{"term": {"status": "paid"}}]}}                                                     |
      | {"bool": {"should": [{"term": {"tags": "new"}}, {"term": {"tags": "sale"}}, {"term": {"tags": "gift"}}], "minimum_should_match": 2}}             |
      | {"bool": {"must_not": [{"exists": {"field": "note"}}, {"bool": {"should": [{"term": {"status": "paid"}}, {"range": {"total": {"lt": 300}}}]}}]}} |

  @SEARCH-02
  Scenario Outline: A query that fits nothing finds nothing: <query>
    Then the query <query> finds nothing in the index "orders"

    Examples: on every pull request
      | query                            |
      | {"match": {"title": "umbrella"}} |

    @nightly
    Examples: other kinds
      | query                                                                                   |
      | {"match_none": {}}                                                                      |
      | {"range": {"count": {"gt": 5, "lt": 5}}}                                                |
      | {"term": {"weight": 1}}                                                                 |
      | {"bool": {"filter": [{"term": {"status": "open"}}, {"term": {"status": "cancelled"}}]}} |

  @SEARCH-02
  Scenario: Documents are sorted, and come page by page
    Then pages of 70 orders of the index "orders" come in each of these orders
      | sorted by         |
      | id                |
      | -total, id        |
      | status, -at, id   |
      | count, -total, id |

  @SEARCH-02
  Scenario Outline: A bad query is a clear error: <mistake>
    Then <mistake> in the index "orders" is refused with code <code> and "<told>"

    Examples: on every pull request
      | mistake                                | code | told              |
      | a query of an unknown kind             | 400  | matches           |
      | a search in an index that is not there | 404  | no such index     |
      | a page beyond the first 10000          | 400  | max_result_window |

    @nightly
    Examples: more
      | mistake                              | code | told              |
      | a body that is no JSON               | 400  | end-of-input      |
      | a range of words on a number         | 400  | many              |
      | a date that is none                  | 400  | yesterday-ish     |
      | a page of more than 10000            | 400  | max_result_window |
      | a negative size                      | 400  | size              |
      | sorting by a text                    | 400  | title             |
      | sorting by a field that is not there | 400  | weight            |
