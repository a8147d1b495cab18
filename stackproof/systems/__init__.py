"""Systems under test: their contracts, their inputs, how they are launched and watched."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
