"""OpenSearch: a search engine, its probe, and what scenarios do with it.

It may touch what every service may: the modules of `stackproof.services`, the ground, and its own
client library. Nothing is loaded before it is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
