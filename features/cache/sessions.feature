@cache
Feature: Sessions live as long as they are renewed, and lose no update
  A user who is at work stays signed in, and one who has left does not. What one request
  has written into a session another one must not wipe out.

  Background:
    Given a Redis server

  @CACHE-05
  Scenario: A session ends when its time is over
    Given the session-store is running with sessions of 2 seconds
    And the session "anna" was created
    Then the session "anna" ends when its time is over, at most 1 second later

  @CACHE-05 @critical
  Scenario: A session that is renewed lives on, and ends afterwards
    Given the session-store is running with sessions of 2 seconds
    And the session "anna" was created
    When the session "anna" is renewed for 3 seconds
    Then the session "anna" ends when its time is over, at most 1 second later

  @CACHE-05 @critical
  Scenario: Updates of many clients do not overwrite each other
    Given the session-store is running with sessions of 60 seconds
    And the session "anna" was created
    When 8 clients update the session "anna" until 40 updates are accepted
    Then no accepted update of a session is lost
