@database
Feature: PostgreSQL keeps what transactions were promised
  What was committed is there, what was rolled back or refused is not, and
  transactions side by side see no more of each other than their isolation
  level lets them.

  Background:
    Given a PostgreSQL server
    And the table "accounts" holds
      | id | owner | balance |
      | 1  | Ann   | 100     |
      | 2  | Bob   | 100     |

  @DB-05 @critical
  Scenario: What was committed is there
    When transaction "transfer" begins at read committed
    And "transfer" sets the balance of row 1 of "accounts" to 70
    And "transfer" sets the balance of row 2 of "accounts" to 130
    And "transfer" commits
    Then the table "accounts" is exactly
      | id | owner | balance |
      | 1  | Ann   | 70      |
      | 2  | Bob   | 130     |
    And nothing is read that was not committed

  @DB-05
  Scenario: Nothing of a transaction that was rolled back is there
    When transaction "transfer" begins at read committed
    And "transfer" sets the balance of row 1 of "accounts" to 0
    And "transfer" is rolled back
    Then the table "accounts" is exactly
      | id | owner | balance |
      | 1  | Ann   | 100     |
      | 2  | Bob   | 100     |
    And nothing is read that was not committed

  @DB-05
  Scenario Outline: A row that breaks a <constraint> constraint is refused, with all of its transaction
    Given "<definition>" has been run
    When transaction "bad" begins at read committed
    And "bad" runs "UPDATE accounts SET balance = 50 WHERE id = 2"
    And "bad" runs "<statement>"
    Then "bad" is refused for "<constraint>"
    And the table "accounts" is exactly
      | id | owner | balance |
      | 1  | Ann   | 100     |
      | 2  | Bob   | 100     |

    Examples:
      | constraint  | definition                                                      | statement                                     |
      | unique      | ALTER TABLE accounts ADD UNIQUE (owner)                         | INSERT INTO accounts VALUES (3, 'Ann', 1)     |
      | not null    | ALTER TABLE accounts ALTER owner SET NOT NULL                   | INSERT INTO accounts VALUES (3, NULL, 1)      |
      | check       | ALTER TABLE accounts ADD CHECK (balance >= 0)                   | UPDATE accounts SET balance = -1 WHERE id = 1 |
      | foreign key | CREATE TABLE cards (id int, account bigint REFERENCES accounts) | INSERT INTO cards VALUES (1, 999)             |

  @DB-05
  Scenario Outline: An update is <outcome> at <level>
    When transaction "one" begins at <level>
    And transaction "two" begins at <level>
    And "one" reads the balance of row 1 of "accounts"
    And "two" reads the balance of row 1 of "accounts"
    And "one" sets the balance of row 1 of "accounts" to 110
    And "one" commits
    And "two" sets the balance of row 1 of "accounts" to 120
    And "two" commits
    Then "two" <ends>
    And the balance of row 1 of "accounts" is <balance>
    And <update> is lost

    Examples:
      | level           | outcome                    | ends                                 | balance | update    |
      | read committed  | lost, as is allowed        | is committed                         | 120     | an update |
      | repeatable read | not lost: the second fails | is refused for "could not serialize" | 110     | no update |
      | serializable    | not lost: the second fails | is refused for "could not serialize" | 110     | no update |

  @DB-05
  Scenario Outline: Write skew at <level> <outcome>
    Each of two transactions sees that both accounts together hold enough, and empties one.
    When transaction "one" begins at <level>
    And transaction "two" begins at <level>
    And "one" runs "SELECT sum(balance) FROM accounts"
    And "two" runs "SELECT sum(balance) FROM accounts"
    And "one" runs "UPDATE accounts SET balance = balance - 150 WHERE id = 1"
    And "two" runs "UPDATE accounts SET balance = balance - 150 WHERE id = 2"
    And "one" commits
    And "two" commits
    Then "two" <ends>
    And "SELECT sum(balance) FROM accounts" returns "<sum>"

    Examples:
      | level           | outcome               | ends                                 | sum  |
      | repeatable read | occurs, as is allowed | is committed                         | -100 |
      | serializable    | does not occur        | is refused for "could not serialize" | 50   |

  @DB-05
  Scenario Outline: A phantom at <level> <outcome>
    When transaction "reader" begins at <level>
    And "reader" runs "SELECT count(*) FROM accounts WHERE balance >= 100"
    And transaction "writer" begins at read committed
    And "writer" runs "INSERT INTO accounts VALUES (3, 'Cem', 200)"
    And "writer" commits
    And "reader" runs "SELECT count(*) FROM accounts WHERE balance >= 100"
    Then "reader" found "<count>"
    And "writer" is committed

    Examples:
      | level           | outcome               | count |
      | read committed  | occurs, as is allowed | 3     |
      | repeatable read | does not occur        | 2     |
      | serializable    | does not occur        | 2     |

  @DB-05
  Scenario Outline: What another transaction has not committed is not read at <level>
    When transaction "writer" begins at read committed
    And "writer" sets the balance of row 1 of "accounts" to 0
    And transaction "reader" begins at <level>
    And "reader" reads the balance of row 1 of "accounts"
    And "writer" is rolled back
    Then "reader" found "100"
    And nothing is read that was not committed

    Examples:
      | level            |
      | read uncommitted |
      | read committed   |

  @DB-05
  Scenario: A transaction waits for the one that holds its row
    When transaction "one" begins at read committed
    And "one" runs "UPDATE accounts SET balance = 110 WHERE id = 1"
    And transaction "two" begins at read committed
    And "two" runs "UPDATE accounts SET balance = balance + 1 WHERE id = 1"
    Then "two" waits for a lock
    And "two" goes on once "one" commits
    And "two" can be committed
    And "SELECT balance FROM accounts WHERE id = 1" returns "111"

  @DB-05
  Scenario: A deadlock ends by one of two transactions being refused
    When transaction "one" begins at read committed
    And transaction "two" begins at read committed
    And "one" sets the balance of row 1 of "accounts" to 1
    And "two" sets the balance of row 2 of "accounts" to 2
    And "one" sets the balance of row 2 of "accounts" to 1
    And "two" sets the balance of row 1 of "accounts" to 2
    Then one of "one" and "two" is refused for "deadlock" within 5 seconds, and the other can be committed

  @DB-05
  Scenario: Test data is the scenario's own
    Given the table "customers" holds
      | id | name |
      | 1  | Ann  |
    Then nobody who looks for the table "customers" outside of the scenario finds it
