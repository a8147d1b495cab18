"""What comes out, understood through contracts that call things in their own way."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest

from stackproof.clients.kafka.messages import Message, Received
from stackproof.errors import NotSupported, Trouble
from stackproof.history import carried_digest, digest_of
from stackproof.settings import SystemSettings
from stackproof.systems.attached import AttachedSystem
from stackproof.systems.contracts import Contract, ContractViolationError
from stackproof.systems.interrupting import rightly_repeated
from stackproof.systems.observing import DeadLetters, Predictions
from stackproof.systems.places import Place

SCORE = {"title": "Score", "x-identity": "/who/id", "type": "object", "required": ["who"],
         "properties": {"level": {"enum": ["HIGH", "LOW"]}}}  # fmt: skip
HEADERS = {"x-describes": "headers", "x-error-type": "err", "x-source-topic": "src",
           "x-failed-at": "at", "required": ["err"]}  # fmt: skip
CARRIED = {Place("/who/id"): Place("id"), Place("when"): Place("/header/at")}


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
    scores = Predictions(contract(tmp_path, SCORE), CARRIED)
    good = record({"who": {"id": "a"}, "when": "now", "level": "LOW"}, key=b"a")
    ((ident, digest, carried),) = observed(scores, good)
    assert (ident, digest) == ("a", digest_of(good.value))
    assert carried == carried_digest({"/who/id": "a", "when": "now"})
    assert scores.received == {"a": 1}
    assert scores.wrongly_keyed() == []
    scores.check()


@pytest.mark.parametrize("value", [{"who": {}}, {"who": {"id": "a"}}, b"{", None, {"when": 1}])
def test_what_lacks_them_is_taken_by_its_key(tmp_path, value):
    scores = Predictions(contract(tmp_path, SCORE), CARRIED)
    ((ident, _, carried),) = observed(scores, record(value))
    assert (ident, carried) == ("k", None)


def test_violations_and_wrong_keys_are_told(tmp_path):
    scores = Predictions(contract(tmp_path, SCORE), CARRIED)
    observed(scores, record({"who": {"id": "a"}, "level": "MEDIUM"}))
    with pytest.raises(ContractViolationError, match="MEDIUM"):
        scores.check()
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
    letters = DeadLetters(contract(tmp_path, HEADERS))
    observed(letters, record(b"x", headers=headers(err=None)))
    assert letters.counted() == "1 not as its contract says"
    with pytest.raises(ContractViolationError, match="'err' is a required"):
        letters.error_types()


def test_keys_and_headers_of_the_original(tmp_path):
    letters = DeadLetters(contract(tmp_path, HEADERS))
    own = {"trace-id": b"1", "origin": b"acceptance"}
    sent = Message(b"k", b"x", headers=own)
    observed(letters, record(b"x", headers={**own, **headers()}))
    assert letters.changed_surroundings([sent]) == []
    observed(letters, record(b"x", headers=headers()))
    assert len(letters.changed_surroundings([sent])) == 1
    observed(letters, record(b"x", key=b"z", headers={**own, **headers()}))
    assert len(letters.changed_surroundings([sent])) == 1


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
