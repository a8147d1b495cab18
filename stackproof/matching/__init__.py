"""What the vocabulary's tables and texts mean, and how what was found differs from it.

It knows no service and no scenario: bytes, texts and plain data go in, and differences come out.
It may touch `texts`, `values` and `errors`. Nothing is loaded before it is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
