@objects
Feature: A listing has every object once
  In order, page by page, by prefix, and as folders by a delimiter. Names in the column "case" are
  those of ceph/s3-tests.

  Background:
    Given a bucket

  @S3-01 @critical
  Scenario: A listing goes on page by page to its end (bucket_listv2_many)
    Given 60 objects in the bucket
    Then a listing in pages of 7 has each object once, in order
    And a listing in pages of 60 has each object once, in order

  @S3-01 @nightly @timeout:180
  Scenario: More than 1,000 objects are listed (bucket_list_return_data)
    Given 1107 objects in the bucket
    Then a listing in pages of 1000 has each object once, in order
    And a listing in pages of 37 has each object once, in order

  @S3-01
  Scenario: Parts of a listing are told by prefix, delimiter and first key
    Given an object under each of these keys
      | key           |
      | 2026/01/a.csv |
      | 2026/01/b.csv |
      | 2026/02/c.csv |
      | 2026/d.csv    |
      | 2026-old.csv  |
      | 2027/01/e.csv |
      | top.csv       |
    Then parts of the listing are
      | case                                               | prefix  | delimiter | start after   | page | keys                                                                       | common prefixes   |
      | bucket_listv2_prefix_basic                         | 2026/0  |           |               |      | 2026/01/a.csv 2026/01/b.csv 2026/02/c.csv                                  |                   |
      | bucket_listv2_prefix_not_exist                     | 2028/   |           |               |      |                                                                            |                   |
      | bucket_listv2_delimiter_basic                      |         | /         |               |      | 2026-old.csv top.csv                                                       | 2026/ 2027/       |
      | bucket_listv2_prefix_delimiter_basic               | 2026/   | /         |               |      | 2026/d.csv                                                                 | 2026/01/ 2026/02/ |
      | bucket_listv2_delimiter_prefix (page by page)      | 2026/   | /         |               | 1    | 2026/d.csv                                                                 | 2026/01/ 2026/02/ |
      | bucket_listv2_prefix_delimiter_prefix_not_exist    | 2028/   | /         |               |      |                                                                            |                   |
      | bucket_listv2_prefix_delimiter_delimiter_not_exist | 2026/   | !         |               |      | 2026/01/a.csv 2026/01/b.csv 2026/02/c.csv 2026/d.csv                       |                   |
      | bucket_listv2_delimiter_alt                        |         | -         |               |      | 2026/01/a.csv 2026/01/b.csv 2026/02/c.csv 2026/d.csv 2027/01/e.csv top.csv | 2026-             |
      | bucket_listv2_startafter_not_in_list               | 2026/   |           | 2026/02       |      | 2026/02/c.csv 2026/d.csv                                                   |                   |
      | bucket_listv2_startafter_after_list                |         |           | zzz           |      |                                                                            |                   |
      | bucket_listv2_startafter (a key)                   |         |           | 2027/01/e.csv |      | top.csv                                                                    |                   |
      | bucket_listv2_maxkeys_one                          | 2026/01 |           |               | 1    | 2026/01/a.csv 2026/01/b.csv                                                |                   |
