"""Single valid inputs, by the name of what they are: an order, a customer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackproof.errors import Trouble
from stackproof.settings import SystemSettings
from stackproof.systems.contracts import Contract
from stackproof.systems.inputs.generating import Generator
from stackproof.values import did_you_mean

_TRIES = 100


class ValidInputs:
    """Makes them from the contracts that ``[systems.NAME.contracts]`` names.

    Args:
        systems: all that the configuration describes.
        seed: makes the sequence reproducible.
    """

    def __init__(self, systems: Mapping[str, SystemSettings], seed: int):
        self._seed = seed
        self._made: dict[str, tuple[Contract, Generator]] = {}
        #: A contract is called as its file, and as its system calls one of what it describes.
        self._files = {
            name: file
            for system in systems.values()
            for role, file in system.contracts.items()
            for name in (file.name.partition(".")[0], *system.nouns.get(role, ())[:1])
        }

    def document(self, name: str) -> Any:
        """A valid one.

        Raises:
            Trouble: no contract is called so, or nothing can be made from it.
        """
        if name not in self._files:
            raise Trouble(
                f"no contract says what a valid {name} is",
                f"contracts there are for: {', '.join(self._files) or 'nothing'}",
                did_you_mean(name, self._files, "name its JSON Schema in "
                             "[systems.NAME.contracts] of stackproof.toml"),
            )  # fmt: skip
        contract, generator = self._of(name, self._files[name])
        errors: list[str] = []
        for _ in range(_TRIES):
            document = generator.document()
            errors = contract.errors(document)
            if not errors:
                return document
        raise Trouble(f"no valid {name} can be made from {contract.file}",
                      f"the generator does not understand a part of it: {errors[0]}",
                      "simplify that part, or write the message down")  # fmt: skip

    def _of(self, name: str, file: Path) -> tuple[Contract, Generator]:
        if name not in self._made:
            contract = Contract(file)
            generator = Generator(
                contract.plain, self._seed, parts=contract.parts, demanded=[], name=str(file)
            )
            self._made[name] = contract, generator
        return self._made[name]
