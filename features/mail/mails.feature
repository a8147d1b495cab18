@mail
Feature: Mails arrive as they were sent
  What the mail server has accepted lies in the mailbox of each recipient: once, and unchanged.

  @MAIL-01 @critical
  Scenario: Mails arrive once and unchanged, whatever they consist of
    Given a mail server
    When these mails are sent
      | to                               | cc                | bcc                | subject            | text                | html            | attachment  |
      | ada@example.com                  |                   |                    | Order 1042 shipped | Thank you.          |                 |             |
      | ada@example.com, bob@example.com | carla@example.com | hidden@example.com | To several         | For all of you.     |                 |             |
      | ada@example.com                  |                   |                    | With HTML          | Plain for the rest. | <b>Bold</b>     |             |
      | ada@example.com                  |                   |                    | HTML alone         |                     | <p>Nothing else |             |
      | bob@example.com                  |                   |                    | With an attachment | See below.          |                 | invoice.pdf |
      | bob@example.com                  |                   |                    | Größe: 10 € 漢字 🎉   | Žluťoučký kůň, ﷽    | <p>Ελληνικά</p> | größe.csv   |
    Then every recipient receives these mails within 5 seconds, once and unchanged

  @MAIL-01
  Scenario: An address that is refused costs the others nothing
    Given a mail server that accepts mail for "example.com" only
    When these mails are sent
      | to                                 | subject | text   |
      | ada@example.com, eve@elsewhere.org | Offer   | Hello. |
      | eve@elsewhere.org                  | Again   | Hello. |
    Then "eve@elsewhere.org" was refused with code 550 for each mail
    And every recipient receives these mails within 5 seconds, once and unchanged
