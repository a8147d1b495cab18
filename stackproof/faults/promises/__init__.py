"""Provoking what guarantees of delivery allow, and what they rule out.

It may touch what `faults` may.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
