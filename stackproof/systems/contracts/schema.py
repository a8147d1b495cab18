"""A contract's schema: its files read, and everything in it understood, or refused at load.

JSON Schema lets a validator ignore what it does not know: keywords, drafts, formats. A message
that breaks an ignored rule would pass, so nothing is ignored here.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import jsonschema
import referencing
import referencing.jsonschema
from jsonschema import validators
from referencing.exceptions import Unresolvable

from stackproof.errors import Trouble
from stackproof.systems.contracts.files import SchemaFiles, read_schema

#: Drafts by the URI that `$schema` gives, without "#" at its end.
DRAFTS = {
    "http://json-schema.org/draft-04/schema": jsonschema.Draft4Validator,
    "http://json-schema.org/draft-06/schema": jsonschema.Draft6Validator,
    "http://json-schema.org/draft-07/schema": jsonschema.Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
}
NEWEST = "https://json-schema.org/draft/2020-12/schema"
_FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER
#: For formats without a checker: what serves instead.
_INSTEAD = {
    "iri": "uri", "iri-reference": "uri-reference", "url": "uri", "ip-address": "ipv4",
    "host-name": "hostname", "datetime": "date-time", "timestamp": "date-time", "guid": "uuid",
}  # fmt: skip

#: Where schemas stand within a schema, and whether they judge the same value as it does.
_ONE = {
    "additionalItems": False, "additionalProperties": False, "contains": False, "items": False,
    "propertyNames": False, "unevaluatedItems": False, "unevaluatedProperties": False,
    "not": True, "if": True, "then": True, "else": True,
}  # fmt: skip
_LISTS = {"allOf": True, "anyOf": True, "oneOf": True, "prefixItems": False, "items": False}
_MAPS = {
    "properties": False, "patternProperties": False, "$defs": False, "definitions": False,
    "dependentSchemas": True, "dependencies": True,
}  # fmt: skip
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

#: Keywords that say something without judging a value.
_SILENT = {
    "$schema", "$id", "$comment", "$defs", "$anchor", "definitions", "title", "description",
    "default", "examples", "readOnly", "writeOnly", "deprecated", "contentMediaType",
    "contentEncoding", "contentSchema", "then", "else",
    # of other tools, and understood by all that it changes nothing
    "example", "enumNames", "markdownDescription", "javaType", "tsType",
}  # fmt: skip
_SINCE_2019 = {
    "minContains", "maxContains", "$vocabulary", "$recursiveAnchor", "$dynamicAnchor",
}  # fmt: skip
#: Our own keywords, at the top of a schema.
EXTENSIONS = (
    "x-identity", "x-carried", "x-original", "x-original-encoding", "x-describes", "x-error-type",
    "x-error-text", "x-source-topic", "x-source-partition", "x-source-offset", "x-failed-at",
    "x-omitted", "x-max-bytes", "x-max-nesting", "x-dimension",
)  # fmt: skip


@dataclass
class Schema:
    """What a contract's files say.

    Attributes:
        content: the schema as it stands in the file.
        validator: judges values by it.
        plain: the same in the words of the newest draft, with each reference replaced by a
            name in `parts`: for who makes values rather than judges them.
        parts: what references lead to, likewise plain, by name.
    """

    content: dict[str, Any]
    validator: Any
    plain: dict[str, Any]
    parts: Mapping[str, Any]


def load_schema(file: Path) -> Schema:
    """Read a contract and all the files that it refers to.

    Raises:
        Trouble: a file cannot be read, or something in it is not understood.
    """
    content = read_schema(file)
    if not isinstance(content, dict):
        raise Trouble(f"the contract {file} is no object", f"it holds {content!r:.60}",
                      "a JSON Schema of an object with fields is expected")  # fmt: skip
    draft = _draft(content, file)
    for keyword in content:
        near = difflib.get_close_matches(keyword, EXTENSIONS, n=1, cutoff=0.85)
        if keyword.startswith("x-") and keyword not in EXTENSIONS and near:
            raise _not_understood(file, keyword, "#", f"did you mean {near[0]!r}?")
    checker = _validator_class(draft)
    dialect = referencing.jsonschema.specification_with(checker.ID_OF(checker.META_SCHEMA))
    walk = _Walk(file, draft, dialect)
    files = SchemaFiles(dialect, walk.sound)
    root = files.root(file, content)
    plain = walk.whole(root, files.registry)
    validator = checker(root.contents, registry=files.registry, format_checker=_FORMATS)
    return Schema(content, validator, plain, walk.parts)


def _draft(content: Mapping[str, Any], file: Path, otherwise: str = NEWEST) -> str:
    named = content.get("$schema", otherwise)
    draft = named.rstrip("#") if isinstance(named, str) else ""
    if draft not in DRAFTS:
        raise Trouble(
            f"the contract {file} is of a draft that is not known: $schema is {named!r:.100}",
            "known: " + ", ".join(DRAFTS),
            "write one of these",
        )
    return draft


@cache
def _validator_class(draft: str) -> Any:
    return validators.extend(DRAFTS[draft], {"multipleOf": _multiple_of})


def _multiple_of(validator: Any, step: Any, value: Any, _: Any) -> Iterator[Any]:
    """As people reckon: 19.99 is a multiple of 0.01, which it is not in binary."""
    if validator.is_type(value, "number") and Fraction(str(value)) % Fraction(str(step)):
        yield jsonschema.ValidationError(f"{value!r} is not a multiple of {step}")


@dataclass
class _Walk:
    """Visits every schema of a contract once, references followed."""

    file: Path
    draft: str
    dialect: Any
    parts: dict[str, Any] = field(default_factory=dict)
    _same_value: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def whole(self, root: Any, registry: Any) -> dict[str, Any]:
        """A plain copy of a contract, everything in it understood.

        Raises:
            Trouble: something is not; or judging a value would never end, because a schema
                refers to itself without coming to another value.
        """
        name = str(id(root.contents))
        self.parts[name] = {}
        self.parts[name] = plain = self._copied(
            root.contents, registry.resolver_with_root(root), "#", name
        )
        try:
            TopologicalSorter(self._same_value).prepare()
        except CycleError as error:
            places = [node for node in error.args[1] if node.startswith("#")]
            raise Trouble(
                f"references in the contract {self.file} are circular",
                f"this part refers to itself for the same value: {(places or ['#'])[0]}",
                "a schema may refer to itself for the fields or items of a value only",
            ) from error
        return plain

    def sound(self, content: Any, file: Path) -> None:
        """Refuse a file's content that is another draft's, or that the draft's schema refuses."""
        draft = _draft(content, file, self.draft) if isinstance(content, dict) else self.draft
        if draft != self.draft:
            raise Trouble(
                f"the contract {self.file} refers to {file}, which is of another draft",
                f"{draft}, not {self.draft}", "write both in the same draft",
            )  # fmt: skip
        try:
            _validator_class(self.draft).check_schema(content)
        except jsonschema.SchemaError as error:
            raise Trouble(
                f"the contract {file} cannot be used",
                f"it is no JSON Schema: {error.json_path}: {error.message:.300}",
                "correct it",
            ) from error
        except (OverflowError, RecursionError) as error:
            raise Trouble(
                f"the contract {file} cannot be used", f"it cannot be checked: {error}",
                "simplify it",
            ) from error  # fmt: skip

    def _copied(self, schema: Any, resolver: Any, place: str, node: str) -> Any:
        """A plain copy of the schema at ``place``.

        Args:
            schema: to copy.
            resolver: of its references.
            place: for people.
            node: stands for it where circles are looked for.
        """
        if not isinstance(schema, dict):
            return schema
        self._understand(schema, place)
        copy = dict(schema)

        def part(inner: Any, where: str, same_value: bool) -> Any:
            if same_value:
                self._same_value[node].add(where)
            resource = self.dialect.create_resource(inner)
            return self._copied(inner, resolver.in_subresource(resource), where, where)

        for keyword, value in schema.items():
            where = f"{place}/{keyword}"
            if keyword in _ONE and isinstance(value, dict | bool):
                copy[keyword] = part(value, where, _ONE[keyword])
            elif keyword in _LISTS and isinstance(value, list):
                copy[keyword] = [
                    part(inner, f"{where}/{index}", _LISTS[keyword])
                    for index, inner in enumerate(value)
                ]
            elif keyword in _MAPS and isinstance(value, dict):
                copy[keyword] = {
                    name: part(inner, f"{where}/{name}", _MAPS[keyword])
                    for name, inner in value.items()
                }
            elif keyword in _REFERENCES:
                copy.pop(keyword)
                name = self._referred(value, resolver, where)
                copy["$ref"] = name
                if keyword == "$ref":
                    self._same_value[node].add(name)
        return _modern(copy)

    def _referred(self, reference: Any, resolver: Any, place: str) -> str:
        """The name in `parts` of what a reference leads to."""
        try:
            found = resolver.lookup(reference)
        except (Unresolvable, AttributeError, TypeError, ValueError) as error:
            raise self._dangling(reference, place, error) from error
        name = f"{id(found.contents)}"
        if name not in self.parts:
            self.parts[name] = {}  # where a circle through other values ends
            shown = f"{place} -> {reference}"
            self.parts[name] = self._copied(found.contents, found.resolver, shown, name)
        return name

    def _dangling(self, reference: Any, place: str, error: BaseException) -> Trouble:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, Trouble):
            cause = cause.__cause__
        why = f"{cause.what}: {cause.why}" if isinstance(cause, Trouble) else (
            "it leads nowhere: there is no such part")  # fmt: skip
        return Trouble(
            f"a reference in the contract {self.file} cannot be followed: {reference!r:.200} "
            f"at {place}",
            why,
            cause.remedy if isinstance(cause, Trouble) else "correct it",
        )

    # -- one schema ----------------------------------------------------------
    def _understand(self, schema: Mapping[str, Any], place: str) -> None:
        for keyword in schema:
            self._known(keyword, place)
        beside = sorted(set(schema) & set(self._judging()) - {"$ref", "$recursiveRef"})
        if "$ref" in schema and beside and DRAFTS[self.draft].VALIDATORS.keys() & {"dependencies"}:
            raise _not_understood(
                self.file, beside[0], place,
                f"beside $ref this draft ignores it: write allOf: [{{$ref: ...}}, "
                f"{{{beside[0]}: ...}}]",
            )  # fmt: skip
        form = schema.get("format")
        if isinstance(form, str) and form not in _FORMATS.checkers:
            serves = _INSTEAD.get(form) or next(
                iter(difflib.get_close_matches(form, _FORMATS.checkers, n=1)), None
            )
            raise Trouble(
                f"the contract {self.file} has a format that cannot be checked: {form!r} "
                f"at {place}",
                "known: " + ", ".join(sorted(_FORMATS.checkers)),
                (f"write {serves!r}, or say" if serves else "say")
                + ' it by a pattern; a format for people only: "x-format"',
            )  # fmt: skip
        patterns = [schema["pattern"]] if "pattern" in schema else []
        for pattern in [*patterns, *schema.get("patternProperties", ())]:
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise Trouble(
                    f"a pattern in the contract {self.file} cannot be used: "
                    f"{pattern!a:.200} at {place}",
                    f"Python's regular expressions do not know it: {error}",
                    r"rewrite it, e.g. [^\W\d_] for \p{L}, (?<name>...) without its name",
                ) from error

    def _judging(self) -> set[str]:
        return set(DRAFTS[self.draft].VALIDATORS)

    def _known(self, keyword: str, place: str) -> None:
        known = self._judging() | _SILENT
        later = "dependentRequired" in known
        known |= _SINCE_2019 if later else set()
        if self.draft.endswith("draft-04/schema"):
            known |= {"id", "exclusiveMinimum", "exclusiveMaximum"}
        # A name with a dot or a colon is somebody's own, and no typing error.
        if keyword in known or keyword.startswith("x-") or "." in keyword or ":" in keyword:
            return
        others = {k for draft in DRAFTS.values() for k in draft.VALIDATORS} | _SINCE_2019
        if keyword in others:
            raise _not_understood(
                self.file, keyword, place,
                f"other drafts have it, {self.draft} ignores it: name another draft by $schema",
            )  # fmt: skip
        by_lower = {name.lower(): name for name in known}
        near = difflib.get_close_matches(keyword.lower(), by_lower, n=1, cutoff=0.75)
        raise _not_understood(
            self.file, keyword, place,
            f"did you mean {by_lower[near[0]]!r}?" if near
            else "correct it; a keyword of your own begins with x-",
        )  # fmt: skip


def _not_understood(file: Path, keyword: str, place: str, remedy: str) -> Trouble:
    return Trouble(
        f"the contract {file} has a keyword that is not understood: {keyword!a:.60} at {place}",
        "what is not understood would not be checked",
        remedy,
    )


def _modern(schema: dict[str, Any]) -> dict[str, Any]:
    """The same in the words of the newest draft."""
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and bound in schema:
            schema[exclusive] = schema.pop(bound)
    if isinstance(schema.get("items"), list):
        schema["prefixItems"] = schema["items"]
        schema["items"] = schema.pop("additionalItems", {})
    return schema
