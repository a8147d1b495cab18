"""Sinks of events under test: what they are handed, what arrives, how they bear failures.

It may touch what `stackproof.systems` may.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
