"""Breaking things, and proving that they broke and healed.

`Faults` are those of one scenario.

It may touch `history`, `services` and the scenario (`session.scenario`), and neither a
fixture of a service nor a system nor who runs servers: faults ask the run to break things.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
