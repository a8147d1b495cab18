"""What server, client, fixture and features of OpenSearch call the same. Loads no library."""

SERVER = "server"
#: By which nodes of a cluster would reach each other; the server insists on having it.
TRANSPORT = "transport"
#: Key of a setting: the server makes documents of what topics have, and nobody writes to it.
FILLS_ITSELF = "fills_itself"
#: The fields of the orders that scenarios make, by how they are mapped.
FIELDS = {
    "id": "keyword", "title": "text", "status": "keyword", "count": "integer", "total": "double",
    "at": "date", "tags": "keyword", "note": "text",
}  # fmt: skip
#: Requests that a server must refuse, as features say them: the body of each search.
BAD_SEARCHES = {
    "a body that is no JSON": '{"query": {',
    "a query of an unknown kind": '{"query": {"matches": {"title": "red"}}}',
    "a range of words on a number": '{"query": {"range": {"count": {"gte": "many"}}}}',
    "a date that is none": '{"query": {"range": {"at": {"gte": "yesterday-ish"}}}}',
    "a page of more than 10000": '{"size": 10001}',
    "a page beyond the first 10000": '{"from": 10000, "size": 1}',
    "a negative size": '{"size": -1}',
    "sorting by a text": '{"sort": ["title"]}',
    "sorting by a field that is not there": '{"sort": ["weight"]}',
}
NO_INDEX = "a search in an index that is not there"
MISTAKES = (*BAD_SEARCHES, NO_INDEX)
