@objects
Feature: Large objects go up in parts, and come down in ranges
  An upload in parts becomes an object when it is completed, and not before; one that was interrupted
  goes on where it was. Names of cases are those of ceph/s3-tests.

  Background:
    Given a bucket

  @S3-03 @critical
  Scenario: An upload in parts is one object in the end (multipart_upload)
    Given an upload of "backup.tar" in 3 parts has begun
    When all parts are sent at once, and the upload is completed
    Then the object "backup.tar" is downloaded as it was uploaded last
    And a listing in pages of 1000 has each object once, in order

  @S3-03 @nightly
  Scenario: There is no object before the upload is completed
    Given an upload of "backup.tar" in 2 parts has begun
    When part 1 of the upload is sent
    And part 2 of the upload is sent
    Then "backup.tar" is not there

  @S3-03 @nightly
  Scenario: A part that is sent again replaces the one before (multipart_upload_resend_part)
    Given an upload of "backup.tar" in 2 parts has begun
    When part 2 of the upload is sent
    And part 1 of the upload is sent
    And part 1 of the upload is sent again with another content
    And the upload is completed
    Then the object "backup.tar" is downloaded as it was uploaded last

  @S3-03 @critical
  Scenario: An upload whose connection is cut goes on with what the server lacks
    Given an upload of "backup.tar" in 3 parts has begun
    And part 1 of the upload was sent
    When the connection is cut in the middle of part 2
    And the upload is resumed with what the server lacks
    And the upload is completed
    Then the object "backup.tar" is downloaded as it was uploaded last

  @S3-03
  Scenario: An aborted upload leaves nothing (abort_multipart_upload)
    Given an upload of "backup.tar" in 2 parts has begun
    And part 1 of the upload was sent
    When the upload is aborted
    Then nothing is left of the upload

  @S3-03
  Scenario: Parts that are too small are refused (multipart_upload_size_too_small)
    Given an upload of "backup.tar" in 2 parts of 1000 bytes has begun
    When all parts are sent at once, and the upload is completed
    Then the upload is refused with "EntityTooSmall"
    And "backup.tar" is not there

  @S3-03 @nightly
  Scenario: Parts with another entity tag are refused (multipart_upload_incorrect_etag)
    Given an upload of "backup.tar" in 2 parts of 1000 bytes has begun
    And part 1 of the upload was sent
    And part 2 of the upload was sent
    When the upload is completed with a wrong entity tag for part 1
    Then the upload is refused with "InvalidPart"
    And "backup.tar" is not there

  @S3-03
  Scenario: Ranges are downloaded
    Given an object "report.bin" of 6000000 bytes
    Then downloads of ranges of "report.bin" are answered as follows
      | case                                 | range                  | answer       |
      | ranged_request_response_code         | bytes=4-7              | 206          |
      | ranged_big_request_response_code     | bytes=3145728-5242880  | 206          |
      | ranged_request_skip_leading_bytes    | bytes=4-               | 206          |
      | ranged_request_return_trailing_bytes | bytes=-7               | 206          |
      | (the first byte)                     | bytes=0-0              | 206          |
      | (the last byte)                      | bytes=5999999-5999999  | 206          |
      | (beyond the end)                     | bytes=5999990-99999999 | 206          |
      | ranged_request_invalid_range         | bytes=6000000-6000001  | InvalidRange |

  @S3-03 @performance @nightly @timeout:180
  Scenario: 100 MB are streamed up and down, and never lie in memory
    When 100 MB are uploaded from a stream, and downloaded again
    Then the upload rate is more than 10 megabytes a second in the best of 3 rounds
    And the download rate is more than 20 megabytes a second in the best of 3 rounds
    And each download is one whole content, and none is stale
    And the client's memory has grown by at most 80 MiB
