"""Driving a Kafka-compatible broker, with every operation recorded.

It may touch `history`, `access` and the ground. It starts nothing, and loads its client libraries
when they are used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
