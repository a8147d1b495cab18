@objects
Feature: Old versions stay, and objects end, as their bucket says
  Names of cases are those of ceph/s3-tests.

  @S3-05 @critical
  Scenario: Each version stays (versioning_obj_create_read_remove)
    Given a bucket that keeps versions
    When "report.csv" is uploaded 3 times
    Then each version of "report.csv" is listed, and downloaded as it was uploaded
    And the current version of "report.csv" is version 3

  @S3-05
  Scenario: A deletion hides an object, and can be undone (versioning_obj_list_marker)
    Given a bucket that keeps versions
    And "report.csv" was uploaded 2 times
    When "report.csv" is deleted without a version
    Then "report.csv" is not there
    And each version of "report.csv" is listed, and downloaded as it was uploaded
    When version 3 of "report.csv" is deleted
    Then the current version of "report.csv" is version 2

  @S3-05 @nightly
  Scenario: A version that is deleted by its ID is gone, and only that one (versioning_obj_create_versions_remove_special)
    Given a bucket that keeps versions
    And "report.csv" was uploaded 3 times
    When version 3 of "report.csv" is deleted
    And version 1 of "report.csv" is deleted
    Then each version of "report.csv" is listed, and downloaded as it was uploaded
    And the current version of "report.csv" is version 1

  @S3-05 @nightly
  Scenario: Versions stay when the bucket keeps no further ones (versioning_obj_suspend_versions)
    Given a bucket that keeps versions
    And "report.csv" was uploaded 2 times
    When the bucket keeps no further versions
    And "report.csv" is uploaded 2 times
    Then each version of "report.csv" is listed, and downloaded as it was uploaded
    And the current version of "report.csv" is version 3

  @S3-05
  Scenario: Lifecycle rules are stored as they were set (lifecycle_get)
    Given a bucket
    When these lifecycle rules are set
      | id     | prefix | status   | expires after days | old versions after days | unfinished uploads after days |
      | logs   | logs/  | Enabled  | 30                 |                         |                               |
      | old    | data/  | Enabled  |                    | 7                       |                               |
      | paused | tmp/   | Disabled | 1                  |                         |                               |
    Then exactly these lifecycle rules are stored
      | id     | prefix | status   | expires after days | old versions after days | unfinished uploads after days |
      | logs   | logs/  | Enabled  | 30                 |                         |                               |
      | old    | data/  | Enabled  |                    | 7                       |                               |
      | paused | tmp/   | Disabled | 1                  |                         |                               |

  @S3-05 @nightly
  Scenario: Lifecycle rules that mean nothing are refused (lifecycle_same_id, lifecycle_invalid_status)
    Given a bucket
    Then these lifecycle rules are refused with "InvalidArgument"
      | id   | prefix | expires after days |
      | same | a/     | 1                  |
      | same | b/     | 2                  |
    And these lifecycle rules are refused with "MalformedXML or InvalidArgument"
      | id    | prefix | status  | expires after days |
      | wrong | a/     | Perhaps | 1                  |

  @S3-05
  Scenario: What has expired is gone, and only that (lifecycle_expiration_date)
    Given a bucket
    And an object "logs/old.log" of 100 bytes
    And an object "data/new.csv" of 100 bytes
    When everything below "logs/" is set to have expired in 2020
    Then "logs/old.log" expires within 20 seconds
    And the object "data/new.csv" is downloaded as it was uploaded last
