"""How a component wants to be called, where its methods are not called as features call them.

``fetch`` is another name; ``put(value, name)`` another order; ``put(key=name, data=value)`` has
names for its arguments; ``put(name, value, 60, "customers")`` some that are always the same.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Call:
    """One method of a component.

    Attributes:
        method: its own name.
        parameters: the features' names of its parameters.
        arguments: by position; what is among ``parameters`` stands for its value.
        named: the same by name.
    """

    method: str
    parameters: Sequence[str]
    arguments: Sequence[ast.expr]
    named: Mapping[str, ast.expr]

    @property
    def takes(self) -> frozenset[str]:
        """Those of the parameters whose values are handed over."""
        said = (*self.arguments, *self.named.values())
        return frozenset(one.id for one in said if isinstance(one, ast.Name)) & {*self.parameters}

    def request(self, values: Sequence[Any]) -> dict[str, Any]:
        """What the component is sent; a value for each of the parameters.

        Raises:
            ValueError: there are more or fewer values than parameters.
        """
        known = {**_WORDS, **dict(zip(self.parameters, values, strict=True))}

        def value(said: ast.expr) -> Any:
            return known[said.id] if isinstance(said, ast.Name) else ast.literal_eval(said)

        request: dict[str, Any] = {"call": self.method, "arguments": [*map(value, self.arguments)]}
        if self.named:
            request["named"] = {name: value(said) for name, said in self.named.items()}
        return request


def call_of(text: str, parameters: Sequence[str]) -> Call:
    """Read how a method wants to be called.

    Args:
        text: its name alone, or with arguments in brackets.
        parameters: the features' names of what may stand among these.

    Raises:
        ValueError: it cannot be understood.
    """
    name, bracket, rest = text.partition("(")
    if not bracket:
        rest = ", ".join(parameters) + ")"
    try:
        made = ast.parse(f"f({rest}", mode="eval").body
        assert isinstance(made, ast.Call) and name.strip()
        named = {one.arg: one.value for one in made.keywords if one.arg}
        assert len(named) == len(made.keywords)
        call = Call(name.strip(), parameters, made.args, named)
        call.request(range(len(parameters)))
    except (SyntaxError, ValueError, AssertionError, KeyError):
        raise ValueError(
            f"{text!r} is no way to call a method: a name is expected, or a name with arguments "
            f"in brackets, each a constant or one of: {', '.join(parameters) or 'none here'}"
        ) from None
    return call
