@database
Feature: PostgreSQL tells how it is
  Whoever watches a database sees its connections and its long transactions,
  and the question itself costs next to nothing.

  Background:
    Given a PostgreSQL server of its own

  @DB-03
  Scenario: Connections are counted
    Given 7 connections are open
    Then the server's health shows 7 connections of 100

  @DB-03
  Scenario: A transaction that is open for long is seen
    When transaction "forgotten" begins at read committed
    And "forgotten" runs "SELECT 1"
    Then the server's health shows 1 transaction open for more than 1 second within 10 seconds
    And no long transaction is shown once "forgotten" commits

  @DB-03 @performance
  Scenario: Health is told at once
    Given 20 connections are open
    When the server's health is asked for 20 times
    Then the median health check latency is at most 100 milliseconds in the best of 3 rounds
