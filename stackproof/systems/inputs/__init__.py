"""Inputs for a system, valid and invalid: generated from its contract, or from samples.

It may touch `systems.contracts`, `settings`, `clients` and `history`.
"""

from stackproof.systems.inputs.flaws import kinds
from stackproof.systems.inputs.making import ORIGINAL_HEADERS, Inputs

__all__ = ["ORIGINAL_HEADERS", "Inputs", "kinds"]
