"""Driving a Kafka-compatible broker, with every operation recorded.

It may touch what `clients` may, and no other service.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
