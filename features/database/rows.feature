@database
Feature: What a table holds
  Rows are found as they were written, with kinds and figures intact.

  @DB-05
  Scenario: A table has exactly the rows that were put there
    Given a PostgreSQL server
    And "CREATE TABLE invoices (id text PRIMARY KEY, amount numeric, paid boolean, note jsonb)" has been run
    When these rows are put into the table "invoices"
      | id      | amount               | paid  | note          |
      | "one"   | 12.50                | true  | {"by": "Ann"} |
      | "two"   | 12345678901234567890 | false | null          |
      | "three" | 0                    | null  | []            |
    Then within 5 seconds the table "invoices" has exactly these rows, matched by "id"
      | id    | amount               | paid  | note          |
      | three | 0                    | null  | []            |
      | one   | 12.5                 | true  | {"by": "Ann"} |
      | two   | 12345678901234567890 | false | null          |
    And within 5 seconds the table "invoices" has a row where
      | field     | is                  |
      | $.id      | {one of one, two}   |
      | $.note.by | {any text as payer} |
    And for 1 second the table "invoices" has no row where
      | field     | is      |
      | $.note.by | {payer} |
      | $.paid    | false   |
