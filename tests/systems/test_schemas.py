"""Contract files: everything in them is understood, or refused when they are loaded."""

import codecs
import json
import subprocess
import sys

import pytest

from stackproof.errors import Trouble
from stackproof.systems.contracts import Contract
from stackproof.systems.contracts.schema import DRAFTS
from stackproof.systems.inputs import Inputs
from stackproof.systems.places import Place

NEWEST = "https://json-schema.org/draft/2020-12/schema"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"


@pytest.fixture
def loaded(tmp_path):
    def load(content, **beside):
        for name, other in beside.items():
            file = tmp_path / f"{name}.json"
            file.write_bytes(other if isinstance(other, bytes) else json.dumps(other).encode())
        file = tmp_path / "mine.schema.json"
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return Contract(file)

    return load


def field(**schema):
    return {"type": "object", "properties": {"x": schema}}


def conforms(contract, document):
    return not contract.judged(json.dumps(document).encode())[1]


# -- the file ----------------------------------------------------------------
TEXT = '{"title": "Prüfung", "type": "object"}'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TEXT.encode("utf-16"), "mine.schema.json is not UTF-8"),
        (TEXT.encode("utf-16-le"), "mine.schema.json is not UTF-8"),
        (TEXT.replace("ü", "u").encode("utf-16-be"), "mine.schema.json is not UTF-8"),
        (TEXT.encode("utf-32"), "mine.schema.json is not UTF-8"),
        (TEXT.encode("latin-1"), "mine.schema.json is not UTF-8"),
        (b"true", "mine.schema.json is no object"),
        (b"[]", "mine.schema.json is no object"),
        (b'"text"', "mine.schema.json is no object"),
        (b"null", "mine.schema.json is no object"),
        (b"", "mine.schema.json is not JSON"),
        (b"{", "mine.schema.json is not JSON"),
        (b'{"type": "object", "type": "array"}', "the name 'type' occurs more than once"),
        (b'{"maximum": NaN}', "NaN is not JSON"),
        (b'{"maximum": 1e400}', "beyond the range"),
        (b'{"maximum": ' + b"1" * 5000 + b"}", "beyond the range"),
        (b'{"not": ' * 5000 + b"{}" + b"}" * 5000, "nested deeper"),
        (b'{"type": "strang"}', "no JSON Schema"),
        (b'{"properties": []}', "no JSON Schema"),
        (b'{"$ref": 7}', "no JSON Schema"),
        (b'{"$schema": "' + DRAFT_4.encode() + b'", "$ref": 7}', "cannot be followed"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(loaded, content, says):
    with pytest.raises(Trouble) as found:
        loaded(content)
    assert says in str(found.value)
    assert found.value.remedy


def test_a_byte_order_mark_is_skipped(loaded):
    assert loaded(codecs.BOM_UTF8 + TEXT.encode()).title == "Prüfung"


def test_the_locale_does_not_matter(loaded, tmp_path):
    loaded(TEXT.encode())
    code = (
        "import sys, pathlib; from stackproof.systems.contracts import Contract; "
        "sys.exit(Contract(pathlib.Path(sys.argv[1])).title != 'Pr\\xfcfung')"
    )
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code, tmp_path / "mine.schema.json"],
                   env=environment, check=True)  # fmt: skip


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(Trouble, match="cannot be read"):
        Contract(tmp_path)


# -- drafts ------------------------------------------------------------------
def test_the_draft_decides(loaded):
    exclusive = {"minimum": 3, "exclusiveMinimum": True}
    assert not conforms(loaded({"$schema": DRAFT_4, **field(**exclusive)}), {"x": 3})
    assert conforms(loaded({"$schema": DRAFT_4, **field(**exclusive)}), {"x": 3.5})
    pair = {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}
    old = loaded({"$schema": DRAFT_7, **field(**pair, additionalItems=False)})
    assert conforms(old, {"x": ["a", 1]})
    assert not conforms(old, {"x": [1, "a"]})
    assert not conforms(old, {"x": ["a", 1, 2]})
    with pytest.raises(Trouble, match="no JSON Schema"):
        loaded({"$schema": NEWEST, **field(**pair)})


@pytest.mark.parametrize("draft", [*DRAFTS, *(f"{draft}#" for draft in DRAFTS)])
def test_every_known_draft_is_taken(loaded, draft):
    contract = loaded({"$schema": draft, **field(type="integer", maximum=5)})
    assert conforms(contract, {"x": 5})
    assert not conforms(contract, {"x": 6})


@pytest.mark.parametrize(
    "draft",
    ["http://json-schema.org/draft-03/schema#", "https://example.org/mine", "draft-07", 7, None,
     "http://json-schema.org/schema#"],
)  # fmt: skip
def test_another_draft_lists_the_known_ones(loaded, draft):
    with pytest.raises(Trouble, match="draft that is not known") as found:
        loaded({"$schema": draft})
    assert all(known in found.value.why for known in DRAFTS)


# -- keywords ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"minimun": 3}, "did you mean 'minimum'"),
        ({"minlength": 3}, "did you mean 'minLength'"),
        ({"MaxItems": 3}, "did you mean 'maxItems'"),
        ({"requierd": ["x"]}, "did you mean 'required'"),
        ({"additional_properties": False}, "did you mean 'additionalProperties'"),
        ({"propertes": {}}, "did you mean 'properties'"),
        ({"typ": "string"}, "did you mean 'type'"),
        ({"nullable": True}, "begins with x-"),
        ({"max": 3}, "begins with x-"),
        ({"additionalItems": False}, "other drafts have it"),
        ({"dependencies": {}}, "other drafts have it"),
        ({"divisibleBy\x1b[31m": 2}, "'divisibleBy\\x1b[31m'"),
    ],
)
def test_a_keyword_that_is_not_understood_is_refused(loaded, wrong, says):
    for schema in (
        wrong, field(**wrong), field(items=wrong), field(anyOf=[{}, wrong]),
        {"$defs": {"unused": wrong}}, {"patternProperties": {"a": wrong}}, {"if": wrong},
        {"dependentSchemas": {"a": wrong}},
    ):  # fmt: skip
        with pytest.raises(Trouble, match="keyword that is not understood") as found:
            loaded(schema)
        assert says in str(found.value)


def test_a_keyword_of_a_later_draft_is_refused(loaded):
    for keyword in ("prefixItems", "dependentRequired", "unevaluatedProperties", "minContains"):
        with pytest.raises(Trouble, match="other drafts have it"):
            loaded({"$schema": DRAFT_7, keyword: {}})
    with pytest.raises(Trouble, match="other drafts have it"):
        loaded({"$schema": DRAFT_4, **field(const=1)})


def test_annotations_are_no_keywords(loaded):
    loaded({"x-mine": 1, "connect.type": "int8", "properties": {"minimun": {"x-y": 1}},
            "default": {"minimun": 1}, "examples": [{"typ": 1}], "const": {"typ": 1},
            "$comment": "", "deprecated": True})  # fmt: skip


def test_our_own_keywords_are_spelled_rightly(loaded):
    for typo in ("x-identiy", "x-orignal-encoding", "x-max-byte", "x-errortype"):
        with pytest.raises(Trouble, match="did you mean 'x-"):
            loaded({typo: "id"})


def test_what_stands_beside_a_reference_is_not_ignored(loaded):
    beside = {"$ref": "#/$defs/n", "maximum": 3, "description": "few"}
    assert not conforms(loaded({**field(**beside), "$defs": {"n": {}}}), {"x": 4})
    old = {"$schema": DRAFT_7, **field(**beside), "definitions": {"n": {}}}
    with pytest.raises(Trouble, match="beside \\$ref this draft ignores it"):
        loaded({**old, "$defs": {"n": {}}})


# -- formats and patterns ----------------------------------------------------
@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        ("date-time", "2026-01-01T00:00:00Z", "2026-01-01 00:00"),
        ("date", "2026-02-28", "2026-02-30"),
        ("time", "12:00:00Z", "12 o'clock"),
        ("duration", "P3DT4H", "3 days"),
        ("email", "a@example.org", "example.org"),
        ("hostname", "a.example.org", "-a-"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("ipv6", "2001:db8::1", "2001:db8::g"),
        ("uri", "https://example.org/a", "example org"),
        ("uri-reference", "/a/b", "\\\\a"),
        ("uri-template", "/a/{b}", "/a/{b"),
        ("uuid", "00000000-0000-4000-8000-000000000000", "0000"),
        ("json-pointer", "/a/b", "a"),
        ("relative-json-pointer", "1/a", "/a"),
        ("regex", "a+", "("),
    ],
)
@pytest.mark.parametrize("draft", [NEWEST, DRAFT_4])
def test_formats_are_checked_in_every_draft(loaded, form, right, wrong, draft):
    contract = loaded({"$schema": draft, **field(type="string", format=form)})
    assert conforms(contract, {"x": right})
    assert not conforms(contract, {"x": wrong})


@pytest.mark.parametrize(
    ("form", "says"),
    [("iri", "write 'uri'"), ("datetime", "write 'date-time'"), ("data-time", "write 'date-time'"),
     ("ip-address", "write 'ipv4'"), ("iban", "say it by a pattern"), ("int32", "say it by")],
)  # fmt: skip
def test_a_format_without_a_checker_is_refused(loaded, form, says):
    with pytest.raises(Trouble, match="format that cannot be checked") as found:
        loaded(field(format=form))
    assert says in found.value.remedy


@pytest.mark.parametrize("pattern", ["(", r"^\p{L}+$", "[z-a]", "a{99999999999}", "(?<year>[0-9])"])
def test_a_pattern_that_python_does_not_know_is_refused(loaded, pattern):
    for schema in (field(pattern=pattern), {"patternProperties": {pattern: {}}}):
        with pytest.raises(Trouble, match=r"mine\.schema\.json") as found:
            loaded(schema)
        assert "pattern" in str(found.value)


def test_what_a_checker_cannot_judge_is_a_violation(loaded):
    contract = loaded(field(format="regex"))
    assert "cannot be judged" in contract.judged(b'{"x": "a{99999999999}"}')[1]


def test_multiples_are_reckoned_as_people_do(loaded):
    contract = loaded(field(multipleOf=0.01))
    assert all(conforms(contract, {"x": x}) for x in (19.99, 0.07, 1.15, 4.35, 1e300, 3))
    assert not conforms(contract, {"x": 0.015})
    assert not conforms(loaded({**field(**{"$ref": "#/$defs/n"}), "$schema": NEWEST,
                                "$defs": {"n": {"multipleOf": 0.1}}}), {"x": 0.25})  # fmt: skip


# -- references --------------------------------------------------------------
DAY = {"type": "string", "pattern": "^[0-9]+$"}
IDENTITIES = [None, "urn:example:mine:1", "https://example.org/schemas/mine.json", "mine.json"]


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("draft", [NEWEST, DRAFT_7, DRAFT_4])
def test_references_lead_to_files_beside(loaded, identity, draft):
    name = "id" if draft == DRAFT_4 else "$id"
    root = {"$schema": draft, **field(**{"$ref": "types.json#/definitions/day"})}
    if identity:
        root[name] = identity
    types = {"$schema": draft, "definitions": {"day": {"$ref": "day.json"}}}
    contract = loaded(root, types=types, day=DAY)
    assert conforms(contract, {"x": "12"})
    assert not conforms(contract, {"x": "monday"})


def test_a_file_is_found_by_the_name_that_it_has(loaded):
    there = {"$id": "https://example.org/types/day", **DAY}
    contract = loaded(field(**{"$ref": "https://example.org/types/day"}), other=there)
    assert not conforms(contract, {"x": "monday"})


def test_names_of_files_may_be_odd(loaded):
    contract = loaded(field(**{"$ref": "a%20b%23%C3%BC.json"}), **{"a b#ü": DAY})
    assert not conforms(contract, {"x": "monday"})


@pytest.mark.parametrize("reference", ["http://[", "a b.json", "//[x"])
def test_a_reference_that_is_none_in_a_draft_that_does_not_check_it(loaded, reference):
    with pytest.raises(Trouble, match="cannot be followed"):
        loaded({"$schema": DRAFT_4, **field(**{"$ref": reference})})


def test_files_may_refer_to_each_other(loaded):
    node = {"type": "object", "properties": {"next": {"$ref": "mine.schema.json"}}}
    contract = loaded({**field(**{"$ref": "node.json"})}, node=node)
    assert conforms(contract, {"x": {"next": {"x": {}}}})
    assert not conforms(contract, {"x": {"next": {"x": 1}}})


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("gone.json", "gone.json"),
        ("types.json#/definitions/gone", "there is no such part"),
        ("#/$defs/gone", "there is no such part"),
        ("#gone", "there is no such part"),
        ("https://example.org/far.json", "not over the network"),
        ("http://127.0.0.1:9/far.json", "not over the network"),
        ("text.json", "is not JSON"),
        ("latin.json", "is not UTF-8"),
        ("typo.json", "did you mean 'minimum'"),
        ("old.json", "another draft"),
        ("bad.json", "no JSON Schema"),
        ("folder", "cannot be read"),
        ("a b.json", "uri-reference"),
        ("http://[", "uri-reference"),
        ("gone\x00.json", "cannot be"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told_at_load(loaded, tmp_path, reference, says):
    (tmp_path / "folder").mkdir()
    with pytest.raises(Trouble) as found:
        loaded(field(items={"$ref": reference}), types={"definitions": {}}, text=b"{",
               latin='{"title": "ü"}'.encode("latin-1"), typo={"minimun": 1},
               old={"$schema": DRAFT_7}, bad={"type": "strang"})  # fmt: skip
    assert says in str(found.value)
    assert "mine.schema.json" in str(found.value)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"$ref": "mine.schema.json"},
        {"$ref": "other.json"},
        field(anyOf=[{"type": "null"}, {"$ref": "#/properties/x"}]),
        {"$ref": "#/$defs/a",
         "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}},
    ],
)  # fmt: skip
def test_references_in_a_circle_are_told_at_load(loaded, schema):
    with pytest.raises(Trouble, match="circular"):
        loaded(schema, other={"allOf": [{"$ref": "mine.schema.json"}]})


# -- inputs ------------------------------------------------------------------
@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": DRAFT_4, "properties": {
            "id": {"type": "string"},
            "x": {"type": "integer", "minimum": 3, "exclusiveMinimum": True, "maximum": 4}}},
        {"$schema": DRAFT_7, "properties": {
            "id": {"type": "string"},
            "x": {"items": [{"const": 1}, {"const": 2}], "additionalItems": False}}},
        {"properties": {"id": {"$ref": "types.json#/$defs/id"}, "x": {"$ref": "types.json"}}},
        {"$ref": "#/$defs/order", "$defs": {"order": {"properties": {"id": {"type": "string"}}}}},
        {"properties": {"id": {"type": "string"}, "x": {"type": "array", "items": {"$ref": "#"}}}},
        {"properties": {"id": {"type": "string"}, "x": {"type": "number", "multipleOf": 0.01}}},
        *({"properties": {"id": {"type": "string", "format": form}}} for form in (
            "duration", "hostname", "uri", "uri-template", "json-pointer", "time",
            "relative-json-pointer", "idn-hostname")),
    ],
)  # fmt: skip
def test_inputs_are_made_from_what_is_understood(loaded, schema):
    tree = {"type": "object", "properties": {"left": {"$ref": "types.json"}},
            "$defs": {"id": {"type": "string", "minLength": 3}}}  # fmt: skip
    contract = loaded(
        {"type": "object", "x-identity": "id", "required": ["id"], **schema}, types=tree
    )
    made = Inputs(contract, {Place("id"): Place("id")}, 1).valid(50)
    assert not any(contract.judged(message.value)[1] for message in made)


def test_what_cannot_be_made_is_told_at_load(loaded):
    contract = loaded({"type": "object", "x-identity": "id", "required": ["id"], "minProperties": 3,
                       "properties": {"id": {"type": "string"}}})  # fmt: skip
    with pytest.raises(Trouble, match="no valid input can be made"):
        Inputs(contract, {}, 1)
