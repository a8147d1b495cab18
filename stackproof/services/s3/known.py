"""What server, client and probe of S3 call the same."""

SERVER = "server"
#: Of the suite's own server: public, on loopback alone.
USER = PASSWORD = "minioadmin"
REGION = "us-east-1"
#: Of tables of listings.
LISTED = ("case", "prefix", "delimiter", "start after", "page", "keys", "common prefixes")
#: An access key that no server has.
OTHER_KEY = ("AKIANOBODYHASTHISONE", "nobody-has-this-secret-key-nobody-has-it")
#: Of tables of ranges, and of conditions.
RANGES = ("case", "range", "answer")
CONDITIONS = ("case", "condition", "answer")
#: Of tables of lifecycle rules.
RULES = ("id", "prefix", "status", "expires after days", "old versions after days",
         "unfinished uploads after days")  # fmt: skip
#: Kinds of checksums that stay with an object.
CHECKSUMS = ("CRC-32", "SHA-1", "SHA-256")
#: What is asked for that must be refused, in the words of features.
REFUSED = (
    "a key that is not there", "a bucket that is not there",
    "a listing of a bucket that is not there", "the removal of a bucket that is not empty",
    "a wrong secret", "an access key that nobody has", "no access key at all",
    "a clock that is 20 minutes slow", "a clock that is 20 minutes fast",
    "a body other than that of its MD5", "a body other than that of its CRC-32",
    "a body other than that of its SHA-256",
    "a body other than that of the CRC-32 behind it", "a body other than the one that was signed",
    "a bucket name with capitals",
)  # fmt: skip
#: How a URL is used that was presigned for a download.
MISUSED = ("after its time", "for another key", "for an upload", "with more time")
