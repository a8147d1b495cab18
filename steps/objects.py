"""Object storage (S3): objects that are uploaded, downloaded, listed and deleted."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    empty,
    equal_to,
    is_in,
    is_not,
    less_than_or_equal_to,
)

from stackproof.services import s3
from stackproof.services.s3.known import CONDITIONS, LISTED, RANGES, RULES
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import Rounds
from stackproof.session.needs import needs
from stackproof.session.scenario import Context
from stackproof.session.tables import column, records


def objects_of(context: Context) -> s3.ObjectsFixture:
    """The scenario's work with its object store."""
    return context.session.use(s3.ObjectsFixture)


@given("a bucket")
@needs("s3")
def a_bucket(context: Context) -> None:
    """An empty bucket of the scenario's own, on a running server that others share."""
    assert_that(objects_of(context).listing().keys, empty())


# -- single objects ------------------------------------------------------------
@given('an object "{key}" of {size:d} bytes')
@when('an object "{key}" of {size:d} bytes is uploaded')
def object_is_uploaded(context: Context, key: str, size: int) -> None:
    """Uploads so many bytes in one request, others each time."""
    objects_of(context).upload(key, size)


@then('the object "{key}" is downloaded as it was uploaded last')
def object_is_downloaded(context: Context, key: str) -> None:
    """A whole download, byte for byte."""
    context.session.assert_history(objects_of(context).download([key]))


@when('the object "{key}" is deleted')
def object_is_deleted(context: Context, key: str) -> None:
    """A request that must succeed, whether there is such an object or not."""
    objects_of(context).delete([key])


@when(
    'the object "{key}" of {size:d} bytes is overwritten {times:d} times while {readers:d} clients download it'
)
def object_is_overwritten(context: Context, key: str, size: int, times: int, readers: int) -> None:
    """Uploads one content after the other; each client downloads it again and again meanwhile."""
    objects_of(context).overwrite_while_reading(key, times, readers, size)


@then("each download is one whole content, and none is stale")
def no_download_is_stale(context: Context) -> None:
    """As if each upload had happened at one moment between its beginning and its answer."""
    context.session.assert_history(objects_of(context).expected())


# -- metadata ------------------------------------------------------------------
@when('an object "{key}" is uploaded with this metadata')
def uploaded_with_metadata(context: Context, key: str) -> None:
    """Columns name and value: headers such as Content-Type, all other names are one's own."""
    rows = records(context.table, ("name", "value"))
    objects_of(context).upload_with(key, {row["name"]: row["value"] for row in rows})


@when('the object "{key}" is copied to "{to}"')
def object_is_copied(context: Context, key: str, to: str) -> None:
    """Copied by the server, in one request."""
    objects_of(context).copy(key, to)


@then('the object "{key}" has this metadata')
def object_has_metadata(context: Context, key: str) -> None:
    """What HEAD tells of these names."""
    wanted = {row["name"]: row["value"] for row in records(context.table, ("name", "value"))}
    assert_that(objects_of(context).metadata(key, wanted), equal_to(wanted))


# -- many ----------------------------------------------------------------------
@given("an object under each of these keys")
@when("an object is uploaded under each of these keys")
def uploaded_under_keys(context: Context) -> None:
    """Column key; each object has a byte of its own."""
    objects_of(context).upload_under(column(context.table, "key"))


@when("{count:d} vectors of {dimensions:d} dimensions are uploaded, with NaN, infinite, denormal and negative zero values")  # fmt: skip
def vectors_are_uploaded(context: Context, count: int, dimensions: int) -> None:
    """Each vector of float32 is an object."""
    objects_of(context).upload_vectors(count, dimensions)


@given("{count:d} objects in the bucket")
@when("{count:d} objects are uploaded")
def objects_are_uploaded(context: Context, count: int) -> None:
    """By eight clients at once."""
    objects_of(context).upload_many(count, 8)


@then("each object is downloaded as it was uploaded")
def each_is_downloaded(context: Context) -> None:
    """By eight clients at once, byte for byte."""
    context.session.assert_history(objects_of(context).download_many(8))


@when("all objects are deleted in one request")
def all_are_deleted(context: Context) -> None:
    """A batch of up to a thousand keys."""
    objects_of(context).delete(objects_of(context).uploaded)


@then("the bucket is empty")
def bucket_is_empty(context: Context) -> None:
    """A listing has nothing."""
    assert_that(objects_of(context).listing().keys, empty())
    context.session.assert_history(objects_of(context).bucket.listed())


# -- listings ------------------------------------------------------------------
@then("a listing in pages of {size:d} has each object once, in order")
def listed_in_pages(context: Context, size: int) -> None:
    """In the order of UTF-8, with sizes and entity tags; no page has more than it may."""
    objects = objects_of(context)
    told = objects.listing(page=size)
    context.session.assert_history(objects.bucket.listed())
    assert_that(told.keys, equal_to(sorted(objects.uploaded, key=str.encode)))
    assert_that(max(told.pages), less_than_or_equal_to(size), "entries in a page")


@then("parts of the listing are")
def parts_of_listing(context: Context) -> None:
    """Columns: case (as in s3-tests), prefix, delimiter, start after, page, keys, common prefixes."""
    rows = records(context.table, LISTED)
    assert_that(objects_of(context).listed_otherwise(rows), no_deviations(), "other answers")


# -- uploads in parts ----------------------------------------------------------
def uploads_of(context: Context) -> s3.Uploads:
    """The scenario's upload in parts."""
    return context.session.use(s3.Uploads)


@given('an upload of "{key}" in {parts:d} parts has begun')
@when('an upload of "{key}" in {parts:d} parts has begun')
def upload_has_begun(context: Context, key: str, parts: int) -> None:
    """Begins a multipart upload; each part has 5 MiB, the last one a byte more."""
    uploads_of(context).begin(key, parts)


@given('an upload of "{key}" in {parts:d} parts of {size:d} bytes has begun')
def small_upload_has_begun(context: Context, key: str, parts: int, size: int) -> None:
    """The same with parts of another size."""
    uploads_of(context).begin(key, parts, size=size)


@when("all parts are sent at once, and the upload is completed")
def all_parts_are_sent(context: Context) -> None:
    """By three clients; the parts come in no order."""
    uploads_of(context).send_all(3)
    uploads_of(context).complete()


@given("part {number:d} of the upload was sent")
@when("part {number:d} of the upload is sent")
def part_is_sent(context: Context, number: int) -> None:
    """One part in one request."""
    uploads_of(context).send([number])


@when("part {number:d} of the upload is sent again with another content")
def part_is_sent_again(context: Context, number: int) -> None:
    """The last content of a part counts."""
    uploads_of(context).send_anew(number)


@when("the connection is cut in the middle of part {number:d}")
def part_is_cut(context: Context, number: int) -> None:
    """Half of the part is sent, then the connection is reset."""
    uploads_of(context).cut(number)


@when("the upload is resumed with what the server lacks")
def upload_is_resumed(context: Context) -> None:
    """Asks which parts the server has, and sends the others."""
    assert_that(uploads_of(context).resume(), is_not(empty()), "parts that the server lacks")


@when("the upload is completed")
def upload_is_completed(context: Context) -> None:
    """With the parts that were sent; the server may refuse it."""
    uploads_of(context).complete()


@when("the upload is completed with a wrong entity tag for part 1")
def upload_is_completed_wrongly(context: Context) -> None:
    """With the parts that were sent, and the tag of another one."""
    uploads_of(context).complete_with_wrong_tag()


@when("the upload is aborted")
def upload_is_aborted(context: Context) -> None:
    """The server may forget its parts."""
    uploads_of(context).abort()


@then('the upload is refused with "{code}"')
def upload_is_refused(context: Context, code: str) -> None:
    """Completing it was answered with this code."""
    assert_that(uploads_of(context).refusal, equal_to(code))


@then("nothing is left of the upload")
def nothing_is_left(context: Context) -> None:
    """Neither an object, nor the upload in a listing, nor a part."""
    assert_that(uploads_of(context).left(), empty())


@then('downloads of ranges of "{key}" are answered as follows')
def ranges_are_answered(context: Context, key: str) -> None:
    """Columns: case (as in s3-tests), range (the header), answer: 206 with its bytes, or a code."""
    rows = records(context.table, RANGES)
    assert_that(uploads_of(context).ranges_otherwise(key, rows), no_deviations(), "other answers")


@when("{size:d} MB are uploaded from a stream, and downloaded again")
def streamed(context: Context, size: int) -> None:
    """In parts of 8 MiB, never all in memory; a megabyte is a million bytes."""
    context.session.use(Rounds).begin(context.session.use(s3.Streaming).up_and_down, size)


@then("the client's memory has grown by at most {most:d} MiB")
def memory_is_bounded(context: Context, most: int) -> None:
    """This process's resident memory, looked at all the time, in all rounds together."""
    grown = context.session.use(s3.Streaming).grown
    assert_that(grown, less_than_or_equal_to(most), "MiB")


# -- versions ------------------------------------------------------------------
def versions_of(context: Context) -> s3.Versions:
    """The versions of the scenario's objects."""
    return context.session.use(s3.Versions)


@given("a bucket that keeps versions")
@needs("s3")
def a_bucket_with_versions(context: Context) -> None:
    """An empty bucket of the scenario's own."""
    versions_of(context).keep()


@when("the bucket keeps no further versions")
def versions_are_suspended(context: Context) -> None:
    """Versioning is suspended: what is uploaded from now on replaces what has no version."""
    versions_of(context).keep("Suspended")


@given('"{key}" was uploaded {times:d} times')
@when('"{key}" is uploaded {times:d} times')
def uploaded_times(context: Context, key: str, times: int) -> None:
    """A thousand other bytes each time."""
    versions_of(context).upload(key, times)


@when('"{key}" is deleted without a version')
def deleted_without_version(context: Context, key: str) -> None:
    """Which leaves a delete marker."""
    versions_of(context).delete(key)


@when('version {number:d} of "{key}" is deleted')
def version_is_deleted(context: Context, number: int, key: str) -> None:
    """For good; a delete marker counts as a version."""
    versions_of(context).remove(key, number)


@then('each version of "{key}" is listed, and downloaded as it was uploaded')
def versions_are_there(context: Context, key: str) -> None:
    """Those that were made and not deleted, newest first, delete markers among them."""
    assert_that(versions_of(context).otherwise(key), no_deviations(), "other versions")
    context.session.assert_history(objects_of(context).expected())


@then('the current version of "{key}" is version {number:d}')
def is_version(context: Context, key: str, number: int) -> None:
    """A download without a version has the content of that one."""
    assert_that(versions_of(context).is_version(key, number), equal_to(True), "the same content")


@then('"{key}" is not there')
def object_is_not_there(context: Context, key: str) -> None:
    """Neither GET, HEAD nor a listing finds it."""
    assert_that(objects_of(context).traces(key), empty(), "ways to find it")


# -- lifecycle -----------------------------------------------------------------
@when("these lifecycle rules are set")
def rules_are_set(context: Context) -> None:
    """Columns: id, prefix, status, and after how many days what ends."""
    versions_of(context).set_rules(records(context.table, RULES))


@then("exactly these lifecycle rules are stored")
def rules_are_stored(context: Context) -> None:
    """The server tells them as they were set, and no others."""
    found = versions_of(context).rules_otherwise(records(context.table, RULES))
    assert_that(found, no_deviations(), "other rules")


@then('these lifecycle rules are refused with "{codes}"')
def rules_are_refused(context: Context, codes: str) -> None:
    """Setting them is answered with this code, or one of several, as "A or B"."""
    refusal = versions_of(context).refusal_of(records(context.table, RULES))
    assert_that(refusal, is_in(codes.split(" or ")))


@when('everything below "{prefix}" is set to have expired in 2020')
def everything_expires(context: Context, prefix: str) -> None:
    """A lifecycle rule with a date that is over."""
    versions_of(context).expire(prefix)


@then('"{key}" expires within {limit:Seconds}')
def object_expires(context: Context, key: str, limit: float) -> None:
    """It is there no more; many servers look through their buckets but once a day."""
    versions_of(context).await_expired(key, limit)


# -- what must be refused, and presigned URLs ----------------------------------
def access_of(context: Context) -> s3.Access:
    """Requests that no usual client would send."""
    return context.session.use(s3.Access)


@when('a request for "{key}" has this mistake: {what:Refused}')
def asked_for(context: Context, what: str, key: str) -> None:
    """One signed request, with nothing wrong but that."""
    access_of(context).ask(what, key)


@when('the connection is cut in the middle of an upload of {size:d} bytes to "{key}"')
def upload_is_cut(context: Context, size: int, key: str) -> None:
    """Half of the object is sent, then the connection is reset."""
    access_of(context).cut(key, size)


@then('the request is refused with "{codes}"')
def it_is_refused(context: Context, codes: str) -> None:
    """With this code, or one of several: "BadDigest or InvalidDigest"."""
    assert_that(access_of(context).refusal, is_in(codes.split(" or ")))


@when('an object "{key}" of {size:d} bytes is uploaded with its {checksum:Checksum}')
def uploaded_with_checksum(context: Context, key: str, size: int, checksum: str) -> None:
    """The client computes and sends it."""
    objects_of(context).upload(key, size, ChecksumAlgorithm=checksum.replace("-", ""))


@when('an object "{key}" of {size:d} bytes is uploaded with its CRC-32 behind it')
def uploaded_with_trailer(context: Context, key: str, size: int) -> None:
    """In chunks, unsigned, with a trailing checksum."""
    access_of(context).upload_with_trailer(key, size)


@then('the server tells the right {checksum:Checksum} of "{key}"')
def checksum_is_right(context: Context, checksum: str, key: str) -> None:
    """HEAD tells the checksum of what was uploaded."""
    found = access_of(context).checksum_otherwise(key, checksum)
    assert_that(found, no_deviations(), "other checksums")


@when('somebody without an access key uploads {size:d} bytes to "{key}" by a presigned URL')
def uploaded_by_url(context: Context, size: int, key: str) -> None:
    """A plain PUT."""
    access_of(context).upload_by_url(key, size)


@then('somebody without an access key downloads "{key}" by a presigned URL, as it was uploaded last')  # fmt: skip
def downloaded_by_url(context: Context, key: str) -> None:
    """A plain GET."""
    access_of(context).download_by_url(key)
    context.session.assert_history(objects_of(context).expected())


@when('a URL that was presigned for a download of "{key}" is used {how:Misuse}')
def url_is_misused(context: Context, key: str, how: str) -> None:
    """The signature does not cover that."""
    access_of(context).misuse_url(key, how)


# -- conditions ----------------------------------------------------------------
def conditions_of(context: Context) -> s3.Conditions:
    """Conditional requests."""
    return context.session.use(s3.Conditions)


@when('{clients:d} clients create "{key}" at once, each only if the object is not there')
def created_together(context: Context, clients: int, key: str) -> None:
    """If-None-Match: *"""
    conditions_of(context).create_together(key, clients)


@then("one client has created the object, and everybody reads what it has uploaded")
def one_has_created(context: Context) -> None:
    """All others were refused, without effect."""
    assert_that(conditions_of(context).created, equal_to(1), "clients that have created it")
    context.session.assert_history(conditions_of(context).expected())


@when('{clients:d} clients raise the counter "{key}" at once, {times:d} times each, only if nobody else has changed it')  # fmt: skip
def counted_together(context: Context, clients: int, key: str, times: int) -> None:
    """If-Match: each reads, adds one, and writes; whoever is refused begins again."""
    conditions_of(context).count_together(key, clients, times)


@then('the counter "{key}" has come to {count:d}, and no update is lost')
def no_update_is_lost(context: Context, key: str, count: int) -> None:
    """Every counting counts."""
    found = conditions_of(context).count(key)
    context.session.assert_history(conditions_of(context).expected())
    assert_that(found, equal_to(count))


@then('conditional downloads of "{key}" are answered as follows')
def conditions_are_answered(context: Context, key: str) -> None:
    """Columns: case (as in s3-tests), condition, answer: the status."""
    rows = records(context.table, CONDITIONS)
    found = conditions_of(context).answers_otherwise(key, rows)
    assert_that(found, no_deviations(), "other answers")
