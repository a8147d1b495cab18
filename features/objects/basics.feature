@objects
Feature: Objects are kept as they were uploaded
  What was uploaded last under a key is what everybody downloads, byte for byte, whatever the key and
  whatever the content. Names in the column "case" are those of ceph/s3-tests.

  Background:
    Given a bucket

  @S3-01 @critical
  Scenario Outline: An object of <size> bytes is downloaded as it was uploaded
    When an object "report.bin" of <size> bytes is uploaded
    Then the object "report.bin" is downloaded as it was uploaded last

    Examples: nothing, one byte, and what servers keep in another way
      | size    |
      | 0       |
      | 1       |
      | 131073  |
      | 6000000 |

  @S3-01 @critical @nightly
  Scenario: The last upload counts
    Given an object "report.bin" of 1000 bytes
    When an object "report.bin" of 2000 bytes is uploaded
    And an object "report.bin" of 500 bytes is uploaded
    Then the object "report.bin" is downloaded as it was uploaded last
    And a listing in pages of 1000 has each object once, in order

  @S3-01 @nightly
  Scenario: Nobody downloads a stale or a mixed content
    When the object "report.bin" of 200000 bytes is overwritten 20 times while 4 clients download it
    Then each download is one whole content, and none is stale

  @S3-01
  Scenario: A deleted object is gone, and only that one
    Given an object "a.bin" of 1000 bytes
    And an object "b.bin" of 1000 bytes
    When the object "a.bin" is deleted
    And the object "never-there.bin" is deleted
    Then "a.bin" is not there
    And the object "b.bin" is downloaded as it was uploaded last

  @S3-01
  Scenario: Metadata stay with an object, and go with its copy
    When an object "report.csv" is uploaded with this metadata
      | name                | value                                  |
      | Content-Type        | text/csv; charset=utf-8                |
      | Cache-Control       | max-age=60                             |
      | Content-Disposition | attachment; filename="report 2026.csv" |
      | owner               | Ada Lovelace                           |
      | source-row          | 42                                     |
    And the object "report.csv" is copied to "copies/report.csv"
    Then the object "copies/report.csv" has this metadata
      | name                | value                                  |
      | Content-Type        | text/csv; charset=utf-8                |
      | Cache-Control       | max-age=60                             |
      | Content-Disposition | attachment; filename="report 2026.csv" |
      | owner               | Ada Lovelace                           |
      | source-row          | 42                                     |
    And each object is downloaded as it was uploaded

  @S3-01
  Scenario: An object is replaced as a whole
    When this value is put into the object "order.json"
      """json
      {"order": 1042, "items": ["a-1", "b-2"], "note": "as a gift"}
      """
    And this value is put into the object "order.json"
      """json
      {"order": 1042, "items": ["a-1"]}
      """
    Then within 2 seconds the object "order.json" holds
      """json
      {"order": 1042, "items": ["a-1"]}
      """
    And within 1 second the object "order.xml" is not there

  @S3-01
  Scenario: Any key is as good as another
    When an object is uploaded under each of these keys
      | key                         |
      | with a blank                |
      | plus+sign                   |
      | percent%20sign              |
      | question?mark=1&more        |
      | hash#sign                   |
      | a:b@c;d,e=f$g!h~i*j'k(l)    |
      | quote"apostrophe'backtick`  |
      | <angle>&amp;[square]{brace} |
      | Größe/漢字/🎉.txt              |
      | trailing-blank /x           |
      | .hidden                     |
      | ..hidden/...                |
      | UPPER                       |
      | upper                       |
    Then each object is downloaded as it was uploaded
    And a listing in pages of 1000 has each object once, in order

  @S3-01
  Scenario: A key may end as a folder's does
    When an object is uploaded under each of these keys
      | key        |
      | models/    |
      | models/a/  |
      | models/a/b |
    Then each object is downloaded as it was uploaded
    And a listing in pages of 1000 has each object once, in order

  @S3-02 @critical
  Scenario: Stored vectors keep every bit
    When 50 vectors of 128 dimensions are uploaded, with NaN, infinite, denormal and negative zero values
    Then each object is downloaded as it was uploaded

  @S3-04 @critical
  Scenario: A batch is uploaded, downloaded and deleted
    When 40 objects are uploaded
    Then each object is downloaded as it was uploaded
    When all objects are deleted in one request
    Then the bucket is empty
