"""Inputs for a system, valid and invalid: generated from its contract, or from samples.

Reproducible: the same seed gives the same inputs. Every valid input is checked
against the contract before it is used, so that a mistake here cannot pass for one
of the system.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackproof.errors import Trouble
from stackproof.history import carried_digest
from stackproof.services.kafka.client.messages import Message
from stackproof.systems.contracts import Contract
from stackproof.systems.inputs.flaws import Flaws
from stackproof.systems.inputs.generating import Generator
from stackproof.systems.inputs.samples import InvalidSample, invalid_samples, valid_samples
from stackproof.systems.labels import INVALID, VALID
from stackproof.systems.places import MISSING, Place

#: Headers that every generated message has.
ORIGINAL_HEADERS = ("trace-id", "origin")
_TRIES = 100  # for a valid document: conditions of a contract are met by trying
_TRIES_FOR_IDENTITY = 1000


class Inputs:
    """Makes messages for one contract.

    Args:
        contract: of the system's input.
        carried: the input's field by the output's, for all that the system carries over.
        seed: makes the sequence reproducible.
        samples: JSONL file of valid documents to take in turn; their identities are
            replaced by new ones.
        invalid: where invalid messages are taken from, see `invalid_samples`; kinds that
            are not there are generated.
        not_applicable: kinds of invalid messages that the system does not have.

    Attributes:
        wrong_fields: the name of the field that is wrong, by the key of an invalid message;
            empty where it is no certain one.

    Raises:
        Trouble: no valid input can be made, or a sample is wrong.
    """

    def __init__(
        self,
        contract: Contract,
        carried: Mapping[Place, Place],
        seed: int,
        *,
        samples: Path | None = None,
        invalid: Path | None = None,
        not_applicable: Mapping[str, str] | None = None,
    ):
        self._contract = contract
        self._identity = contract.place("x-identity")
        self._carried = carried
        places = [self._identity, *carried.values()]
        self._generator = Generator(
            contract.plain, seed, parts=contract.parts, demanded=places, name=str(contract.file)
        )
        self._flaws = Flaws(
            contract, self._generator, spared=places, not_applicable=not_applicable or {}
        )
        self._samples = itertools.cycle(valid_samples(samples, contract)) if samples else None
        given = invalid_samples(invalid) if invalid else {}
        self._invalid: dict[str, itertools.cycle[InvalidSample]] = {
            kind: itertools.cycle(found) for kind, found in given.items()
        }
        self._used: set[str] = set()
        self.wrong_fields: dict[bytes, str] = {}
        self._try()

    def _try(self) -> None:
        """See whether an input can be made, before the first is needed."""
        if self._samples is None:
            self._message(self.document())
            self._used.clear()
        else:
            self._fresh_identity()

    # -- valid ---------------------------------------------------------------
    def document(self) -> dict[str, Any]:
        """A valid document with an identity that was not used before.

        Raises:
            Trouble: none can be made from the contract.
        """
        errors: list[str] = []
        for _ in range(_TRIES):
            document = self._proposed()
            errors = self._contract.errors(document)
            if not errors:
                self._used.add(str(self._identity.of(document)))
                return document
        raise Trouble(
            f"no valid input can be made from {self._contract.file}",
            f"the generator does not understand a part of it: {errors[0]}",
            'simplify that part, or give samples: samples = "valid.jsonl"',
        )

    def _proposed(self) -> dict[str, Any]:
        """A document with an unused identity that may or may not be valid."""
        document = (
            copy.deepcopy(next(self._samples)) if self._samples else self._generator.document()
        )
        if self._identity.of(document) is MISSING:
            raise Trouble(
                f"the identity {self._identity} of {self._contract.file} is in no input",
                "x-identity must name a field that the contract describes",
                "correct x-identity",
            )
        for _ in range(_TRIES_FOR_IDENTITY):
            if self._samples is None and str(self._identity.of(document)) not in self._used:
                return document
            self._identity.put(document, self._fresh_identity())
            if str(self._identity.of(document)) not in self._used:
                return document
        raise Trouble(
            f"no unused {self._identity} is left to generate",
            f"the contract allows few values, {len(self._used)} are used",
            "widen the field's pattern in the contract",
        )

    def _fresh_identity(self) -> Any:
        schema: Any = self._contract.plain
        for part in self._identity.path:
            resolved = self._generator.resolved(schema)
            schema = resolved.get("properties", {}).get(part, {"type": "string"})
        return self._generator.value(schema, self._identity.path)

    def valid(self, count: int) -> list[Message]:
        """``count`` valid messages, keyed by their identity."""
        return [self._message(self.document()) for _ in range(count)]

    def _message(self, document: dict[str, Any]) -> Message:
        carried = {output.text: given.of(document) for output, given in self._carried.items()}
        absent = [str(self._carried[Place(o)]) for o, v in carried.items() if v is MISSING]
        if absent:
            raise Trouble(
                f"the field {absent[0]} is in no input of {self._contract.file}",
                "the output's contract says by x-carried that it is copied from there",
                "correct x-carried",
            )
        return Message(
            key=self._key(document),
            value=json.dumps(document).encode(),
            label=VALID,
            carried=carried_digest(carried),
            headers=self._headers(),
        )

    def _key(self, document: dict[str, Any]) -> bytes:
        return str(self._identity.of(document)).encode()

    def _headers(self) -> dict[str, bytes]:
        values = (f"{self._generator.dice.getrandbits(64):016x}".encode(), b"acceptance")
        return dict(zip(ORIGINAL_HEADERS, values, strict=True))

    # -- invalid -------------------------------------------------------------
    def invalid(self, kind: str) -> Message:
        """One message of a kind of `kinds`, keyed like a valid one.

        Raises:
            NotSupported: the contract or the system has no messages of this kind.
            Trouble: the kind is unknown.
        """
        self._flaws.check(kind)
        document = self.document()
        key = self._key(document)
        if kind in self._invalid:
            value = next(self._invalid[kind]).value
        else:
            spoiled = self._flaws.spoil(document, kind)
            value = spoiled.value
            self.wrong_fields[key] = spoiled.field
        return Message(key=key, value=value, label=INVALID, headers=self._headers())
