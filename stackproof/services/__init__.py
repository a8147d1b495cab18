"""The kinds of server the suite knows: one module each, found by name.

It may touch `obtain`, `processes` and the ground. A service is described here, not run, and knows
no other one.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from stackproof.errors import Trouble
from stackproof.services.base import Service
from stackproof.values import did_you_mean

#: Each package in this one is a service, called as its folder; its class: ``SERVICE``.
_MODULES = {
    name: f"{__name__}.{name}:SERVICE" for _, name, folder in iter_modules(__path__) if folder
}
_known: dict[str, Service] = {}


def service_names() -> list[str]:
    """All services, alphabetically."""
    return sorted(_MODULES)


def service(name: str) -> Service:
    """The service called ``name``, imported when first asked for.

    Raises:
        Trouble: there is none of this name.
    """
    if name not in _known:
        if name not in _MODULES:
            raise Trouble(
                f"no service is called {name!r}",
                f"the services are: {', '.join(service_names())}",
                did_you_mean(name, _MODULES, "correct the name"),
            )
        module, _, attribute = _MODULES[name].partition(":")
        _known[name] = getattr(import_module(module), attribute)()
    return _known[name]
