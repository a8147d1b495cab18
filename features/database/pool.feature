@database
Feature: Many clients share a pool of connections
  A pool keeps clients from the cost of connections and the server from too
  many of them. Clients that find it exhausted are told so in time; a server
  that was away is used again; and no connection is lost on the way.

  Background:
    Given a PostgreSQL server

  @DB-01 @critical
  Scenario: Fifty clients share ten connections
    Given the connection-pool is running with 10 connections
    When 50 clients run 20 queries each through the pool
    Then each of the 1000 queries has its own answer
    And the server has at most 10 connections of the pool

  @DB-01 @performance
  Scenario: Fifty clients are answered fast
    Given the connection-pool is running with 10 connections
    When 50 clients run 20 queries each through the pool
    Then the average query latency is at most 500 milliseconds in the best of 3 rounds

  @DB-01
  Scenario: An exhausted pool says so in time
    Given the connection-pool is running with 10 connections, each waited for 1 second at most
    When all 10 connections are taken
    And another client asks the pool for a connection
    Then that client is told within 5 seconds that the pool is exhausted

  @DB-01
  Scenario: A client that waits gets the connection that is given back
    Given the connection-pool is running with 10 connections, each waited for 60 seconds at most
    When all 10 connections are taken
    And another client asks the pool for a connection
    And one of the connections is given back
    Then that client gets the connection within 10 seconds

  @DB-01
  Scenario: Queries that fail cost no connection
    Given the connection-pool is running with 10 connections
    When 100 queries that the server refuses are run through the pool
    Then each of these queries is refused by the server
    And all 10 connections can be taken

  @DB-01
  Scenario Outline: After the server <ends> and is back, the pool serves again
    Given the connection-pool is running with 10 connections
    When 50 clients run 2 queries each through the pool
    And the PostgreSQL server <ends> and is started again
    Then a query through the pool is answered within 15 seconds
    And all 10 connections can be taken

    Examples:
      | ends       |
      | crashes    |
      | is stopped |
