"""What comes out, understood through contracts that call things in their own way."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest

from stackproof.errors import NotSupported, Trouble
from stackproof.history import History, carried_digest, digest_of
from stackproof.polling import Died
from stackproof.services.kafka.client.consuming import _Recorder
from stackproof.services.kafka.client.messages import Message, Received
from stackproof.settings import SystemSettings
from stackproof.systems.attached import AttachedSystem
from stackproof.systems.contracts import Contract, ContractViolationError
from stackproof.systems.interrupting import rightly_repeated
from stackproof.systems.observing import DeadLetters, JsonOutputs, with_reasons
from stackproof.systems.places import Place

SCORE = {"title": "Score", "x-identity": "/who/id", "type": "object", "required": ["who"],
         "properties": {"level": {"enum": ["HIGH", "LOW"]}}}  # fmt: skip
HEADERS = {"x-describes": "headers", "x-error-type": "err", "x-source-topic": "src",
           "x-failed-at": "at", "required": ["err"]}  # fmt: skip
CARRIED = {Place("/who/id"): Place("id"), Place("when"): Place("/header/at")}
NAN = b'{"who": {"id": "a"}, "when": NaN}'


def contract(tmp_path, schema):
    file = tmp_path / "c.json"
    file.write_text(json.dumps(schema))
    return Contract(file)


def record(value, key=b"k", headers=None, offset=0):
    value = json.dumps(value).encode() if isinstance(value, dict) else value
    return Received("t", 0, offset, key, value, 0, headers or {})


def observed(observer, *records):
    observer.reader = SimpleNamespace(records=list(records))
    return [observer.take(one) for one in records]


def test_identity_and_what_is_carried_are_found_where_the_contract_says(tmp_path):
    scores = JsonOutputs(contract(tmp_path, SCORE), CARRIED)
    good = record({"who": {"id": "a"}, "when": "now", "level": "LOW"}, key=b"a")
    ((ident, digest, carried),) = observed(scores, good)
    assert (ident, digest) == ("a", digest_of(good.value))
    assert carried == carried_digest({"/who/id": "a", "when": "now"})
    assert scores.received == {"a": 1}
    assert scores.wrongly_keyed() == []
    scores.check()


@pytest.mark.parametrize("value", [{"who": {}}, b"{", None, {"when": 1}, NAN])
def test_what_lacks_its_identity_is_taken_by_its_key(tmp_path, value):
    scores = JsonOutputs(contract(tmp_path, SCORE), CARRIED)
    ((ident, _, carried),) = observed(scores, record(value))
    assert ident == "k"
    assert carried is None or carried.values == {"when": "1"}


def test_what_lacks_another_carried_field_tells_the_rest(tmp_path):
    scores = JsonOutputs(contract(tmp_path, SCORE), CARRIED)
    ((ident, _, carried),) = observed(scores, record({"who": {"id": "a"}}))
    assert (ident, carried.values) == ("a", {"/who/id": '"a"'})


def test_violations_and_wrong_keys_are_told(tmp_path):
    scores = JsonOutputs(contract(tmp_path, SCORE), CARRIED)
    bad = record({"who": {"id": "a"}, "level": "MEDIUM"}, offset=7)
    nan = record(b'{"who": {"id": "b"}, "level": NaN}', key=b"b", offset=8)
    observed(scores, bad, record({"who": {"id": "c"}}), nan)
    for judge in (scores.check, scores.wrongly_keyed):
        with pytest.raises(ContractViolationError) as found:
            judge()
        told = str(found.value).splitlines()
        assert told[0] == "Score: 2 of 3 violate their contract c.json"
        assert told[1].startswith("  a, t/0@7: level: 'MEDIUM' is not one of")
        assert told[2].startswith("  b, t/0@8: it is not JSON: NaN is not JSON")
    assert scores.not_json().splitlines()[0] == "Score: 1 of 3 violate their contract c.json"
    observed(scores, record({"who": {"id": "a"}, "when": 1}))
    (told,) = scores.wrongly_keyed()
    assert "key b'k', subject 'a'" in told


def headers(**changes):
    texts = {"err": "E_X", "src": "in", "at": "2026-01-01T00:00:00Z", **changes}
    return {name: text.encode() for name, text in texts.items() if text is not None}


def test_letters_that_are_their_originals(tmp_path):
    letters = DeadLetters(contract(tmp_path, HEADERS))
    found = observed(letters, record(b"\xff", headers=headers()), record(None, headers=headers()))
    assert [digest for _, digest, _ in found] == [digest_of(b"\xff"), digest_of(None)]
    assert letters.error_types() == ["E_X", "E_X"]
    assert letters.counted() == "2 E_X"
    assert letters.without_origin("in") == []
    assert len(letters.without_origin("other")) == 2


@pytest.mark.parametrize("changes", [{"src": None}, {"src": "out"}, {"at": None}, {"at": ""}])
def test_letters_without_their_origin(tmp_path, changes):
    letters = DeadLetters(contract(tmp_path, HEADERS))
    observed(letters, record(b"x", headers=headers(**changes)))
    assert len(letters.without_origin("in")) == 1


def test_no_letter_proves_nothing(tmp_path):
    letters = DeadLetters(contract(tmp_path, HEADERS))
    observed(letters)
    assert letters.without_origin("in") == ["there is no dead letter"]
    assert letters.changed_surroundings([]) == ["there is no dead letter"]
    assert letters.counted() == "none"


def test_a_letter_that_violates_its_contract(tmp_path):
    letters = DeadLetters(contract(tmp_path, {**HEADERS, "x-error-text": "why"}))
    assert letters.violations() == ""
    bad = record(b"x", headers=headers(err=None, why="amount is missing"), offset=3)
    found = observed(letters, bad, record(b"y", headers=headers()))
    assert [digest for _, digest, _ in found] == [digest_of(b"x"), digest_of(b"y")]
    assert letters.counted() == "1 not as its contract says, 1 E_X"
    for judge in (letters.error_types, letters.letters):
        with pytest.raises(ContractViolationError) as violation:
            judge()
        assert str(violation.value) == letters.violations()
    assert letters.violations().splitlines() == [
        "c: 1 of 2 violate their contract c.json",
        "  k, t/0@3: the message: 'err' is a required property; its error: amount is missing",
    ]


JSON = {"x-original": "original", "x-original-encoding": "json"}
ORIGINAL = b'{"a": 1.0, "b": [{"c": 1e2, "d": null}], "e": "\\u00fc"}'


def letters_of(tmp_path, schema, sent, *letters):
    """The digests of letters about what was sent, under the key k."""
    made = DeadLetters(contract(tmp_path, schema))
    made.expect([Message(b"k", value) for value in sent])
    found = observed(made, *(record(json.dumps(letter).encode()) for letter in letters))
    return [digest for _, digest, _ in found], made


@pytest.mark.parametrize(
    "schema",
    [JSON, {"x-original": "original"}, {"x-original": "original", "x-original-encoding": "how"}],
)
def test_originals_that_are_json_values_are_compared_as_values(tmp_path, schema):
    same = [
        {"original": json.loads(ORIGINAL), "how": "json"},
        {"how": "json", "original": {"e": "ü", "b": [{"d": None, "c": 100}], "a": 1}},
    ]
    found, letters = letters_of(tmp_path, schema, [ORIGINAL], *same)
    assert found == [digest_of(ORIGINAL)] * 2
    assert letters.violations() == ""


@pytest.mark.parametrize(
    "changed",
    [{"a": True}, {"a": "1"}, {"a": 1.5}, {"b": []}, {"b": None}, {"b": [{"c": 100}]}, {"f": 1},
     {"e": "u"}],
)  # fmt: skip
def test_another_value_is_another_original(tmp_path, changed):
    letter = {"original": json.loads(ORIGINAL) | changed}
    found, _ = letters_of(tmp_path, JSON, [ORIGINAL], letter)
    assert found != [digest_of(ORIGINAL)]


@pytest.mark.parametrize(
    ("sent", "embedded"),
    [(b"[1, 2]", [1, 2.0]), (b"7", 7.0), (b'"text"', "text"), (b"null", None), (b"true", True),
     (b"{", "{"), (b'{"a": NaN}', '{"a": NaN}'), (b"", ""), (None, None),
     (b'{"a": 1, "a": 1}', '{"a": 1, "a": 1}')],
)  # fmt: skip
def test_originals_of_every_kind_can_be_embedded(tmp_path, sent, embedded):
    found, _ = letters_of(tmp_path, JSON, [sent], {"original": embedded})
    assert found == [digest_of(sent)]


def test_an_original_belongs_to_its_key(tmp_path):
    letters = DeadLetters(contract(tmp_path, JSON))
    letters.expect([Message(b"k", b'{"a":1}'), Message(b"l", b'{"a": 1}')])
    value = b'{"original": {"a": 1}}'
    found = observed(letters, record(value, key=b"k"), record(value, key=b"l"))
    assert [digest for _, digest, _ in found] == [digest_of(b'{"a":1}'), digest_of(b'{"a": 1}')]


@pytest.mark.parametrize(
    ("schema", "original", "shown"),
    [
        ({"x-original": "original"}, "cut off", "cut off"),
        ({"x-original": "original"}, None, "(null)"),
        (JSON, {"a": 2}, '{"a": 2}'),
    ],
)
def test_what_explanations_show_of_a_dead_letter_is_its_original(tmp_path, schema, original, shown):
    history = History()
    letters = DeadLetters(contract(tmp_path, schema))
    kept = {"topic": "t", "partition": 0, "offset": 0, "key": b"k", "timestamp": 0, "headers": []}
    raw = SimpleNamespace(**kept, value=json.dumps({"original": original}).encode())
    consumer = SimpleNamespace(poll=lambda: {"t": [raw]})
    _Recorder(history, "observer", letters.take).poll(consumer)
    assert list(history.snapshot().previews.values()) == [shown]


def test_an_object_that_is_said_to_be_a_text(tmp_path):
    schema = {"x-original": "original", "x-original-encoding": "how"}
    letter = {"original": {"a": 1}, "how": "utf-8"}
    _, letters = letters_of(tmp_path, schema, [b'{"a": 1}'], letter)
    assert 'for originals that are JSON values it is "json"' in letters.violations()


def test_letters_that_are_not_json(tmp_path):
    letters = DeadLetters(contract(tmp_path, JSON))
    value = b'{"original": {"a": NaN}}'
    ((_, digest, _),) = observed(letters, record(value))
    assert digest == digest_of(value)
    assert "NaN is not JSON" in letters.violations()


def test_a_contract_must_say_where_the_original_is(tmp_path):
    with pytest.raises(Trouble, match="x-original"):
        DeadLetters(contract(tmp_path, {"x-error-type": "err"}))


@pytest.mark.parametrize(
    ("text", "vague"),
    [
        ("amount: is missing", []),
        ("/order/amount is missing", []),
        ("theamount is missing", ["the field 'amount'"]),
        ("amount", ["the rule 'is missing'"]),
        ("bad message", ["the field 'amount'", "the rule 'is missing'"]),
    ],
)
def test_texts_name_field_and_rule(tmp_path, text, vague):
    letters = DeadLetters(contract(tmp_path, {**HEADERS, "x-error-text": "why"}))
    observed(letters, record(b"x", headers=headers(err="E_M", why=text)))
    found = letters.vague_texts({b"k": "amount"}, {"E_M": "is missing"})
    assert len(found) == len(vague)
    assert all(part in one for part, one in zip(vague, found, strict=True))
    assert len(letters.vague_texts({}, {"E_M": ""})) == 1
    with pytest.raises(NotSupported, match="E_M"):
        letters.vague_texts({b"k": "amount"}, {})
    with pytest.raises(NotSupported, match="text of an error"):
        DeadLetters(contract(tmp_path, HEADERS)).vague_texts({}, {})


def test_reasons_stand_first_save_a_death():
    for error, first in (
        (AssertionError("late"), "why"),
        (Died("ended with exit code 1"), "ended"),
    ):
        with pytest.raises(AssertionError) as found, with_reasons(lambda: "", lambda: "why"):
            raise error
        assert str(found.value).startswith(first)
        assert "why" in str(found.value)


def test_keys_and_headers_of_the_original(tmp_path):
    letters = DeadLetters(contract(tmp_path, HEADERS))
    own = {"trace-id": b"1", "origin": b"acceptance"}
    sent = [Message(b"k", b"x", headers=own), Message(b"other", b"x", headers=own)]
    observed(letters, record(b"x", headers={**own, **headers()}))
    assert letters.changed_surroundings(sent) == []
    observed(letters, record(b"x", headers={"origin": b"elsewhere", **headers()}))
    assert [one.partition(": ")[2] for one in letters.changed_surroundings(sent)] == [
        "header 'trace-id' expected b'1', was missing; "
        "header 'origin' expected b'acceptance', was b'elsewhere'"
    ]
    observed(letters, record(b"x", key=b"z", headers={**own, **headers()}))
    assert [one.partition(": ")[2] for one in letters.changed_surroundings(sent)] == [
        "key expected b'k', was b'z'"
    ]
    assert "was b'1'" in letters.changed_surroundings([Message(b"z", b"x")])[0]
    assert letters.changed_surroundings([])[0].endswith("it was not sent")


def test_what_is_repeated_rightly():
    positions = [("a", 0, 0), ("b", 0, 1), ("c", 1, 0)]
    received = Counter({"a": 2, "b": 2, "c": 3})
    fault = {("in", 0): 1}
    # a was committed; b was not, and came once more; c was not, and came twice too often.
    assert rightly_repeated(positions, received, [fault], "in") == (2, 2)
    assert rightly_repeated(positions, received, [fault, fault], "in") == (2, 3)
    assert rightly_repeated(positions, received, [], "in") == (0, 0)


def test_an_attached_system_is_looked_at_and_left_alone(tmp_path):
    session = SimpleNamespace(scaled=lambda seconds: seconds, parameters={})
    settings = SystemSettings("pipe", (), tmp_path, attach=True, ready_group=True,
                              ready_within=0.1)  # fmt: skip
    members = set()
    attached = AttachedSystem(session, settings, {}, lambda: frozenset(members))  # type: ignore[arg-type]
    with pytest.raises(Trouble, match="does not seem to run"):
        attached.ensure()
    members.add("m")
    attached.ensure()
    for refused in (attached.start, attached.stop, attached.crash, attached.absent):
        with pytest.raises(NotSupported, match="the system pipe cannot be"):
            refused()
    assert attached.death() is None


def test_an_attached_system_without_a_sign_says_so(tmp_path):
    session = SimpleNamespace(scaled=lambda seconds: seconds, parameters={})
    settings = SystemSettings("pipe", (), tmp_path, attach=True)
    AttachedSystem(session, settings, {}, frozenset).ensure()  # type: ignore[arg-type]
    assert "not known" in session.parameters["system"]
