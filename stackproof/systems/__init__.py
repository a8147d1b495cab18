"""Systems under test: their contracts, their inputs, how they are launched and watched.

It may touch the scenario, `settings`, `services` with their fixtures, `history`,
`obtain` and `processes`; not faults, nor the runner, nor who runs servers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
