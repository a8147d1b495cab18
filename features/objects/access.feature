@objects
Feature: Who is let in, and what is refused
  A request that is refused has no effect. Names of cases are those of ceph/s3-tests.

  Background:
    Given a bucket
    And an object "report.csv" of 1000 bytes

  @S3-06 @critical
  Scenario Outline: <what> is refused with <code>
    When a request for "report.csv" has this mistake: <what>
    Then the request is refused with "<code>"
    And the object "report.csv" is downloaded as it was uploaded last

    Examples: what is not there
      | what                                      | code              |
      | a key that is not there                   | NoSuchKey         |
      | a bucket that is not there                | NoSuchBucket      |
      | a listing of a bucket that is not there   | NoSuchBucket      |
      | the removal of a bucket that is not empty | BucketNotEmpty    |
      | a bucket name with capitals               | InvalidBucketName |

    Examples: who asks, and when
      | what                            | code                  |
      | a wrong secret                  | SignatureDoesNotMatch |
      | an access key that nobody has   | InvalidAccessKeyId    |
      | no access key at all            | AccessDenied          |
      | a clock that is 20 minutes slow | RequestTimeTooSkewed  |
      | a clock that is 20 minutes fast | RequestTimeTooSkewed  |

    Examples: a body that was corrupted on its way
      | what                                           | code                                     |
      | a body other than that of its MD5              | BadDigest                                |
      | a body other than that of its CRC-32           | BadDigest or XAmzContentChecksumMismatch |
      | a body other than that of its SHA-256          | BadDigest or XAmzContentChecksumMismatch |
      | a body other than that of the CRC-32 behind it | BadDigest or XAmzContentChecksumMismatch |
      | a body other than the one that was signed      | XAmzContentSHA256Mismatch                |

  @S3-06 @critical
  Scenario: A connection that is cut half-way leaves an object as it was
    When the connection is cut in the middle of an upload of 6000000 bytes to "report.csv"
    And the connection is cut in the middle of an upload of 6000000 bytes to "new.csv"
    Then the object "report.csv" is downloaded as it was uploaded last
    And "new.csv" is not there

  @S3-06
  Scenario Outline: A <checksum> that comes with an upload stays with the object
    When an object "checked.bin" of 100000 bytes is uploaded with its <checksum>
    Then the server tells the right <checksum> of "checked.bin"
    And the object "checked.bin" is downloaded as it was uploaded last

    Examples:
      | checksum |
      | SHA-256  |

    @nightly
    Examples: other kinds
      | checksum |
      | CRC-32   |
      | SHA-1    |

  @S3-06
  Scenario: A checksum may follow its body, as today's clients send it
    When an object "streamed.bin" of 100000 bytes is uploaded with its CRC-32 behind it
    Then the object "streamed.bin" is downloaded as it was uploaded last

  @S3-07 @critical
  Scenario: A presigned URL lets somebody without an access key in
    When somebody without an access key uploads 100000 bytes to "by url/a+b=ü (1).bin" by a presigned URL
    Then somebody without an access key downloads "by url/a+b=ü (1).bin" by a presigned URL, as it was uploaded last

  @S3-07
  Scenario Outline: A URL that was presigned for a download is refused <else>
    When a URL that was presigned for a download of "report.csv" is used <else>
    Then the request is refused with "<code>"
    And the object "report.csv" is downloaded as it was uploaded last

    Examples:
      | else           | code         |
      | after its time | AccessDenied |

    @nightly
    Examples: what its signature does not cover
      | else            | code                  |
      | for another key | SignatureDoesNotMatch |
      | for an upload   | SignatureDoesNotMatch |
      | with more time  | SignatureDoesNotMatch |

  @S3-07 @critical
  Scenario: Of clients that create the same object, one succeeds (put_object_ifnonmatch_nonexisted_good)
    When 8 clients create "leader" at once, each only if the object is not there
    Then one client has created the object, and everybody reads what it has uploaded

  @S3-07
  Scenario: No update is lost where each replaces only what it has read (put_object_ifmatch_good)
    When 6 clients raise the counter "visits" at once, 6 times each, only if nobody else has changed it
    Then the counter "visits" has come to 36, and no update is lost

  @S3-07
  Scenario: Conditional downloads
    Then conditional downloads of "report.csv" are answered as follows
      | case                                | condition                              | answer |
      | get_object_ifmatch_good             | If-Match: its tag                      | 200    |
      | get_object_ifmatch_failed           | If-Match: another tag                  | 412    |
      | get_object_ifnonematch_good         | If-None-Match: its tag                 | 304    |
      | get_object_ifnonematch_failed       | If-None-Match: another tag             | 200    |
      | get_object_ifmodifiedsince_good     | If-Modified-Since: an hour before it   | 200    |
      | get_object_ifmodifiedsince_failed   | If-Modified-Since: its time            | 304    |
      | get_object_ifunmodifiedsince_good   | If-Unmodified-Since: an hour before it | 412    |
      | get_object_ifunmodifiedsince_failed | If-Unmodified-Since: its time          | 200    |
