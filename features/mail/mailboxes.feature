@mail
Feature: What a mailbox receives
  Whoever is addressed finds the mail in the mailbox, and nobody else does.

  @MAIL-01
  Scenario: A mailbox receives what was sent to it
    Given a mail server
    When these mails are sent
      | to              | subject            | text             |
      | ann@example.com | Invoice Nº 17 paid | 12.50 € received |
    Then the mailbox "ann@example.com" receives within 5 seconds a message where
      | field     | is                 |
      | $.subject | Invoice Nº 17 paid |
      | $.text    | {/.*12\.50.*/}     |
      | $.cc      | []                 |
    And the mailbox "ann@example.com" receives no other such message for 1 second
    And the mailbox "bob@example.com" receives no such message for 1 second
      | field     | is         |
      | $.subject | {any text} |
