"""What a system's contracts say, made ready for a run; `stackproof doctor` does it beforehand."""

from __future__ import annotations

from stackproof.errors import Trouble
from stackproof.settings.systems import SystemSettings
from stackproof.systems.contracts import Contract
from stackproof.systems.inputs import Inputs
from stackproof.systems.observing import DeadLetters, Predictions

#: Keyword of a contract: its messages are vectors of this dimension.
X_DIMENSION = "x-dimension"


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


def understand(settings: SystemSettings, seed: int) -> tuple[Predictions, DeadLetters, Inputs]:
    """What understands a pipeline's outputs and dead letters, and makes its inputs.

    Raises:
        Trouble: a contract cannot be used, or no input can be made from it.
    """
    given, made = contract_of(settings, "input"), contract_of(settings, "output")
    carried = {
        **made.carried,
        made.place("x-identity"): given.place("x-identity"),
    }
    inputs = Inputs(
        given,
        carried,
        seed,
        samples=settings.samples,
        invalid=settings.invalid_samples,
        not_applicable=settings.not_applicable,
    )
    dead_letters = DeadLetters(contract_of(settings, "dead_letter"))
    return Predictions(made, carried), dead_letters, inputs


def prepare(settings: SystemSettings) -> None:
    """Do with a system's contracts what its first scenario would do.

    Raises:
        Trouble: a contract cannot be used, or no input can be made from it.
    """
    if is_of_vectors(settings):
        dimension_of(contract_of(settings, "input"))
        DeadLetters(contract_of(settings, "dead_letter"))
    elif settings.contracts:
        understand(settings, seed=0)


def is_of_vectors(settings: SystemSettings) -> bool:
    """Whether a system's inputs are vectors, by its contract; else they are JSON.

    Raises:
        Trouble: the contract cannot be used.
    """
    return "input" in settings.contracts and X_DIMENSION in contract_of(settings, "input").schema


def dimension_of(contract: Contract) -> int:
    """How long the vectors of a contract are.

    Raises:
        Trouble: it does not say.
    """
    dimension = contract.schema.get(X_DIMENSION)
    if not isinstance(dimension, int):
        raise Trouble(
            f"the contract {contract.file} does not say its x-dimension",
            "the suite needs to know how long vectors are",
            'add "x-dimension": 128 to the schema\'s top level',
        )
    return dimension
