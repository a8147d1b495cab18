"""What a system's contracts say, made ready for a run; `stackproof doctor` does it beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from stackproof.errors import Trouble
from stackproof.settings.systems import SystemSettings
from stackproof.systems.contracts import Contract
from stackproof.systems.inputs import Inputs
from stackproof.systems.observing import DeadLetters, JsonOutputs, Makes, NoDeadLetters, Outputs
from stackproof.systems.vectors import TransformedVectors, VectorInputs

#: Keyword of a contract: its messages are vectors of this dimension.
_DIMENSION = "x-dimension"


def contract_of(settings: SystemSettings, role: str) -> Contract:
    """The contract of a role: input, output, dead_letter.

    Raises:
        Trouble: there is none, or it cannot be used.
    """
    if role not in settings.contracts:
        raise Trouble(
            f"the system {settings.name} has no contract {role!r}",
            "the features check every message against its contract",
            f"add it to [systems.{settings.name}.contracts] in stackproof.toml",
        )
    return Contract(settings.contracts[role])


@dataclass(frozen=True)
class Understanding:
    """What makes a system's inputs, and understands what becomes of them."""

    inputs: Makes
    outputs: Outputs
    dead_letters: DeadLetters


def understand(settings: SystemSettings, seed: int) -> Understanding:
    """Prepare it by the contracts: of JSON, or of vectors where the input's has a dimension.

    Raises:
        Trouble: a contract cannot be used, or no input can be made from it.
    """
    given = contract_of(settings, "input")
    lacking = settings.indexes and "dead_letter" not in settings.roles
    dead_letters = NoDeadLetters() if lacking else DeadLetters(contract_of(settings, "dead_letter"))
    if _DIMENSION in given.schema:
        vectors = VectorInputs(_dimension_of(given), seed)
        return Understanding(vectors, TransformedVectors(vectors.sent), dead_letters)
    made = contract_of(settings, "output") if not settings.indexes else None
    carried = made.carried if made else {}
    carried = {**carried, (made or given).place("x-identity"): given.place("x-identity")}
    inputs = Inputs(
        given,
        carried,
        seed,
        samples=settings.samples,
        invalid=settings.invalid_samples,
        not_applicable=settings.not_applicable,
    )
    return Understanding(inputs, JsonOutputs(made or given, carried), dead_letters)


def prepare(settings: SystemSettings) -> None:
    """Do with a system's contracts what its first scenario would do.

    Raises:
        Trouble: a contract cannot be used, or no input can be made from it.
    """
    if settings.contracts:
        understand(settings, seed=0)


def _dimension_of(contract: Contract) -> int:
    dimension = contract.schema[_DIMENSION]
    if not isinstance(dimension, int) or dimension < 1:
        raise Trouble(
            f"the contract {contract.file} does not say how long its vectors are",
            f"its {_DIMENSION} is {dimension!r}",
            f'write a number, e.g. "{_DIMENSION}": 128',
        )
    return dimension
