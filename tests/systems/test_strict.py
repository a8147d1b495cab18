"""What is JSON and what is not, for whoever judges a message."""

import json

import pytest

from stackproof.matching import NotJson
from stackproof.systems.contracts import Contract, strict_json, value_digest


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "no value"),
        (b"", "empty"),
        (b"  ", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"{'a': 1}", "Expecting property name"),
        (b'{"a": 1,}', "double quotes"),
        (b'{"a": 01}', "delimiter"),
        (b'{"a": .5}', "Expecting value"),
        (b'{"a": 1} {"a": 1}', "Extra data"),
        (b'"a\nb"', "control character"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'[{"a": Infinity}]', "Infinity is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b'{"a": 1e400}', "1e400 is beyond the range of a double"),
        (b'{"a": -1e400}', "beyond"),
        (b'{"a": ' + b"1" * 400 + b"}", "beyond"),
        (b'{"a": ' + b"1" * 5000 + b"}", "beyond"),
        ('{"a": "ü"}'.encode("latin-1"), "byte 0xfc at 7 is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "byte 0xff at 0 is not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "Expecting"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        (b'{"a": 1, "b": 2, "a": 1}', "the name 'a' occurs more than once"),
        (b'{"x": [{"\\u0061": 1, "a": 2}]}', "the name 'a' occurs"),
        (b'{"\\ud800": 1, "\\ud800": 2}', r"the name '\ud800' occurs"),
        (b"[" * 129 + b"]" * 129, "nested deeper than 128"),
        (b"[" * 900 + b"]" * 900, "nested deeper than 128"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 128"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 128"),
    ],
)
def test_what_is_not_json(value, says):
    with pytest.raises(NotJson) as found:
        strict_json(value)
    assert says in str(found.value)
    str(found.value).encode()


@pytest.mark.parametrize(
    "value",
    [b" null ", b'"text"', b"1e308", b"-0", b"1" * 308, b"[" * 128 + b"]" * 128, b'{"a": {"a": 1}}',
     '{"größe": "\U0001f600"}'.encode(), b'"\\ud800"'],
)  # fmt: skip
def test_what_is_json(value):
    assert strict_json(value) == json.loads(value)


def test_values_that_say_the_same():
    same = [b'{"a": 1, "b": [1e2, {"x": null}]}', b'{"b":[100,{"x":null}],"a":1.0}']
    assert len({value_digest(strict_json(value)) for value in same}) == 1
    other = [b"1", b"true", b'"1"', b"[1]", b"null", b"1.5", b'{"": 1}', b"[1, 2]", b"[2, 1]"]
    assert len({value_digest(strict_json(value)) for value in other}) == len(other)


def recursive(tmp_path, **more):
    file = tmp_path / "tree.json"
    file.write_text(json.dumps(
        {"type": "object", "properties": {"a": {"$ref": "#"}, "q": {"type": "number"}}, **more}
    ))  # fmt: skip
    return Contract(file)


@pytest.mark.parametrize("levels", [64, 65, 100, 128, 129, 500, 1000])
def test_deep_messages_conform_or_violate_their_contract(tmp_path, levels):
    value = b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)
    document, wrong = recursive(tmp_path).judged(value)
    assert wrong or document
    assert ("nested deeper than 64" in recursive(tmp_path, **{"x-max-nesting": 64}).judged(value)[1]
            ) == (levels > 64)  # fmt: skip


@pytest.mark.parametrize(("number", "wrong"), [(b"1" * 300, ""), (b"1" * 310, "beyond")])
def test_long_integers_conform_or_violate_their_contract(tmp_path, number, wrong):
    assert wrong in recursive(tmp_path).judged(b'{"q": ' + number + b"}")[1]


def test_a_limit_that_is_none(tmp_path):
    from stackproof.errors import Trouble

    with pytest.raises(Trouble, match="x-max-nesting"):
        recursive(tmp_path, **{"x-max-nesting": "deep"}).judged(b"{}")
